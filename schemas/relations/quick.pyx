# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""Objects read where they stand in the bytes of a watch, without a value for each thing in them. See quick.py.

    line ─▶ where each value stands ─▶ digest, from the bytes ─▶ places of the rules ─▶ references, slots

It reads one way of writing: JSON without white space, plain ASCII, as API servers send it. Whatever else is met is left
to the plain way (extract.py), which says what is wrong. Where rules look at an object as a whole it is decoded for them,
and only for them. What is read here is what the readers of the rules read: test_quick.py holds both to the same states.

native/ holds its pieces, which become one module with it.
"""

import hashlib
from itertools import count

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int16_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy, strncmp

import msgspec

from schemas.events import Reference
from schemas.identity import NAME_LEN_MAX
from schemas.relations.by_name import NameReader, NearNameReader, TypedNameReader
from schemas.relations.by_text import NAMESPACES_MAX, OwnNamespaceReader, TextReader
from schemas.relations.hosts import QUICK
from schemas.relations.places import Slot
from schemas.relations.reading import KINDS_MAX
from schemas.relations.run import Run
from schemas.relations.silence import LOOKS_AT_METADATA, SAYS_BY_VALUE
from schemas.relations.walking import DEPTH_MAX as _DEEP, WIDE
from schemas.ties import DECLARATION

cdef extern from "Python.h":
    object PyObject_Vectorcall(object, PyObject *const *, size_t, PyObject *)
    object PyUnicode_New(Py_ssize_t, Py_UCS4)
    void *PyUnicode_1BYTE_DATA(object) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object) noexcept
    bint PyUnicode_IS_COMPACT_ASCII(object) noexcept
    object PyUnicode_Substring(object, Py_ssize_t, Py_ssize_t)

cdef enum:
    FIELDS_MAX = 64  # of one map; what has more is left to the plain way
    GRANULES_MAX = 8192  # that are remembered
    GRANULE_MAX = 256  # bytes
    HEARD_MAX = 2048  # bytes of a value; what was said of longer ones is not remembered
    HEARD_EACH = 512  # bytes that it takes at most, nearly always, to remember one reference
    HEARD_BYTES_MAX = 16777216
    LINE_BYTES_MAX = 16777216
    PLACES_LATELY = 1024
    LABELS_LATELY = 1024
    LABELS_MAX = 512  # bytes; longer ones are not remembered

cdef dict _heard = {}  # what readers said of values, which is the same wherever these bytes stand in a namespace
cdef Py_ssize_t _heard_bytes = 0
cdef dict _granules = {}  # by part and text: what shares them is found by them (telling/teller.pyx)
cdef list _labels_lately = [None] * LABELS_LATELY  # by a hash of their bytes: these, and what they say
cdef object _numbers = count(1)  # of those who ask
cdef object _decode = msgspec.json.Decoder().decode
cdef object _encode = msgspec.json.Encoder().encode
cdef object _new_hash = hashlib.blake2b(digest_size=12).copy
cdef object _reference = Reference, _no = False
cdef frozenset _HEAD = frozenset(("apiVersion", "kind", "metadata"))
cdef object _undecodable = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
cdef bytes _declaration = DECLARATION.encode()
cdef const char *DECLARATION_AT = PyBytes_AS_STRING(_declaration)
cdef uint32_t DECLARATION_SIZE = <uint32_t>PyBytes_GET_SIZE(_declaration)
cdef tuple _QUICK_ENDINGS = tuple([_ending.encode() for _ending in QUICK])

include "schemas/native/fields.pxi"
include "schemas/native/hashing.pxi"
include "native/tape.pxi"
include "native/written.pxi"
include "native/canonical.pxi"
include "native/glances.pxi"
include "native/ways.pxi"
include "native/naming.pxi"
include "native/spots.pxi"
include "native/known_places.pxi"


assert NAME_LEN_MAX == 253  # glances.pxi


@cython.final
cdef class Quick:
    """How objects of one kind are read so."""

    cdef Spot root
    cdef object rows
    cdef str head
    cdef object namespaced, copied
    cdef frozenset moving  # fields of the status that matter; None: all of it
    cdef bint confidential, reads_all, moves_all

    def __init__(self, head, namespaced, rows, moving, confidential, copied, reads_all, moves_all):
        self.moving = moving
        self.head, self.namespaced, self.confidential, self.copied = head, namespaced, confidential, copied
        self.reads_all, self.moves_all = reads_all, moves_all
        self.rows, self.root = rows, None

    def begin(self, version, kind, Written one not None):
        """Its identity, and what changes by itself; None, here and below: the plain way is to read it."""
        cdef str namespace = one.namespace
        cdef uint32_t at
        cdef dict body = {"apiVersion": version, "kind": kind}, metadata
        if self.root is None:
            self.root, self.rows = _spot_of(self.rows, self.confidential), None
        if not (self._says(one, b"apiVersion", version) and self._says(one, b"kind", kind)):
            return None
        if self.namespaced is not None:
            namespace = (namespace or "default") if self.namespaced else ""
        resource = f"{self.head}/{namespace}/{one.name}" if namespace else f"{self.head}/{one.name}"
        metadata = {"uid": one.uid, "resourceVersion": one.resource_version}
        try:
            if self.moves_all:
                _fill(one, body)
            elif one.status:
                body["status"] = self._status(one)
            at = one.child(one.metadata, b"generation", 10)
            if at:
                metadata["generation"] = _value(one, at)
            at = one.child(one.metadata, b"deletionTimestamp", 17)
            if at:
                metadata["deletionTimestamp"] = _value(one, at)
        except _undecodable:
            return None
        return Run(namespace, one.name, body, [], [], resource, metadata, {})

    cdef object _status(self, Written one):
        """As much of its status as matters."""
        cdef uint32_t at = one.status + 1
        cdef dict found = {}
        cdef str key
        if self.moving is None or one.is_strange or one.nodes[one.status].kind != OBJECT:
            return _value(one, one.status)
        while at < one.nodes[one.status].after:
            if one.nodes[at].key_flags:
                return _value(one, one.status)
            key = _key(one, at)
            if key in self.moving:
                found[key] = _value(one, at)
            at = one.nodes[at].after
        return found

    cdef bint _says(self, Written one, bytes key, str word) except -1:
        """Whether it says of itself what is said of it, or is not asked (items of a list say nothing)."""
        cdef uint32_t at = _child(one, 0, key)
        if at == 0:
            return key not in self.root.keys
        return one.nodes[at].kind == TEXT and not one.nodes[at].flags and _is_written(one, at, word)

    def digest(self, version, kind, Written one not None):
        """Of its content, as extract.py's."""
        cdef Out out
        cdef int is_plain
        cdef tuple words = (_encode(version), _encode(kind))  # there until all is copied
        out.text, out.size, out.room = NULL, 0, 0
        out.since = out.until = one.text + one.nodes[0].start
        try:
            is_plain = _put_object(one, &out, words[0], words[1], self.confidential)
            if is_plain:
                return None
            _flush(&out)
            hashed = _new_hash()
            hashed.update(PyBytes_FromStringAndSize(out.text, out.size))
            return hashed.hexdigest()
        finally:
            PyMem_Free(out.text)

    def walk(self, Written one not None, run):
        """References and slots; False: the plain way is to read it."""
        cdef Course course = Course.__new__(Course)
        cdef uint32_t at
        cdef str namespace = run.namespace
        course.one, course.run, course.found, course.values, course.decoded = one, run, run.found, run.values, {}
        course.namespace = <const char *>PyUnicode_1BYTE_DATA(namespace)
        course.namespace_size = PyUnicode_GET_LENGTH(namespace)
        course.is_named, course.is_filled = is_name(course.namespace, course.namespace_size), self.moves_all
        try:
            if self.reads_all:
                course.fill()
            if self.root.go(course, 0, ()):
                return False
            if self.copied is not None and course.values[self.copied] is not None:
                course.fill()
            at = one.child(one.metadata, b"labels", 6)
            if at and _holds_texts(one, at):
                run.labels = _labels(course, at)
            elif at:
                run.metadata["labels"] = course.value(at)
            at = one.child(one.metadata, b"finalizers", 10)
            if at:
                run.metadata["finalizers"] = course.value(at)
        except _undecodable:
            return False
        return True
