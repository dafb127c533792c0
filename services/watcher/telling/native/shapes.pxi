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
        self._buckets = [None] * BUCKETS

    cdef Entry find(self, Buffer out):
        """Of what was written."""
        cdef uint64_t key = hashed(out.at, out.size, SEED, FACTOR)
        cdef Entry one = <Entry>PyList_GET_ITEM(self._buckets, key & (BUCKETS - 1))
        while one is not None:
            if one.hashed == key and PyBytes_GET_SIZE(one.written) == out.size:
                if memcmp(PyBytes_AS_STRING(one.written), out.at, out.size) == 0:
                    return one
            one = one.after
        if self._count >= KEYS_MAX:
            self._buckets, self._count = [None] * BUCKETS, 0
        self._last += 1
        self._count += 1
        one = Entry.__new__(Entry)
        one.key, one.hashed, one.written = self._last, key, PyBytes_FromStringAndSize(out.at, out.size)
        one.after = self._buckets[key & (BUCKETS - 1)]
        self._buckets[key & (BUCKETS - 1)] = one
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
    cdef tuple said  # references; of their targets only those beside a selector count
    cdef Entry entry
    cdef Shape after  # in the same bucket


@cython.final
@cython.no_gc
cdef class Shapes:
    """Replicas say the same: then no form is made and nothing is written."""

    cdef list _buckets
    cdef Py_ssize_t _count

    def __cinit__(self):
        self._buckets = [None] * BUCKETS

    cdef Entry find(self, PyObject *references, Entries entries):
        """The entry of their forms."""
        cdef uint64_t key = _hashed_words(references)
        cdef Shape one = <Shape>PyList_GET_ITEM(self._buckets, key & (BUCKETS - 1))
        cdef Buffer out
        while one is not None:
            if one.hashed == key and _say_the_same(<PyObject *>one.said, references):
                return one.entry
            one = one.after
        if self._count >= SHAPES_MAX:
            self._buckets, self._count = [None] * BUCKETS, 0
        self._count += 1
        out = Buffer()
        forms = [form_of(each) for each in <tuple>references]
        out.encoded(<PyObject *>forms)
        one = Shape.__new__(Shape)
        one.hashed, one.said, one.entry = key, <tuple>references, entries.find(out)
        one.after = self._buckets[key & (BUCKETS - 1)]
        self._buckets[key & (BUCKETS - 1)] = one
        return one.entry


cdef uint64_t _hashed_words(PyObject *references) except? 0:
    """A hash of all that forms are made of."""
    cdef Py_ssize_t at, word, count = PyTuple_GET_SIZE(<object>references)
    cdef uint64_t found = SEED ^ <uint64_t>count
    cdef PyObject *one
    for at in range(count):
        one = <PyObject *>PyTuple_GET_ITEM(<object>references, at)
        if type(<object>one) is not _reference:
            raise TypeError(f"{type(<object>one).__name__} is no reference")
        for word in range(WORDS):
            found = _mixed(found, _hash_of(field_at(one, FORM_AT[word])))
        found = _mixed(found, bool(<object>field_at(one, UID)))
        if <object>field_at(one, SELECTOR) is not None:
            found = _mixed(found, _hash_of(field_at(one, TARGET)) + 1)
    return folded(found, FACTOR)


cdef inline uint64_t _mixed(uint64_t found, uint64_t more) noexcept:
    return (found ^ more) * <uint64_t>0x9E3779B97F4A7C15 + (found >> 29)


cdef inline uint64_t _hash_of(PyObject *one) except? 0:
    if <object>one is False:
        return 0
    return <uint64_t>PyObject_Hash(<object>one)  # texts keep theirs


cdef bint _say_the_same(PyObject *ones, PyObject *others) except -1:
    """Whether the forms of both are equal."""
    cdef Py_ssize_t at, word, count = PyTuple_GET_SIZE(<object>ones)
    cdef PyObject *one
    cdef PyObject *other
    if count != PyTuple_GET_SIZE(<object>others):
        return False
    for at in range(count):
        one = <PyObject *>PyTuple_GET_ITEM(<object>ones, at)
        other = <PyObject *>PyTuple_GET_ITEM(<object>others, at)
        for word in range(WORDS):
            if not _is_alike(field_at(one, FORM_AT[word]), field_at(other, FORM_AT[word])):
                return False
        if bool(<object>field_at(one, UID)) != bool(<object>field_at(other, UID)):
            return False
        if (<object>field_at(one, SELECTOR) is None) != (<object>field_at(other, SELECTOR) is None):
            return False
        if <object>field_at(one, SELECTOR) is not None:
            if not _is_alike(field_at(one, TARGET), field_at(other, TARGET)):
                return False
    return True


cdef inline bint _is_alike(PyObject *one, PyObject *other) except -1:
    return one == other or PyObject_RichCompareBool(<object>one, <object>other, Py_EQ)


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
