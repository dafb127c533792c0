# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""lines.py again, in C: the same of lines that are plain ASCII; what is not is left to what lines.py does."""

from cpython.object cimport PyObject
from libc.string cimport memchr, memcmp, memcpy

from schemas.events import ResourceState, member_weight

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
cdef object _state = ResourceState
cdef Py_ssize_t UID = offset_of(ResourceState.uid), VERSION = offset_of(ResourceState.resource_version)
cdef Py_ssize_t DIGEST = offset_of(ResourceState.digest)
assert min(UID, VERSION, DIGEST) > 0


cdef inline bint _is_ascii(object text) noexcept:
    return PyUnicode_CheckExact(text) and PyUnicode_IS_COMPACT_ASCII(text)


cdef inline char *_bytes(object text) noexcept:
    return <char *>PyUnicode_DATA(text)


cdef inline Py_ssize_t _cut(object line) noexcept:
    """Where its uid ends, or how long it is."""
    cdef char *at = _bytes(line)
    cdef char *found = <char *>memchr(at, 0, PyUnicode_GET_LENGTH(line))
    return PyUnicode_GET_LENGTH(line) if found is NULL else found - at


def line_of(state):
    """The line of a state."""
    cdef PyObject *one = <PyObject *>state
    cdef object uid, version, digest
    cdef str made
    cdef Py_ssize_t first, second, third
    cdef char *at
    if type(state) is not _state:
        raise TypeError(f"{type(state).__name__} is no state")
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


def is_at(str line not None, str uid not None, str version not None):
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


def are_of_one(str line not None, str other not None):
    """Whether both are of the same object."""
    cdef Py_ssize_t first
    if not (_is_ascii(line) and _is_ascii(other)):
        return line.partition("\0")[0] == other.partition("\0")[0]
    first = _cut(line)
    return first == _cut(other) and memcmp(_bytes(line), _bytes(other), first) == 0


def weight(str line not None):
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
