"""Facts and the tables that they need → the bytes of a batch."""

cdef struct Table:
    PyObject **found  # entries in the order in which they were met
    uint32_t *slots  # by key: place in `found`, from 1
    uint32_t mask
    Py_ssize_t count
    Py_ssize_t size  # bytes of keys and entries


cdef int _begin(Table *table, Py_ssize_t most) except -1:
    cdef uint32_t slots = 4
    while slots < 2 * most:
        slots *= 2
    table.count = table.size = 0
    table.mask = slots - 1
    table.found = <PyObject **>PyMem_Malloc(most * sizeof(PyObject *) + 1)
    table.slots = <uint32_t *>PyMem_Calloc(slots, sizeof(uint32_t))
    if table.found is NULL or table.slots is NULL:
        raise MemoryError
    return 0


cdef void _end(Table *table) noexcept:
    PyMem_Free(table.found)
    PyMem_Free(table.slots)


cdef inline void _take(Table *table, Entry entry) noexcept:
    """An entry that a fact needs. Of two under one key the later one counts."""
    cdef uint32_t at
    cdef PyObject *known
    if entry is None:
        return
    at = <uint32_t>entry.key & table.mask
    while table.slots[at]:
        known = table.found[table.slots[at] - 1]
        if known == <PyObject *>entry:
            return
        if (<Entry>known).key == entry.key:
            table.size += PyBytes_GET_SIZE(entry.written) - PyBytes_GET_SIZE((<Entry>known).written)
            table.found[table.slots[at] - 1] = <PyObject *>entry
            return
        at = (at + 1) & table.mask
    table.found[table.count] = <PyObject *>entry
    table.count += 1
    table.slots[at] = <uint32_t>table.count
    table.size += PyBytes_GET_SIZE(entry.written) + 24  # at most: its key, quotes, colon and comma


cdef char *_put_bytes(char *into, bytes written) noexcept:
    memcpy(into, PyBytes_AS_STRING(written), PyBytes_GET_SIZE(written))
    return into + PyBytes_GET_SIZE(written)


cdef char *_put_table(char *into, const char *name, Py_ssize_t size, Table *table) noexcept:
    cdef Py_ssize_t at
    if not table.count:
        return into
    memcpy(into, name, size)
    into += size
    for at in range(table.count):
        into[0] = 44 if at else 123
        into[1] = 34
        into += 2
        into += digits_of((<Entry>table.found[at]).key, into)
        into[0], into[1] = 34, 58
        into = _put_bytes(into + 2, (<Entry>table.found[at]).written)
    into[0] = 125
    return into + 1


def join(site, epoch, seq, prev_hash, tuple told not None):
    """The bytes of a batch."""
    cdef Table labels, traits, shapes
    cdef Py_ssize_t at, count = PyTuple_GET_SIZE(told), size = 0
    cdef Told one
    cdef bytes head = _encode({"schema": SCHEMA, "site": site, "epoch": epoch, "seq": seq, "prev_hash": prev_hash})
    for one in told:  # raises TypeError for what is none
        size += PyBytes_GET_SIZE(one.fact) + 1
    labels.found = traits.found = shapes.found = NULL
    labels.slots = traits.slots = shapes.slots = NULL
    try:
        _begin(&labels, 2 * count)
        _begin(&traits, count)
        _begin(&shapes, count)
        for at in range(count):
            one = <Told>PyTuple_GET_ITEM(told, at)
            _take(&labels, one._labels)
            _take(&labels, one._template)
            _take(&traits, one._traits)
            _take(&shapes, one._shape)
        size += PyBytes_GET_SIZE(head) + labels.size + traits.size + shapes.size + 64
        return _joined(head, told, &labels, &traits, &shapes, size)
    finally:
        _end(&labels)
        _end(&traits)
        _end(&shapes)


cdef bytes _joined(bytes head, tuple told, Table *labels, Table *traits, Table *shapes, Py_ssize_t room):
    cdef Py_ssize_t at
    cdef char *start = <char *>PyMem_Malloc(room)
    cdef char *into = start
    if start is NULL:
        raise MemoryError
    try:
        into = _put_bytes(into, head) - 1  # its last brace is still to come
        memcpy(into, b',"events":[', 11)
        into += 11
        for at in range(PyTuple_GET_SIZE(told)):
            if at:
                into[0] = 44
                into += 1
            into = _put_bytes(into, (<Told>PyTuple_GET_ITEM(told, at)).fact)
        into[0] = 93
        into = _put_table(into + 1, b',"labels":', 10, labels)
        into = _put_table(into, b',"traits":', 10, traits)
        into = _put_table(into, b',"shapes":', 10, shapes)
        into[0] = 125
        return PyBytes_FromStringAndSize(start, into + 1 - start)
    finally:
        PyMem_Free(start)
