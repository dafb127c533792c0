# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, nonecheck=False
"""Batches as watchers write them, read and taken in without an object for each thing in them. See quick.py.

    bytes ─▶ lines: where each text stands, which keys ─▶ numbers ─▶ records ─▶ rows, labels, edges, digests

It reads one way of writing a batch: that of the watcher (telling/teller.py), fields in their order, plain ASCII. Whatever else is
met, or lacks something, is left whole to the plain way (reading.py), which says what is wrong with it. What is taken in
here is what taking.py does, step by step: test_graph_reading.py holds both to the same graph.

native/ holds its pieces, which become one module with it.
"""

from collections.abc import Sequence

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Next, PyDict_SetItem
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport Py_EQ, PyObject, PyObject_RichCompareBool
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

import msgspec

from schemas.batches import Fact, check
from schemas.envelope import MESSAGE_BYTES_MAX, MessageError
from schemas.events import BATCH_EVENTS_MAX, Selector, member_weight
from services.resolver.graph import kept
from services.resolver.graph.changed import Changed
from services.resolver.graph.columns import NO_COLUMNS
from services.resolver.graph.forms import short
from services.resolver.graph.kept import Field, Hub, Layout, Place, Record, Shape
from services.resolver.graph.label_index import POD
from services.resolver.graph.names cimport Names
from services.resolver.graph.packed import PACKED_MAX
from services.resolver.graph.packing import pack, pack_line
from services.resolver.graph.reading import Read

cdef extern from "Python.h":
    PyObject *PyDict_SetDefault(object, object, object) except NULL
    long PyLong_AsLong(object) except? -1
    object PyObject_Vectorcall(object, PyObject *const *, size_t, PyObject *)

cdef enum:
    FEW = 128  # packed.py: numbers in one object
    UUID_LINE_LEN = 19  # kept.py
    TEXTS_MAX = 65536  # targets and uids in one batch
    LAYOUTS_MAX = 257  # in one batch: one for each event, and none
    SELECTORS_MAX = 1024  # that were read lately
    SHARED_MAX = 16384  # uids that were named lately

assert FEW == PACKED_MAX and UUID_LINE_LEN == kept.UUID_LINE_LEN

cdef object _record = Record, _hub = Hub, _pods = POD
cdef object _decode_fact = msgspec.json.Decoder(Fact).decode
cdef object _decode_selector = msgspec.json.Decoder(Selector).decode

include "native/fields.pxi"
include "native/texts.pxi"
include "native/tables.pxi"
include "native/lines.pxi"
include "native/rows.pxi"
include "native/sums.pxi"


