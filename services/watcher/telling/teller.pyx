# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""teller.py again, in C: the very same bytes, without an object for each thing in them. See there what it is for.

    event ─▶ labels, traits: written, found by their bytes ─▶ references: shape found by its words ─▶ the event's own line

Texts go into a buffer as they stand when they are plain ASCII and nothing in them is escaped. Whatever else is met,
msgspec writes. test_teller.py holds both to the same bytes. native/ holds its pieces.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_CheckExact, PyDict_Next, PyDict_Size
from cpython.list cimport PyList_GET_ITEM
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

import msgspec

from schemas.batches import SCHEMA, Fact, ReferenceForm, Traits
from schemas.events import Reference, ResourceEvent, ResourceState
from schemas.identity import ResourceId

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object) noexcept
    bint PyUnicode_IS_COMPACT_ASCII(object) noexcept
    void *PyUnicode_DATA(object) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object) noexcept
    bint PyLong_CheckExact(object) noexcept
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1

KEYS_MAX = 4_096
SHAPES_MAX = 4_096
WRITTEN_MAX = 16_384
NONE = (0, b"")
cdef enum:
    ENTRY_BUCKETS = 8192  # so many that there is rarely another one to look at
    SHAPE_BUCKETS = 1024
    KEPT_BYTES_MAX = 65536  # of a buffer, from one event to the next

cdef object _encode = msgspec.json.Encoder().encode
cdef object _empty = "", _no_tuple = ()
cdef object _event = ResourceEvent, _state = ResourceState, _reference = Reference

include "schemas/native/fields.pxi"
include "schemas/native/hashing.pxi"
include "native/places.pxi"
include "native/writing.pxi"
include "native/shapes.pxi"
include "native/joining.pxi"


@cython.final
@cython.no_gc
@cython.freelist(512)
cdef class Told:
    """An event as it is written, and the entries of the tables that it needs (None: none)."""

    cdef readonly Py_ssize_t size
    cdef readonly bytes fact
    cdef Entry _labels, _template, _traits, _shape

    @property
    def labels(self):
        """Key and bytes; NONE when there are none. So are the others."""
        return _pair(self._labels)

    @property
    def template_labels(self):
        return _pair(self._template)

    @property
    def traits(self):
        return _pair(self._traits)

    @property
    def shape(self):
        return _pair(self._shape)


cdef class Teller:
    """Gives keys to what recurs: equal bytes have one key as long as they are remembered, and no key is given twice."""

    cdef Buffer _out
    cdef Entries _entries
    cdef Shapes _shapes
    cdef dict _written  # by the id of references
    cdef PyObject *_first  # told least lately
    cdef PyObject *_last

    def __init__(self):
        self._out, self._entries, self._shapes, self._written = Buffer(), Entries(), Shapes(), {}

    def tell(self, event):
        """How an event is written."""
        cdef PyObject *state
        cdef PyObject *op
        if not is_a(<PyObject *>event, <PyObject *>_event):
            raise TypeError(f"{type(event).__name__} is no event")
        op, state = field_at(<PyObject *>event, EVENT_OP), field_at(<PyObject *>event, EVENT_STATE)
        if <object>state is None or <object>op != "put":
            return self._other(event)
        if not is_a(state, <PyObject *>_state):
            raise TypeError(f"{type(<object>state).__name__} is no state")
        return self._put(state)

    cdef Told _other(self, event):
        cdef Told told = Told.__new__(Told)
        own = (event.resource, event.uid, event.resource_version)
        told.fact = _encode(Fact(event.op, *own, kind=event.kind, surface=event.surface, read_by=event.read_by))
        told.size = PyBytes_GET_SIZE(told.fact)
        return told

    cdef Told _put(self, PyObject *state):
        cdef Told told = Told.__new__(Told)
        cdef Buffer out = self._out
        cdef PyObject *labels = field_at(state, STATE_LABELS)
        cdef PyObject *template = field_at(state, STATE_TEMPLATE)
        cdef PyObject *references = field_at(state, STATE_REFERENCES)
        cdef Written written = None
        if <object>labels:
            out.begin()
            out.mapping(labels)
            told._labels = self._entries.find(out)
        if <object>template is not None:
            out.begin()
            out.mapping(template)
            told._template = self._entries.find(out)
        out.begin()
        out.traits(state)
        told._traits = self._entries.find(out)
        if <object>references:
            written = self._references(references)
            told._shape = written.shape
        out.begin()
        out.raw(b'{"op":"put"', 11)
        out.field(b',"resource":', 12, field_at(state, STATE_RESOURCE))
        out.field(b',"uid":', 7, field_at(state, STATE_UID))
        out.field(b',"resource_version":', 20, field_at(state, STATE_VERSION))
        out.field(b',"digest":', 10, field_at(state, STATE_DIGEST))
        if told._labels is not None:
            out.key(b',"labels":', 10, told._labels.key)
        if told._template is not None:
            out.key(b',"template_labels":', 19, told._template.key)
        out.key(b',"traits":', 10, told._traits.key)
        if written is not None:
            out.key(b',"shape":', 9, told._shape.key)
            out.raw(PyBytes_AS_STRING(written.named), PyBytes_GET_SIZE(written.named))
        out.raw(b"}", 1)
        told.fact = PyBytes_FromStringAndSize(out.at, out.size)
        told.size = out.size + _size(told._labels) + _size(told._template) + _size(told._traits) + _size(told._shape)
        return told

    cdef Written _references(self, PyObject *references):
        """How they are written; the same ones are when they come again. Who was told last comes last."""
        cdef object key = <size_t>references
        cdef Written written
        found = self._written.get(key)
        if found is not None:
            written = found
            if <PyObject *>written is not self._last:
                self._unlink(written)
                self._link(written)
            return written
        if not PyTuple_CheckExact(<object>references):
            raise TypeError("references are a tuple")
        if len(self._written) >= WRITTEN_MAX and self._first is not NULL:
            written = <Written>self._first
            self._unlink(written)
            del self._written[<size_t><PyObject *>written.references]
        written = Written.__new__(Written)
        written.references = <tuple>references  # so that its id is nobody else's
        written.shape = self._shapes.find(references, self._entries)
        written.named = self._out.named(references)
        self._written[key] = written
        self._link(written)
        return written

    cdef void _link(self, Written one) noexcept:
        one.before, one.after = self._last, NULL
        if self._last is NULL:
            self._first = <PyObject *>one
        else:
            (<Written>self._last).after = <PyObject *>one
        self._last = <PyObject *>one

    cdef void _unlink(self, Written one) noexcept:
        if one.before is NULL:
            self._first = one.after
        else:
            (<Written>one.before).after = one.after
        if one.after is NULL:
            self._last = one.before
        else:
            (<Written>one.after).before = one.before


cdef inline tuple _pair(Entry entry):
    return NONE if entry is None else (entry.key, entry.written)


cdef inline Py_ssize_t _size(Entry entry) noexcept:
    return 0 if entry is None else PyBytes_GET_SIZE(entry.written)


def encode_batch(batch):
    """Batch → JSON bytes."""
    tell = Teller().tell
    return join(batch.site, batch.epoch, batch.seq, batch.prev_hash, tuple([tell(one) for one in batch.events]))
