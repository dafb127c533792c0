"""Facts and the tables that they need → the bytes of a batch."""

cdef struct Table:
    PyObject **found  # entries in the order in which they were met
    uint32_t *slots  # by key: place in `found`, from 1
    uint32_t mask
    Py_ssize_t count
    Py_ssize_t size  # bytes that it takes, but for its name and its braces


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
    table.size += PyBytes_GET_SIZE(entry.written) + length_of(entry.key) + 4  # and quotes, a colon, a comma


cdef char *_put_bytes(char *into, bytes written) noexcept:
    memcpy(into, PyBytes_AS_STRING(written), PyBytes_GET_SIZE(written))
    return into + PyBytes_GET_SIZE(written)


cdef const char *NAMES[3]
NAMES[0], NAMES[1], NAMES[2] = b',"labels":', b',"traits":', b',"shapes":'  # ten bytes each


cdef char *_put_table(char *into, const char *name, Table *table) noexcept:
    cdef Py_ssize_t at
    if not table.count:
        return into
    memcpy(into, name, 10)
    into += 10
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
    cdef Table[3] tables  # labels, traits, shapes
    cdef Py_ssize_t at, count = PyTuple_GET_SIZE(told), size = 0
    cdef Told one
    cdef char *into
    cdef bytes made, head = _encode({"schema": SCHEMA, "site": site, "epoch": epoch, "seq": seq, "prev_hash": prev_hash})
    for one in told:  # raises TypeError for what is none
        size += PyBytes_GET_SIZE(one.fact) + 1
    memset(tables, 0, sizeof(tables))
    try:
        _begin(&tables[0], 2 * count)
        _begin(&tables[1], count)
        _begin(&tables[2], count)
        for at in range(count):
            one = <Told>PyTuple_GET_ITEM(told, at)
            _take(&tables[0], one._labels)
            _take(&tables[0], one._template)
            _take(&tables[1], one._traits)
            _take(&tables[2], one._shape)
        size += PyBytes_GET_SIZE(head) - 1 + 11 + (0 if count else 1) + 1  # commas are counted with facts
        for at in range(3):
            size += 11 + tables[at].size if tables[at].count else 0
        made = PyBytes_FromStringAndSize(NULL, size)
        into = PyBytes_AS_STRING(made)
        into = _put_bytes(into, head) - 1  # its last brace is still to come
        memcpy(into, b',"events":[', 11)
        into += 11
        for at in range(count):
            if at:
                into[0] = 44
                into += 1
            into = _put_bytes(into, (<Told>PyTuple_GET_ITEM(told, at)).fact)
        into[0] = 93
        into += 1
        for at in range(3):
            into = _put_table(into, NAMES[at], &tables[at])
        into[0] = 125
        assert into + 1 == PyBytes_AS_STRING(made) + size
        return made
    finally:
        for at in range(3):
            _end(&tables[at])
