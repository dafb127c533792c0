# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""stating.py again, in C: fields of structures where they stand, and no object on the way to what is kept.

Whatever is no plain text, number or dictionary is treated as there. test_stating.py holds both to the same states.
"""

import sys
from collections.abc import Mapping

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_CheckExact, PyDict_GetItem, PyDict_Next
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport uint16_t

from schemas.events import ResourceState
from schemas.identity import KindId
from schemas.relations.health import health, is_unwell
from schemas.relations.run import Rested, Run
from schemas.relations.selector import NAME_LABEL, labels_of

cdef extern from "Python.h":
    object PyObject_Vectorcall(object, PyObject *const *, size_t, PyObject *)
    bint PyUnicode_CheckExact(object) noexcept

include "schemas/native/fields.pxi"

NAMESPACE = KindId("Namespace")
cdef object _state = ResourceState, _rested = Rested, _run = Run, _health = health, _is_unwell = is_unwell
cdef str _uid = "uid", _version = "resourceVersion", _going = "deletionTimestamp", _finalizers = "finalizers"
cdef str _status = "status"
cdef tuple _none = ()

cdef Py_ssize_t RUN_NAME = offset_of(Run.name), RUN_BODY = offset_of(Run.body), RUN_FOUND = offset_of(Run.found)
cdef Py_ssize_t RUN_VALUES = offset_of(Run.values), RUN_RESOURCE = offset_of(Run.resource)
cdef Py_ssize_t RUN_METADATA = offset_of(Run.metadata), RUN_LABELS = offset_of(Run.labels)
assert min(RUN_NAME, RUN_BODY, RUN_FOUND, RUN_VALUES, RUN_RESOURCE, RUN_METADATA, RUN_LABELS) > 0

cdef enum:
    STATE_FIELDS = 13
    RESTED_FIELDS = 9
assert len(ResourceState.__struct_fields__) == STATE_FIELDS and len(Rested.__struct_fields__) == RESTED_FIELDS
cdef Py_ssize_t RESTED_DIGEST = offset_of(Rested.digest), RESTED_REFERENCES = offset_of(Rested.references)
cdef Py_ssize_t RESTED_LABELS = offset_of(Rested.labels), RESTED_TEMPLATE = offset_of(Rested.template_labels)
cdef Py_ssize_t RESTED_PARTS = offset_of(Rested.parts), RESTED_FINALIZERS = offset_of(Rested.finalizers)
cdef Py_ssize_t RESTED_GRANTS = offset_of(Rested.grants)
assert min(RESTED_DIGEST, RESTED_REFERENCES, RESTED_LABELS, RESTED_TEMPLATE, RESTED_PARTS, RESTED_FINALIZERS) > 0
assert RESTED_GRANTS > 0


@cython.final
cdef class Stating:
    """How states of one kind are made, read at one version of it."""

    cdef bint is_namespace, never
    cdef str version, kind
    cdef tuple parts, names, flags  # names: of the facts
    cdef list part_slots
    cdef bytes slots, offers  # of the facts; of each slot whether a part is made of it
    cdef frozenset open
    cdef object template, replicas
    cdef Py_ssize_t slots_count
    cdef tuple nothing  # as many slots with nothing in them as the last object had

    def __init__(self, head, version, facts):
        self.is_namespace, self.version, self.kind, self.never = head == NAMESPACE, version, facts.kind, facts.never
        self.parts, self.part_slots = tuple([one for one, _ in facts.parts]), [_packed(one) for _, one in facts.parts]
        self.names, self.slots = tuple([one for one, _ in facts.facts]), _packed([one for _, one in facts.facts])
        self.flags, self.open, self.slots_count = facts.flags, facts.open, facts.slots_count
        self.offers = bytes([one in facts.offers for one in range(self.slots_count)])
        self.template, self.replicas, self.nothing = facts.template, facts.replicas, _none

    def said(self, run):
        """The slots without those of parts, which lie among values that nobody is to keep."""
        cdef list values = self.values_of(run)
        cdef const char *offers = PyBytes_AS_STRING(self.offers)
        cdef Py_ssize_t place, size = PyList_GET_SIZE(values)
        cdef tuple made = None
        cdef object value
        if PyTuple_GET_SIZE(self.nothing) != size:
            self.nothing = (None,) * size
        for place in range(size):
            value = <object>PyList_GET_ITEM(values, place)
            if value is not None and (place >= self.slots_count or not offers[place]):
                break
        else:
            return self.nothing
        made = PyTuple_New(size)
        for place in range(size):
            value = None if place < self.slots_count and offers[place] else <object>PyList_GET_ITEM(values, place)
            Py_INCREF(value)
            PyTuple_SET_ITEM(made, place, value)
        return made

    cdef list values_of(self, run):
        """What was found by slot, of what is certainly a run that has them all."""
        cdef list values
        if type(run) is not _run:
            raise TypeError(f"{type(run).__name__} is no run")
        values = <list?>field_at(<PyObject *>run, RUN_VALUES)
        if PyList_GET_SIZE(values) < self.slots_count:
            raise ValueError(f"{PyList_GET_SIZE(values)} slots are too few for {self.kind}")
        return values

    def rested(self, run, str digest not None, list found not None, tuple values not None, tuple grants not None, mark):
        """What does not change by itself."""
        cdef list read = self.values_of(run)
        cdef object metadata = _at(run, RUN_METADATA), labels = _at(run, RUN_LABELS), template = None
        cdef object references = tuple(found), parts, finalizers = _get(metadata, _finalizers)
        cdef PyObject *fields[RESTED_FIELDS]
        if labels is None:
            labels = labels_of(_get(metadata, "labels"))
        if self.is_namespace:
            labels = {**labels, NAME_LABEL: _at(run, RUN_NAME)}  # the API server sets it on every one
        if self.template is not None:
            template = _labels(read[self.template])
        parts = self._parts(read)
        finalizers = tuple([str(one) for one in finalizers]) if isinstance(finalizers, list) else _none
        fields[0], fields[1], fields[2] = <PyObject *>digest, <PyObject *>references, <PyObject *>values
        fields[3], fields[4], fields[5] = <PyObject *>labels, <PyObject *>template, <PyObject *>parts
        fields[6], fields[7], fields[8] = <PyObject *>finalizers, <PyObject *>grants, <PyObject *>mark
        return PyObject_Vectorcall(_rested, fields, RESTED_FIELDS, NULL)

    def told(self, run, rested):
        """All of it."""
        cdef list values = self.values_of(run), found = <list?>_at(run, RUN_FOUND)
        cdef PyObject *kept = <PyObject *>rested
        cdef object metadata = _at(run, RUN_METADATA), references, facts, uid, version, is_going
        cdef PyObject *fields[STATE_FIELDS]
        if type(rested) is not _rested:
            raise TypeError(f"{type(rested).__name__} is nothing kept")
        references = <object>field_at(kept, RESTED_REFERENCES)
        if PyList_GET_SIZE(found):
            references = (*references, *found)
        uid, version = _text(_get(metadata, _uid)), _text(_get(metadata, _version))
        is_going = _get(metadata, _going) is not None
        facts = self._facts(values, _at(run, RUN_BODY), metadata)
        fields[0], fields[1] = field_at(<PyObject *>run, RUN_RESOURCE), <PyObject *>self.version
        fields[2], fields[3], fields[4] = <PyObject *>uid, <PyObject *>version, field_at(kept, RESTED_DIGEST)
        fields[5], fields[6] = <PyObject *>is_going, field_at(kept, RESTED_LABELS)
        fields[7], fields[8], fields[9], fields[10] = (
            field_at(kept, RESTED_TEMPLATE), <PyObject *>references, field_at(kept, RESTED_PARTS), <PyObject *>facts
        )
        fields[11], fields[12] = field_at(kept, RESTED_FINALIZERS), field_at(kept, RESTED_GRANTS)
        return PyObject_Vectorcall(_state, fields, STATE_FIELDS, NULL)

    cdef dict _parts(self, list values):
        """What others can need of it; a map at a path offers its keys."""
        cdef dict made = {}, found
        cdef bytes slots
        cdef const uint16_t *places
        cdef Py_ssize_t row, place
        cdef object part, value
        for row in range(PyTuple_GET_SIZE(self.parts)):
            part, slots = <object>PyTuple_GET_ITEM(self.parts, row), <bytes>PyList_GET_ITEM(self.part_slots, row)
            places = <const uint16_t *>PyBytes_AS_STRING(slots)
            found = None
            for place in range(PyBytes_GET_SIZE(slots) // 2):
                value = <object>PyList_GET_ITEM(values, places[place])
                if value is not None:
                    found = _offered(value, {} if found is None else found)
            if found:
                made[part] = tuple(found)
            elif part not in self.open:
                made[part] = _none
        return made

    cdef dict _facts(self, list values, object body, object metadata):
        """The facts; what is absent is left out."""
        cdef dict made = {}
        cdef const uint16_t *slots = <const uint16_t *>PyBytes_AS_STRING(self.slots)
        cdef Py_ssize_t row
        cdef bint flag
        cdef object name, slot, value, conditions, holds, anyway, words, status
        for row in range(PyTuple_GET_SIZE(self.names)):
            value = <object>PyList_GET_ITEM(values, slots[row])
            if value is None:
                continue
            name = <object>PyTuple_GET_ITEM(self.names, row)
            if PyUnicode_CheckExact(value) or isinstance(value, (str, int, float)):  # which truth values are, too
                made[name] = value
            elif isinstance(value, dict):
                for key, one in value.items():
                    if isinstance(one, (str, int)):
                        made[f"{name}.{key}"] = one
        if self.never:
            made["recurs"] = False
        for name, conditions in self.flags:
            flag = True
            for slot, holds, anyway, words in conditions:
                flag = flag and (holds(values[slot]) or (anyway is not None and values[anyway] in words))
            made[name] = flag
        if _status in body:
            status = body[_status]
            if self.replicas is not None:
                made["health"] = _health(self.kind, values[self.replicas], metadata, status)
            if _is_unwell(self.kind, status):
                made["unwell"] = True
        return made


cdef bytes _packed(slots):
    """Numbers of slots, sixteen bits each."""
    return b"".join([int(one).to_bytes(2, sys.byteorder) for one in slots])

cdef inline object _at(run, Py_ssize_t offset):
    return <object>field_at(<PyObject *>run, offset)

cdef inline object _get(mapping, str key):
    """A field of what is mostly a dictionary; None: it is not there."""
    cdef PyObject *found
    if not PyDict_CheckExact(mapping):
        return mapping.get(key)
    found = PyDict_GetItem(mapping, key)
    return None if found is NULL else <object>found

cdef inline object _text(value):
    return value if PyUnicode_CheckExact(value) else str(value or "")

cdef object _labels(value):
    """As labels_of."""
    cdef PyObject *key
    cdef PyObject *one
    cdef Py_ssize_t place = 0
    if not PyDict_CheckExact(value):
        return labels_of(value)
    while PyDict_Next(value, &place, &key, &one):
        if not (PyUnicode_CheckExact(<object>key) and PyUnicode_CheckExact(<object>one)):
            return labels_of(value)
    return (<dict>value).copy()

cdef dict _offered(rows, dict found):
    """With what is offered at one slot: a list, or whatever can be gone through."""
    cdef PyObject *key
    cdef PyObject *one
    cdef Py_ssize_t place
    for value in rows if rows else _none:
        if PyUnicode_CheckExact(value):
            found[value] = None
        elif PyDict_CheckExact(value):
            place = 0
            while PyDict_Next(value, &place, &key, &one):
                found[<object>key if PyUnicode_CheckExact(<object>key) else str(<object>key)] = None
        elif not isinstance(value, (str, int)) and isinstance(value, Mapping):
            for name in value:
                found[str(name)] = None
        else:
            found[str(value)] = None
    return found
