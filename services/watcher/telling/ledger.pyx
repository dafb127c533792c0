# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""ledger.py again, in C: a line is kept as bytes behind its weight, which is asked for when it changes.

test_ledger.py holds both to the same answers.
"""

from itertools import chain
from typing import Literal, NamedTuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.string cimport memcmp, memcpy

from schemas.events import ResourceState, member_weight, weighed

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object) noexcept
    bint PyUnicode_IS_COMPACT_ASCII(object) noexcept
    void *PyUnicode_DATA(object) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object) noexcept

include "schemas/native/fields.pxi"
include "schemas/native/weights.pxi"

cdef enum:
    LONGEST_DIGEST = 16
    WEIGHT = 8  # bytes
DIGEST_LEN = LONGEST_DIGEST
Difference = Literal["same", "changed", "recreated"]
cdef object _state = ResourceState
cdef Py_ssize_t UID = offset_of(ResourceState.uid), VERSION = offset_of(ResourceState.resource_version)
cdef Py_ssize_t DIGEST = offset_of(ResourceState.digest), RESOURCE = offset_of(ResourceState.resource)
assert min(UID, VERSION, DIGEST, RESOURCE) > 0


cdef inline bint _is_ascii(object text) noexcept:
    return PyUnicode_CheckExact(text) and PyUnicode_IS_COMPACT_ASCII(text)


cdef bytes _line_of(PyObject *one):
    """Uid, version and digest of a state, joined, behind room for their weight."""
    cdef object uid, version, digest
    cdef bytes made
    cdef Py_ssize_t first, second, third
    cdef char *at
    uid, version, digest = <object>field_at(one, UID), <object>field_at(one, VERSION), <object>field_at(one, DIGEST)
    if not (_is_ascii(uid) and _is_ascii(version) and _is_ascii(digest)):
        return _joined(f"{uid}\0{version}\0{digest[:LONGEST_DIGEST]}")
    first, second = PyUnicode_GET_LENGTH(uid), PyUnicode_GET_LENGTH(version)
    third = min(LONGEST_DIGEST, PyUnicode_GET_LENGTH(digest))
    made = PyBytes_FromStringAndSize(NULL, WEIGHT + first + second + third + 2)
    at = PyBytes_AS_STRING(made) + WEIGHT
    memcpy(at, PyUnicode_DATA(uid), first)
    memcpy(at + first + 1, PyUnicode_DATA(version), second)
    memcpy(at + first + second + 2, PyUnicode_DATA(digest), third)
    at[first] = at[first + second + 1] = 0
    return made


cdef bytes _joined(str line):
    """The same of what was joined."""
    return b"\0" * WEIGHT + line.encode()


cdef bint _say_the_same(bytes line, bytes other) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(line)
    if PyBytes_GET_SIZE(other) != size:
        return False
    return memcmp(PyBytes_AS_STRING(line) + WEIGHT, PyBytes_AS_STRING(other) + WEIGHT, size - WEIGHT) == 0


cdef Py_ssize_t _passed(bytes line, Py_ssize_t place, object word) except -1:
    """Where the next word of a line begins, when this one ends before; else 0."""
    cdef bytes written
    cdef const char *at
    cdef Py_ssize_t size
    if _is_ascii(word):
        at, size = <const char *>PyUnicode_DATA(word), PyUnicode_GET_LENGTH(word)
    else:
        written = word.encode("utf-8", "surrogatepass")
        at, size = PyBytes_AS_STRING(written), PyBytes_GET_SIZE(written)
    if PyBytes_GET_SIZE(line) <= place + size or PyBytes_AS_STRING(line)[place + size] != 0:
        return 0
    return place + size + 1 if memcmp(PyBytes_AS_STRING(line) + place, at, size) == 0 else 0


cdef uint64_t _weigh(bytes line) except? 0:
    """What it adds to the digest of its kind; that stands in front of it from now on."""
    cdef uint64_t block[16]
    cdef uint64_t found
    cdef char *at = PyBytes_AS_STRING(line) + WEIGHT
    cdef Py_ssize_t size = PyBytes_GET_SIZE(line) - WEIGHT
    while size and at[size - 1]:
        size -= 1
    size -= 1  # and without what stands between version and digest
    if LITTLE and 0 < size <= BLOCK:
        memset(block, 0, BLOCK)
        memcpy(block, at, size)
        found = weight_of_block(block, size)
    else:
        uid, version, _ = _words(line)
        found = member_weight(uid, version)
    memcpy(PyBytes_AS_STRING(line), &found, WEIGHT)
    return found


cdef inline uint64_t _weight(PyObject *line) noexcept:
    """Of one that was weighed."""
    cdef uint64_t found
    memcpy(&found, PyBytes_AS_STRING(<bytes>line), WEIGHT)
    return found


cdef list _words(bytes line):
    return line[WEIGHT:].decode().split("\0")


class Entry(NamedTuple):
    """A resource as it was last published. `digest` "" means that only its version is known."""

    uid: str
    version: str = ""
    digest: str = ""


cdef class KindLedger:
    """The resources of one kind, as the bus was told."""

    cdef dict _lines, _unnamed  # bytes: weight, uid, version, digest
    cdef uint64_t _sum  # of the weights; all that a digest says of it is 64 bits

    def __init__(self):
        self._lines, self._unnamed = {}, {}

    def __len__(self):
        return len(self._lines) + len(self._unnamed)

    def __iter__(self):
        return chain(self._lines, self._unnamed)

    def begin(self):
        """A listing begins: it has named nothing yet. One that was under way does not count."""
        cdef dict larger = self._lines, smaller = self._unnamed
        if len(larger) < len(smaller):
            larger, smaller = smaller, larger
        larger.update(smaller)
        self._lines, self._unnamed = {}, larger

    def name(self, resource):
        """The listing has it, or what came meanwhile."""
        self._name(resource)

    cdef int _name(self, object resource) except -1:
        cdef PyObject *line
        if not self._unnamed:
            return 0
        line = PyDict_GetItem(self._unnamed, resource)
        if line is not NULL:
            self._lines[resource] = <object>line
            del self._unnamed[resource]
        return 0

    def take_unnamed(self):
        """Of what the listing did not name, the next one; its deletion is published. None: there is no more."""
        if not self._unnamed:
            self._unnamed = {}  # its room stays as large as it was
            return None
        resource, line = self._unnamed.popitem()
        self._sum -= _weight(<PyObject *>line)
        return resource, Entry(*_words(line))

    def find(self, resource):
        """What was last published of a resource."""
        cdef PyObject *line = self._find(resource)
        return None if line is NULL else Entry(*_words(<bytes>line))

    cdef PyObject *_find(self, object resource) noexcept:
        cdef PyObject *line = PyDict_GetItem(self._lines, resource)
        return line if line is not NULL else PyDict_GetItem(self._unnamed, resource)

    def has(self, resource, str uid not None, str version not None):
        """Whether it was published at this version."""
        cdef PyObject *line = self._find(resource)
        cdef Py_ssize_t place
        if line is NULL:
            return False
        place = _passed(<bytes>line, WEIGHT, uid)
        return place > 0 and _passed(<bytes>line, place, version) > 0

    def put(self, state):
        """A state is published and named; how it differs from what was. Not when it is "recreated"."""
        cdef PyObject *one = <PyObject *>state
        cdef PyObject *known
        cdef object resource
        cdef bytes line
        cdef uint64_t former = 0
        if type(state) is not _state:
            raise TypeError(f"{type(state).__name__} is no state")
        resource, line = <object>field_at(one, RESOURCE), _line_of(one)
        self._name(resource)
        known = PyDict_GetItem(self._lines, resource)
        if known is not NULL:
            if _say_the_same(<bytes>known, line):
                return "same"
            if not _passed(<bytes>known, WEIGHT, <object>field_at(one, UID)):
                return "recreated"
            former = _weight(known)
        self._keep(resource, line, former)
        return "changed"

    def note(self, resource, entry):
        """Keep and name an entry; one without a version stands for a resource that exists and could not be told."""
        cdef PyObject *known
        self._name(resource)
        known = PyDict_GetItem(self._lines, resource)
        self._keep(resource, _joined("\0".join(entry)), 0 if known is NULL else _weight(known))

    cdef int _keep(self, object resource, bytes line, uint64_t former) except -1:
        cdef uint64_t weight = _weigh(line)
        self._lines[resource] = line
        self._sum += weight - former
        return 0

    def remove(self, resource):
        """The deletion is published."""
        self._name(resource)
        line = self._lines.pop(resource, None)
        if line is None:
            return None
        self._sum -= _weight(<PyObject *>line)
        return Entry(*_words(line))

    def digest(self):
        """What a receiver that missed nothing computes as well (events.kind_digest)."""
        return weighed(len(self), self._sum)