cdef class Quick:
    """Of one graph, whose parts it changes."""

    cdef Names names
    cdef object records, reading, linking, links, selecting, labels, digests, listings, states
    cdef list rows
    cdef dict shared, _selectors

    def __init__(self, inside):
        self.names, self.records, self.reading, self.linking, self.digests, self.listings, self.states = inside
        self.links, self.selecting = self.linking.links, self.linking.selecting
        self.labels = self.selecting.labels
        self.rows = self.records.rows
        self.shared, self._selectors = {}, {}

    def read(self, bytes payload not None):
        """Bytes → a batch that is one; None: the plain way is to look at it."""
        cdef Cursor cursor
        cdef Text site, hashed
        cdef uint64_t epoch = 0, seq = 0
        cdef Lines lines
        cursor.at = PyBytes_AS_STRING(payload)
        cursor.end = cursor.at + PyBytes_GET_SIZE(payload)
        if PyBytes_GET_SIZE(payload) > MESSAGE_BYTES_MAX:
            return None
        if not (_word(&cursor, b'{"schema":"event/v1","site":', 28) and _text(&cursor, &site)):
            return None
        if not (_word(&cursor, b',"epoch":', 9) and _number(&cursor, &epoch)):
            return None
        if not (_word(&cursor, b',"seq":', 7) and _number(&cursor, &seq)):
            return None
        if not (_word(&cursor, b',"prev_hash":', 13) and _text(&cursor, &hashed)):
            return None
        if not _word(&cursor, b',"events":[', 11):
            return None
        lines = Lines(payload)
        if not lines.events(&cursor):
            return None
        self.reading.bound()
        try:
            if not self._tables(&cursor, lines) or not self._is_whole(lines):
                return None
        except (MessageError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None  # the plain way says which
        drifting = self.reading.drifting
        if drifting and not drifting.isdisjoint(lines.traits.values):
            lines.drifting = [one in drifting for one in lines.traits.values]
        return Read(
            _string(&site), epoch, seq, _string(&hashed), Facts(lines, 0, lines.count), NO_COLUMNS, frozenset(),
            {}, {}, {}, lines,
        )

    cdef bint _tables(self, Cursor *cursor, Lines lines) except -1:
        reading = self.reading
        empty_labels, empty_traits, empty_layout = reading.nothing()
        lines.labels.begin(2 * lines.count, empty_labels)
        lines.traits.begin(lines.count, empty_traits)
        lines.layouts.begin(lines.count, empty_layout)
        if _word(cursor, b',"labels":', 10):
            if not lines.table(cursor, lines.labels, reading.labels, reading.labels_of, True):
                return False
        if _word(cursor, b',"traits":', 10):
            if not lines.table(cursor, lines.traits, reading.traits, reading.traits_of, False):
                return False
        if _word(cursor, b',"shapes":', 10):
            if not lines.table(cursor, lines.layouts, reading.layouts, reading.layout_of, False):
                return False
        return _word(cursor, b"}", 1) and cursor.at == cursor.end

    cdef bint _is_whole(self, Lines lines) except -1:
        """Whether all lack nothing; keys become places of their entries."""
        cdef Py_ssize_t at
        cdef Line *line
        cdef uint32_t *needed
        cdef uint32_t one, text
        cdef list layouts = lines.layouts.values
        cdef dict known = self._selectors
        cdef bytes written
        cdef uint32_t counts[3 * LAYOUTS_MAX]
        for at in range(PyList_GET_SIZE(layouts)):
            counts[3 * at], counts[3 * at + 1], counts[3 * at + 2] = layouts[at].counts
        if len(known) > SELECTORS_MAX:
            known.clear()
        for at in range(lines.count):
            line = &lines.lines[at]
            if not line.put:
                check(at, lines.fact(at), ((), ()), None)
                continue
            if not (lines.labels.find(&line.labels) and lines.labels.find(&line.template)):
                return False
            if not (lines.traits.find(&line.traits) and lines.layouts.find(&line.shape)):
                return False
            needed = &counts[3 * line.shape]
            if needed[0] != line.targets or needed[1] != line.uids or needed[2] != line.selectors:
                return False
            for one in range(line.selectors):
                text = line.first_text + line.targets + line.uids + one
                written = _bytes(&lines.texts[text])
                if written not in known:
                    known[written] = pack(_decode_selector(written))
                lines.texts[text].size = <uint32_t>len(lines.selectors)
                lines.selectors.append(known[written])
        return True

    # ── puts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def puts(self, batch, Py_ssize_t first, Py_ssize_t last):
        """Those from place `first` to before `last`; step by step as taking.py does it."""
        cdef Lines lines = batch.lines
        cdef list rows = self.rows, numbers = [], records = [], seen = []
        cdef dict fresh = {}
        cdef Py_ssize_t at, number
        cdef PyObject *old
        cdef object new, changed, mine
        cdef bint under_way = self.listings.under_way, drifts, is_new
        cdef int added = 0
        cdef Sums sums = Sums(self.digests)
        if len(self.shared) > SHARED_MAX:
            self.shared.clear()
        cdef dict recent = self.records.recent_targets()
        for at in range(first, last):
            numbers.append(self.names.same(self.names.take(lines.lines[at].resource.at, lines.lines[at].resource.size)))
        for at in range(first, last):
            records.append(self._made(lines, &lines.lines[at], numbers[at - first], recent))
        self._grow()
        sums.begin(self.names._count)
        for at in range(first, last):
            mine, new = numbers[at - first], records[at - first]
            number = PyLong_AsLong(mine)
            old = PyList_GET_ITEM(rows, number)
            if under_way:
                self.listings.name((<object>PyList_GET_ITEM(self.names.place, number)).kind, mine)
            is_new = <object>old is None
            if not is_new and _equal(old, <PyObject *>new):
                continue
            sums.put(number, PyList_GET_ITEM(self.names.place, number), _weight(&lines.lines[at]), is_new)
            drifts = bool(lines.drifting) and lines.drifting[lines.lines[at].traits]
            former = <object>old
            if not is_new and not drifts and _is_later(old, <PyObject *>new):
                rows[number] = new
                self.states.forget(mine)
                continue
            if mine in fresh:
                added += self._link(fresh)
            rows[number] = new
            if is_new:
                fresh[mine] = new
            else:
                self.states.forget(mine)
                self.linking.relink(mine, former, new)
            if not is_new or drifts:
                changed = Changed(self.names.resource(number), former, new, self.records)
                if drifts or changed.may_take_away:
                    seen.append((at, (changed,)))
        added += self._link(fresh)
        sums.end()
        return added, seen

    cdef int _grow(self) except -1:
        more = self.names._count - PyList_GET_SIZE(self.rows)
        if more:
            self.rows.extend([None] * more)
            self.links.grow(more)
        return 0

    cdef object _made(self, Lines lines, Line *line, object number, dict recent):
        """The record of a put."""
        cdef PyObject *layout = PyList_GET_ITEM(lines.layouts.values, line.shape)
        cdef object order = <object>field_at(layout, LAYOUT_ORDER), targets, known, template, packed
        cdef Py_ssize_t at, place, count = line.targets + line.uids + line.selectors
        cdef Text *text = &lines.texts[line.first_text]
        cdef PyObject *old
        cdef PyObject *fields[6]
        cdef object one
        cdef uint8_t raw[16]
        targets = PyTuple_New(count)
        for at in range(count):
            place = at if order is None else _item(<PyObject *>order, at)
            if place < line.targets:
                one = self.names.same(self.names.take(text[place].at, text[place].size))
            elif place < line.targets + line.uids:
                one = PyBytes_FromStringAndSize(<char *>raw, 16) if _uuid(&text[place], raw) else None
                one = short(_string(&text[place])) if one is None else one
                one = <object>PyDict_SetDefault(self.shared, one, one)
            else:
                one = self.records.share(<object>PyList_GET_ITEM(lines.selectors, text[place].size))
            Py_INCREF(one)
            PyTuple_SET_ITEM(targets, at, one)
        known = None
        if PyLong_AsLong(number) < PyList_GET_SIZE(self.rows):
            old = PyList_GET_ITEM(self.rows, PyLong_AsLong(number))
            known = None if <object>old is None else <object>field_at(old, RECORD_TARGETS)
        if known is not None and PyObject_RichCompareBool(targets, known, Py_EQ):
            targets = known
        else:
            targets = <object>PyDict_SetDefault(recent, targets, targets)
        packed = _packed_line(line)
        template = None if line.template == 0 else <object>PyList_GET_ITEM(lines.labels.values, line.template)
        fields[0] = <PyObject *>packed
        fields[1] = PyList_GET_ITEM(lines.labels.values, line.labels)
        fields[2] = <PyObject *>template
        fields[3] = PyList_GET_ITEM(lines.traits.values, line.traits)
        fields[4] = field_at(layout, LAYOUT_SHAPE)
        fields[5] = <PyObject *>targets
        return PyObject_Vectorcall(_record, fields, 6, NULL)

    # ── what others are found by ────────────────────────────────────────────────────────────────────────────────────

    cdef int _link(self, dict fresh) except -1:
        """As linking.py does it: labels of all before the first selector, then edges."""
        cdef dict fields = self.labels.fields
        cdef PyObject *number
        cdef PyObject *record
        cdef PyObject *place
        cdef PyObject *kind
        cdef PyObject *found
        cdef Py_ssize_t at = 0, edges = 0, count = len(fresh)
        cdef list choosing = []
        if not count:
            return 0
        self.selecting.changed()
        while PyDict_Next(fresh, &at, &number, &record):
            place = PyList_GET_ITEM(self.names.place, PyLong_AsLong(<object>number))
            kind = field_at(place, PLACE_KIND)
            found = PyDict_GetItem(fields, <object>kind)
            if found is not NULL:
                self._label(<object>found, <object>kind, place, field_at(record, RECORD_LABELS), <object>number)
            if <object>field_at(record, RECORD_TEMPLATE) is not None:
                found = PyDict_GetItem(fields, _pods)
                if found is not NULL:
                    self._label(<object>found, _pods, place, field_at(record, RECORD_TEMPLATE), <object>number)
            edges += PyTuple_GET_SIZE(<object>field_at(field_at(record, RECORD_SHAPE), SHAPE_FORMS))
            if <object>field_at(field_at(record, RECORD_SHAPE), SHAPE_SELECTS) is True:
                choosing.append(<object>number)
        self.links.edge_count += edges
        for one in choosing:
            self.linking.link_selectors(one, fresh[one])
        self._name(fresh, SHAPE_USED, self.links.users)
        self._name(fresh, SHAPE_OWNING, self.links.children)
        fresh.clear()
        return <int>count

    cdef int _label(self, object fields, object kind, PyObject *place, PyObject *labels, object number) except -1:
        """As LabelIndex.put, where others with these labels are there already."""
        cdef PyObject *field = PyDict_GetItem(fields, <object>field_at(place, PLACE_NAMESPACE))
        cdef PyObject *group
        cdef object groups, made
        cdef Py_ssize_t at, count
        cdef uint32_t mine = <uint32_t>PyLong_AsLong(number)
        cdef uint32_t *there
        if field is not NULL:
            groups = <object>field_at(field, FIELD_GROUPS)
            group = PyDict_GetItem(groups, <object>labels)
            if group is NULL:
                if not <object>field_at(field, FIELD_POSTINGS):
                    PyDict_SetItem(groups, <object>labels, number)
                    return 0
            elif type(<object>group) is dict:
                PyDict_SetItem(<object>group, number, None)
                return 0
            elif type(<object>group) is int:
                if <uint32_t>PyLong_AsLong(<object>group) != mine:
                    made = PyBytes_FromStringAndSize(NULL, 8)
                    there = <uint32_t *>PyBytes_AS_STRING(made)
                    there[0], there[1] = <uint32_t>PyLong_AsLong(<object>group), mine
                    PyDict_SetItem(groups, <object>labels, made)
                return 0
            else:
                count = PyBytes_GET_SIZE(<object>group) // 4
                there = <uint32_t *>PyBytes_AS_STRING(<object>group)
                for at in range(count):
                    if there[at] == mine:
                        return 0
                if count < FEW:
                    made = PyBytes_FromStringAndSize(NULL, 4 * count + 4)
                    memcpy(PyBytes_AS_STRING(made), there, 4 * count)
                    (<uint32_t *>PyBytes_AS_STRING(made))[count] = mine
                    PyDict_SetItem(groups, <object>labels, made)
                    return 0
        self.labels.put(kind, <object>field_at(place, PLACE_NAMESPACE), <object>labels, number)
        return 0

    cdef int _name(self, dict fresh, Py_ssize_t places_at, object index) except -1:
        """Rows of everything that these name, each made anew once."""
        cdef PyObject *number
        cdef PyObject *record
        cdef PyObject *targets
        cdef PyObject *places
        cdef Py_ssize_t at = 0, one, place, room = 0
        cdef Gathered gathered
        while PyDict_Next(fresh, &at, &number, &record):
            room += PyTuple_GET_SIZE(<object>field_at(field_at(record, RECORD_SHAPE), places_at))
        if not room:
            return 0
        gathered = Gathered(room)
        at = 0
        while PyDict_Next(fresh, &at, &number, &record):
            targets = field_at(record, RECORD_TARGETS)
            places = field_at(field_at(record, RECORD_SHAPE), places_at)
            for one in range(PyTuple_GET_SIZE(<object>places)):
                place = _item(places, one)
                gathered.note(<uint32_t>_item(targets, place), number)
        gathered.into(index, self.names.place, self.rows)
        return 0


