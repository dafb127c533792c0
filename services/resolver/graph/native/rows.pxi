"""Who names what: rows of edges.py, each made anew once."""

cdef int _count(object hub, list places, list records) except -1:
    """As Hub.count."""
    cdef uint32_t[::1] sources = hub.sources
    cdef Py_ssize_t at = hub.counted, last = len(hub.sources)
    cdef dict kinds = {}, shapes = {}
    cdef PyObject *kind
    cdef PyObject *shape
    cdef PyObject *last_kind = NULL
    cdef PyObject *last_shape = NULL
    cdef long of_kind = 0, of_shape = 0
    for at in range(at, last):
        kind = field_at(PyList_GET_ITEM(places, sources[at]), PLACE_KIND)
        shape = field_at(PyList_GET_ITEM(records, sources[at]), RECORD_SHAPE)
        if kind != last_kind:
            if of_kind:
                kinds[<object>last_kind] = kinds.get(<object>last_kind, 0) + of_kind
            last_kind, of_kind = kind, 0
        of_kind += 1
        if shape != last_shape:
            if of_shape:
                shapes[<object>last_shape] = shapes.get(<object>last_shape, 0) + of_shape
            last_shape, of_shape = shape, 0
        of_shape += 1
    if of_kind:
        kinds[<object>last_kind] = kinds.get(<object>last_kind, 0) + of_kind
        shapes[<object>last_shape] = shapes.get(<object>last_shape, 0) + of_shape
    hub.counts(last, kinds, shapes)
    return 0

cdef struct Naming:
    uint32_t target
    int32_t next  # to the same target, or -1
    PyObject *source

cdef class Gathered:
    """Who names what, by target."""

    cdef Naming *_all
    cdef int32_t *_first
    cdef int32_t *_last
    cdef uint32_t _mask
    cdef int32_t _count

    def __cinit__(self, Py_ssize_t room):
        cdef uint32_t size = 16
        while size < 2 * room:
            size *= 2
        self._mask = size - 1
        self._all = <Naming *>PyMem_Malloc(room * sizeof(Naming))
        self._first = <int32_t *>PyMem_Malloc(size * 4)
        self._last = <int32_t *>PyMem_Malloc(size * 4)
        if self._all is NULL or self._first is NULL or self._last is NULL:
            raise MemoryError
        memset(self._first, 255, size * 4)

    def __dealloc__(self):
        PyMem_Free(self._all)
        PyMem_Free(self._first)
        PyMem_Free(self._last)

    cdef void note(self, uint32_t target, PyObject *source) noexcept:
        cdef uint32_t at = (target * <uint32_t>2654435761u) & self._mask
        cdef int32_t mine = self._count
        self._count += 1
        self._all[mine].target, self._all[mine].next, self._all[mine].source = target, -1, source
        while self._first[at] >= 0:
            if self._all[self._first[at]].target == target:
                self._all[self._last[at]].next = mine
                self._last[at] = mine
                return
            at = (at + 1) & self._mask
        self._first[at] = self._last[at] = mine

    cdef bint _extended(self, PyObject *hub, int32_t one, Py_ssize_t count) except -1:
        """As Hub.extend, where each source is above the one before."""
        cdef object sources = <object>field_at(hub, HUB_SOURCES)
        cdef int64_t last = sources[len(sources) - 1], source
        cdef object more = PyBytes_FromStringAndSize(NULL, 4 * count)
        cdef uint32_t *out = <uint32_t *>PyBytes_AS_STRING(more)
        while one >= 0:
            source = PyLong_AsLong(<object>self._all[one].source)
            if source <= last:
                return False
            out[0], last = <uint32_t>source, source
            out += 1
            one = self._all[one].next
        sources.frombytes(more)
        return True

    cdef int into(self, object index, list places, list records) except -1:
        """As edges.py does it; targets that very many name are left to it."""
        cdef list rows = index.rows
        cdef dict left = {}
        cdef uint32_t at, target
        cdef int32_t one, first
        cdef Py_ssize_t count, had
        cdef PyObject *row
        cdef object made
        cdef uint32_t *out
        for at in range(self._mask + 1):
            first = self._first[at]
            if first < 0:
                continue
            target = self._all[first].target
            row = PyList_GET_ITEM(rows, target)
            if <object>row is None and self._all[first].next < 0:
                rows[target] = <object>self._all[first].source
                continue
            count, one = 0, first
            while one >= 0:
                count += 1
                one = self._all[one].next
            if <object>row is None:
                had = 0
            elif type(<object>row) is bytes:
                had = PyBytes_GET_SIZE(<object>row) // 4
            else:
                had = 1 if type(<object>row) is int else FEW
            one = first
            if had + count <= FEW:
                made = PyBytes_FromStringAndSize(NULL, 4 * (had + count))
                out = <uint32_t *>PyBytes_AS_STRING(made)
                if type(<object>row) is int:
                    out[0] = <uint32_t>PyLong_AsLong(<object>row)
                elif had:
                    memcpy(out, PyBytes_AS_STRING(<object>row), 4 * had)
                out += had
                while one >= 0:
                    out[0] = <uint32_t>PyLong_AsLong(<object>self._all[one].source)
                    out += 1
                    one = self._all[one].next
                rows[target] = made
            else:
                if type(<object>row) is _hub and self._extended(row, first, count):
                    if (<object>row).is_to_be_counted:
                        _count(<object>row, places, records)
                    continue
                sources = []
                while one >= 0:
                    sources.append(<object>self._all[one].source)
                    one = self._all[one].next
                left[target] = sources
        if left:
            index.add_all(left)
        return 0
