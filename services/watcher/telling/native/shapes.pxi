"""Entries of the tables, found by their bytes; shapes, found by what references say before anything is written."""


@cython.final
@cython.no_gc
cdef class Entry:
    """Of a table: its key, and what stands there."""

    cdef uint64_t key, hashed
    cdef bytes written
    cdef Entry after  # in the same bucket


@cython.final
@cython.no_gc
cdef class Entries:
    """Equal bytes are one entry as long as they are remembered."""

    cdef list _buckets
    cdef Py_ssize_t _count
    cdef uint64_t _last

    def __cinit__(self):
        self._buckets = [None] * ENTRY_BUCKETS

    cdef Entry find(self, Buffer out):
        """Of what was written."""
        cdef uint64_t key = hashed(out.at, out.size, SEED, FACTOR)
        cdef Entry one = <Entry>PyList_GET_ITEM(self._buckets, key & (ENTRY_BUCKETS - 1))
        while one is not None:
            if one.hashed == key and PyBytes_GET_SIZE(one.written) == out.size:
                if memcmp(PyBytes_AS_STRING(one.written), out.at, out.size) == 0:
                    return one
            one = one.after
        if self._count >= KEYS_MAX:
            self._buckets, self._count = [None] * ENTRY_BUCKETS, 0
        self._last += 1
        self._count += 1
        one = Entry.__new__(Entry)
        one.key, one.hashed, one.written = self._last, key, PyBytes_FromStringAndSize(out.at, out.size)
        one.after = self._buckets[key & (ENTRY_BUCKETS - 1)]
        self._buckets[key & (ENTRY_BUCKETS - 1)] = one
        return one


@cython.final
@cython.no_gc
cdef class Written:
    """References as they are written."""

    cdef tuple references
    cdef Entry shape
    cdef bytes named
    cdef PyObject *before  # told before and after these
    cdef PyObject *after


@cython.final
@cython.no_gc
cdef class Shape:
    """What references said, and the entry of their forms."""

    cdef uint64_t hashed
    cdef tuple said  # references; whom they mean does not count, but beside a selector
    cdef Entry entry
    cdef Shape after  # in the same bucket


@cython.final
@cython.no_gc
cdef class Shapes:
    """Replicas say the same: then no form is made and nothing is written."""

    cdef list _buckets
    cdef Py_ssize_t _count

    def __cinit__(self):
        self._buckets = [None] * SHAPE_BUCKETS

    cdef Entry find(self, PyObject *references, Entries entries):
        """The entry of their forms."""
        cdef uint64_t key = _hashed_words(references)
        cdef Shape one = <Shape>PyList_GET_ITEM(self._buckets, key & (SHAPE_BUCKETS - 1))
        cdef Buffer out
        while one is not None:
            if one.hashed == key and _say_the_same(<PyObject *>one.said, references):
                return one.entry
            one = one.after
        if self._count >= SHAPES_MAX:
            self._buckets, self._count = [None] * SHAPE_BUCKETS, 0
        self._count += 1
        out = Buffer()
        forms = [form_of(each) for each in <tuple>references]
        out.encoded(<PyObject *>forms)
        one = Shape.__new__(Shape)
        one.hashed, one.said, one.entry = key, <tuple>references, entries.find(out)
        one.after = self._buckets[key & (SHAPE_BUCKETS - 1)]
        self._buckets[key & (SHAPE_BUCKETS - 1)] = one
        return one.entry


cdef extern from *:
    """
    static inline int is_a(PyObject *one, PyObject *type) { return Py_TYPE(one) == (PyTypeObject *)type; }
    /* Texts keep their hash. */
    static inline Py_hash_t hash_of(PyObject *one) {
        Py_hash_t kept = PyUnicode_CheckExact(one) ? ((PyASCIIObject *)one)->hash : one == Py_False ? 0 : -1;
        return kept != -1 ? kept : PyObject_Hash(one);
    }
    static inline int are_alike(PyObject *one, PyObject *other) {
        if (one == other) return 1;
        if (PyUnicode_CheckExact(one) && PyUnicode_CheckExact(other)
            && PyUnicode_IS_COMPACT_ASCII(one) && PyUnicode_IS_COMPACT_ASCII(other)) {
            Py_ssize_t size = PyUnicode_GET_LENGTH(one);
            return size == PyUnicode_GET_LENGTH(other) && !memcmp(PyUnicode_DATA(one), PyUnicode_DATA(other), size);
        }
        return PyObject_RichCompareBool(one, other, Py_EQ);
    }
    """
    bint is_a(PyObject *, PyObject *) noexcept
    Py_hash_t hash_of(PyObject *) except -1
    int are_alike(PyObject *, PyObject *) except -1

cdef uint64_t FACTORS[WORDS]
for _at in range(WORDS):
    FACTORS[_at] = folded(SEED + <uint64_t>_at, FACTOR) | 1


cdef uint64_t _hashed_words(PyObject *references) except? 0:
    """A hash of all that forms are made of."""
    cdef Py_ssize_t at, word, count = PyTuple_GET_SIZE(<object>references)
    cdef uint64_t found = SEED ^ <uint64_t>count, mine
    cdef PyObject *one
    for at in range(count):
        one = <PyObject *>PyTuple_GET_ITEM(<object>references, at)
        if not is_a(one, <PyObject *>_reference):
            raise TypeError(f"{type(<object>one).__name__} is no reference")
        mine = _is_true(field_at(one, UID))
        for word in range(WORDS):
            mine += <uint64_t>hash_of(field_at(one, FORM_AT[word])) * FACTORS[word]
        if <object>field_at(one, SELECTOR) is not None:
            mine += 1 + 2 * <uint64_t>hash_of(field_at(one, TARGET))
        found = folded(found ^ mine, FACTOR)
    return found


cdef bint _say_the_same(PyObject *ones, PyObject *others) except -1:
    """Whether the forms of both are equal."""
    cdef Py_ssize_t at, word, count = PyTuple_GET_SIZE(<object>ones)
    cdef PyObject *one
    cdef PyObject *other
    cdef bint selects
    if count != PyTuple_GET_SIZE(<object>others):
        return False
    for at in range(count):
        one = <PyObject *>PyTuple_GET_ITEM(<object>ones, at)
        other = <PyObject *>PyTuple_GET_ITEM(<object>others, at)
        for word in range(WORDS):
            if not are_alike(field_at(one, FORM_AT[word]), field_at(other, FORM_AT[word])):
                return False
        if _is_true(field_at(one, UID)) != _is_true(field_at(other, UID)):
            return False
        selects = <object>field_at(one, SELECTOR) is not None
        if selects != (<object>field_at(other, SELECTOR) is not None):
            return False
        if selects and not are_alike(field_at(one, TARGET), field_at(other, TARGET)):
            return False
    return True


def form_of(one):
    """A reference without its target."""
    return ReferenceForm(
        one.rule,
        one.path,
        one.relation,
        one.phases,
        ResourceId("") if one.selector is None else one.target,
        one.selector is not None,
        bool(one.uid),
        one.granule,
        one.optional,
        one.soft,
        one.confidence,
        one.needs_permission,
        one.once,
    )
