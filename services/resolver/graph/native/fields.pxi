"""What Record.__eq__ and Record.is_later say, by fields where they stand."""

include "schemas/native/fields.pxi"

cdef Py_ssize_t PLACE_KIND = offset_of(Place.kind), PLACE_NAMESPACE = offset_of(Place.namespace)
cdef Py_ssize_t RECORD_LINE = offset_of(Record.line), RECORD_LABELS = offset_of(Record.labels)
cdef Py_ssize_t RECORD_TEMPLATE = offset_of(Record.template_labels), RECORD_TRAITS = offset_of(Record.traits)
cdef Py_ssize_t RECORD_SHAPE = offset_of(Record.shape), RECORD_TARGETS = offset_of(Record.targets)
cdef Py_ssize_t SHAPE_FORMS = offset_of(Shape.forms), SHAPE_SELECTS = offset_of(Shape.selects)
cdef Py_ssize_t SHAPE_USED = offset_of(Shape.used), SHAPE_OWNING = offset_of(Shape.owning)
cdef Py_ssize_t FIELD_GROUPS = offset_of(Field.groups), FIELD_POSTINGS = offset_of(Field.postings)
cdef Py_ssize_t HUB_SOURCES = offset_of(Hub.sources)
cdef Py_ssize_t LAYOUT_SHAPE = offset_of(Layout.shape), LAYOUT_ORDER = offset_of(Layout.order)
assert min(HUB_SOURCES, LAYOUT_SHAPE, LAYOUT_ORDER, FIELD_GROUPS, FIELD_POSTINGS, PLACE_KIND, PLACE_NAMESPACE) > 0
assert min(RECORD_LINE, RECORD_LABELS, RECORD_TEMPLATE, RECORD_TRAITS) > 0
assert min(RECORD_SHAPE, RECORD_TARGETS, SHAPE_FORMS, SHAPE_SELECTS, SHAPE_USED, SHAPE_OWNING) > 0

cdef bint _equal(PyObject *one, PyObject *other) except -1:
    """Whether two records say the same."""
    return (
        _same(one, other, RECORD_LINE) and field_at(one, RECORD_SHAPE) == field_at(other, RECORD_SHAPE)
        and _same(one, other, RECORD_LABELS) and _same(one, other, RECORD_TEMPLATE) and _same(one, other, RECORD_TRAITS)
        and _same(one, other, RECORD_TARGETS)
    )

cdef inline Py_ssize_t _item(PyObject *numbers, Py_ssize_t at) except? -1:
    """One of a tuple of numbers."""
    return PyLong_AsLong(<object>PyTuple_GET_ITEM(<object>numbers, at))

cdef inline bint _same(PyObject *one, PyObject *other, Py_ssize_t offset) except -1:
    return PyObject_RichCompareBool(<object>field_at(one, offset), <object>field_at(other, offset), Py_EQ)

cdef bint _is_later(PyObject *old, PyObject *new) except -1:
    """As Record.is_later."""
    cdef bytes was = <object>field_at(old, RECORD_LINE), now = <object>field_at(new, RECORD_LINE)
    return (
        field_at(old, RECORD_TRAITS) == field_at(new, RECORD_TRAITS)
        and field_at(old, RECORD_LABELS) == field_at(new, RECORD_LABELS)
        and field_at(old, RECORD_TEMPLATE) == field_at(new, RECORD_TEMPLATE)
        and field_at(old, RECORD_SHAPE) == field_at(new, RECORD_SHAPE)
        and PyBytes_GET_SIZE(was) >= UUID_LINE_LEN and PyBytes_GET_SIZE(now) >= UUID_LINE_LEN
        and memcmp(PyBytes_AS_STRING(now), b"\x93\xc4\x10", 3) == 0
        and memcmp(PyBytes_AS_STRING(was), PyBytes_AS_STRING(now), UUID_LINE_LEN) == 0
        and _same(old, new, RECORD_TARGETS)
    )
