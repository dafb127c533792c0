# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""ledger.py again, in C: the same of texts that are plain ASCII; what is not is left to Python's own ways.

test_ledger.py holds both to the same answers.
"""

from typing import Literal, NamedTuple

cimport cython
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.string cimport memcmp, memcpy

from schemas.events import ResourceState, member_weight, weighed

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object) noexcept
    bint PyUnicode_IS_COMPACT_ASCII(object) noexcept
    void *PyUnicode_DATA(object) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object) noexcept
    str PyUnicode_New(Py_ssize_t, Py_UCS4)

include "schemas/native/fields.pxi"
include "schemas/native/weights.pxi"

cdef enum:
    LONGEST_DIGEST = 16
DIGEST_LEN = LONGEST_DIGEST
Difference = Literal["same", "changed", "recreated"]
cdef object _state = ResourceState
cdef Py_ssize_t UID = offset_of(ResourceState.uid), VERSION = offset_of(ResourceState.resource_version)
cdef Py_ssize_t DIGEST = offset_of(ResourceState.digest), RESOURCE = offset_of(ResourceState.resource)
assert min(UID, VERSION, DIGEST, RESOURCE) > 0


cdef inline bint _is_ascii(object text) noexcept:
    return PyUnicode_CheckExact(text) and PyUnicode_IS_COMPACT_ASCII(text)


cdef inline char *_bytes(object text) noexcept:
    return <char *>PyUnicode_DATA(text)


cdef str _line_of(PyObject *one):
    """Uid, version and digest of a state, joined."""
    cdef object uid, version, digest
    cdef str made
    cdef Py_ssize_t first, second, third
    cdef char *at
    uid, version, digest = <object>field_at(one, UID), <object>field_at(one, VERSION), <object>field_at(one, DIGEST)
    if not (_is_ascii(uid) and _is_ascii(version) and _is_ascii(digest)):
        return f"{uid}\0{version}\0{digest[:LONGEST_DIGEST]}"
    first, second = PyUnicode_GET_LENGTH(uid), PyUnicode_GET_LENGTH(version)
    third = min(LONGEST_DIGEST, PyUnicode_GET_LENGTH(digest))
    made = PyUnicode_New(first + second + third + 2, 127)
    at = _bytes(made)
    memcpy(at, _bytes(uid), first)
    memcpy(at + first + 1, _bytes(version), second)
    memcpy(at + first + second + 2, _bytes(digest), third)
    at[first] = at[first + second + 1] = 0
    return made


cdef bint _is_at(str line, str uid, str version) except -1:
    """Whether it is of this object at this version, whatever its digest."""
    cdef Py_ssize_t first, second
    cdef char *at
    if not (_is_ascii(line) and _is_ascii(uid) and _is_ascii(version)):
        return line.startswith(f"{uid}\0{version}\0")
    first, second = PyUnicode_GET_LENGTH(uid), PyUnicode_GET_LENGTH(version)
    if PyUnicode_GET_LENGTH(line) < first + second + 2:
        return False
    at = _bytes(line)
    return (
        at[first] == 0 and at[first + second + 1] == 0
        and memcmp(at, _bytes(uid), first) == 0 and memcmp(at + first + 1, _bytes(version), second) == 0
    )


cdef bint _is_of(str line, object uid) except -1:
    """Whether it is of this object."""
    cdef Py_ssize_t size
    if not (_is_ascii(line) and _is_ascii(uid)):
        return line.startswith(f"{uid}\0")
    size = PyUnicode_GET_LENGTH(uid)
    if PyUnicode_GET_LENGTH(line) <= size:
        return False
    return _bytes(line)[size] == 0 and memcmp(_bytes(line), _bytes(uid), size) == 0


cdef uint64_t _weight(str line) except? 0:
    """What it adds to the digest of its kind."""
    cdef uint64_t block[16]
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(line)
    if LITTLE and _is_ascii(line):
        while size and _bytes(line)[size - 1]:
            size -= 1
        size -= 1  # and without what stands between version and digest
        if 0 < size <= BLOCK:
            memset(block, 0, BLOCK)
            memcpy(block, _bytes(line), size)
            return weight_of_block(block, size)
    uid, version, _ = line.split("\0")
    return member_weight(uid, version)


class Entry(NamedTuple):
    """A resource as it was last published. `digest` "" means that only its version is known."""

    uid: str
    version: str = ""
    digest: str = ""


cdef class KindLedger:
    """The resources of one kind, as the bus was told."""

    cdef dict _lines
    cdef uint64_t _sum  # of the weights; all that a digest says of it is 64 bits

    def __init__(self):
        self._lines = {}

    def __len__(self):
        return len(self._lines)

    def __iter__(self):
        return iter(self._lines)

    def find(self, resource):
        """What was last published of a resource."""
        line = self._lines.get(resource)
        return None if line is None else Entry(*line.split("\0"))

    def has(self, resource, str uid not None, str version not None):
        """Whether it was published at this version."""
        cdef PyObject *line = PyDict_GetItem(self._lines, resource)
        return line is not NULL and _is_at(<str>line, uid, version)

    def put(self, state):
        """A state is published; how it differs from what was. Not when it is "recreated"."""
        cdef PyObject *one = <PyObject *>state
        cdef PyObject *known
        cdef object resource
        cdef str line
        if type(state) is not _state:
            raise TypeError(f"{type(state).__name__} is no state")
        resource, line = <object>field_at(one, RESOURCE), _line_of(one)
        known = PyDict_GetItem(self._lines, resource)
        if known is NULL:
            self._sum += _weight(line)
        elif <str>known == line:
            return "same"
        elif _is_of(<str>known, <object>field_at(one, UID)):
            self._sum += _weight(line) - _weight(<str>known)
        else:
            return "recreated"
        self._lines[resource] = line
        return "changed"

    def note(self, resource, entry):
        """Keep an entry; one without a version stands for a resource that exists and could not be told."""
        cdef str line = "\0".join(entry)
        known = self._lines.get(resource)
        self._sum += _weight(line) - (0 if known is None else _weight(known))
        self._lines[resource] = line

    def remove(self, resource):
        """The deletion is published."""
        line = self._lines.pop(resource, None)
        if line is None:
            return None
        self._sum -= _weight(line)
        return Entry(*line.split("\0"))

    def digest(self):
        """What a receiver that missed nothing computes as well (events.kind_digest)."""
        return weighed(len(self._lines), self._sum)
