"""Tables of a batch: entries by their keys, and what entries come to that were read lately."""

cdef class Keys:
    """The entries of one table of a batch, by their keys; 0 stands first."""

    cdef uint64_t *_slots  # key + 1
    cdef int32_t *_places
    cdef uint32_t _mask
    cdef Py_ssize_t room
    cdef list values

    def __cinit__(self):
        self.values = []

    def __dealloc__(self):
        PyMem_Free(self._slots)
        PyMem_Free(self._places)

    cdef int begin(self, Py_ssize_t count, object none) except -1:
        """Room for so many, and this one under 0."""
        cdef uint32_t size = 8
        while size < 2 * (count + 1):
            size *= 2
        self.room = count + 1
        self._mask = size - 1
        self._slots = <uint64_t *>PyMem_Malloc(size * 8)
        self._places = <int32_t *>PyMem_Malloc(size * 4)
        if self._slots is NULL or self._places is NULL:
            raise MemoryError
        memset(self._slots, 0, size * 8)
        self.enter(0, none)
        return 0

    cdef bint enter(self, uint64_t key, object value):
        """False when there is one under it."""
        cdef uint32_t at = <uint32_t>(key * 0x9E3779B1u) & self._mask
        while self._slots[at]:
            if self._slots[at] == key + 1:
                return False
            at = (at + 1) & self._mask
        self._slots[at] = key + 1
        self._places[at] = <int32_t>PyList_GET_SIZE(self.values)
        self.values.append(value)
        return True

    cdef bint find(self, uint64_t *key) noexcept:
        """The key becomes the place of its entry among the values; False when there is none."""
        cdef uint32_t at = <uint32_t>(key[0] * 0x9E3779B1u) & self._mask
        while self._slots[at]:
            if self._slots[at] == key[0] + 1:
                key[0] = self._places[at]
                return True
            at = (at + 1) & self._mask
        return False

cdef object _packed_labels(Text *entry):
    """As `pack` writes what `decode_labels` reads; None for what is not a few short plain texts."""
    cdef uint8_t out[1024]
    cdef Text texts[30]
    cdef Cursor cursor
    cdef Py_ssize_t size = 1
    cdef int count = 0, other
    cursor.at, cursor.end = entry.at + 1, entry.at + entry.size
    if entry.at[0] != 123:
        return None
    while True:
        if not _text(&cursor, &texts[count]) or not _word(&cursor, b":", 1) or not _text(&cursor, &texts[count + 1]):
            return None
        for other in range(0, count, 2):
            if _is_alike(&texts[other], &texts[count]):
                return None
        for other in range(count, count + 2):
            if texts[other].size > 31:
                return None
            out[size] = <uint8_t>(0xA0 | texts[other].size)
            memcpy(out + size + 1, texts[other].at, texts[other].size)
            size += 1 + texts[other].size
        count += 2
        if _word(&cursor, b"}", 1):
            break
        if count == 30 or not _word(&cursor, b",", 1):
            return None
    if cursor.at != cursor.end:
        return None
    out[0] = <uint8_t>(0x80 | (count // 2))
    return PyBytes_FromStringAndSize(<char *>out, size)
