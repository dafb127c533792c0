"""JSON into a buffer, as msgspec writes it."""

cdef extern from *:
    """
    static inline uint64_t odd_of(uint64_t word) {
        const uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
        uint64_t quote = word ^ ones * 0x22, slash = word ^ ones * 0x5c, del = word ^ ones * 0x7f;
        return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)
                | ((del - ones) & ~del) | word) & highs;
    }
    /* Copies a text; whether it is printable ASCII in which nothing is to be escaped. Eight at a time, the last ones
       once more. */
    static inline int copied_as_is(char *into, const char *text, size_t size) {
        uint64_t word, odd = 0;
        uint32_t first, last;
        size_t at = 0;
        if (size < 4) {
            word = 0x2020202020202020ULL;
            for (; at < size; at++) word = word << 8 | (uint8_t)(into[at] = text[at]);
            return !odd_of(word);
        }
        if (size < 8) {
            memcpy(&first, text, 4);
            memcpy(&last, text + size - 4, 4);
            memcpy(into, &first, 4);
            memcpy(into + size - 4, &last, 4);
            return !odd_of((uint64_t)first << 32 | last);
        }
        for (; at + 8 <= size; at += 8) {
            memcpy(&word, text + at, 8);
            memcpy(into + at, &word, 8);
            odd |= odd_of(word);
        }
        memcpy(&word, text + size - 8, 8);
        memcpy(into + size - 8, &word, 8);
        return !(odd | odd_of(word));
    }
    static inline int length_of(uint64_t number) {
        int count = 1;
        for (; number >= 10; number /= 10) count++;
        return count;
    }
    /* Decimal digits into `into` (of 20); how many. */
    static inline int digits_of(uint64_t number, char *into) {
        char turned[20];
        int count = 0;
        do { turned[count++] = (char)('0' + number % 10); number /= 10; } while (number);
        for (int at = 0; at < count; at++) into[at] = turned[count - 1 - at];
        return count;
    }
    """
    bint copied_as_is(char *, const char *, size_t) noexcept
    int length_of(uint64_t) noexcept
    int digits_of(uint64_t, char *) noexcept


cdef inline bint _is_true(PyObject *text) except -1:
    return text != <PyObject *>_empty and <object>text


@cython.final
cdef class Buffer:
    """What is being written."""

    cdef char *at
    cdef Py_ssize_t size, room

    def __dealloc__(self):
        PyMem_Free(self.at)

    cdef void begin(self) noexcept:
        """Write something else. A large buffer is not kept."""
        self.size = 0
        if self.room > KEPT_BYTES_MAX:
            PyMem_Free(self.at)
            self.at, self.room = NULL, 0

    cdef int grow(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = max(1024, 2 * (self.size + more))
        cdef char *made = <char *>PyMem_Realloc(self.at, room)
        if made is NULL:
            raise MemoryError
        self.at, self.room = made, room
        return 0

    cdef inline int raw(self, const char *text, Py_ssize_t size) except -1:
        if self.room - self.size < size:
            self.grow(size)
        memcpy(self.at + self.size, text, size)
        self.size += size
        return 0

    cdef int encoded(self, PyObject *one) except -1:
        """Whatever it is."""
        cdef bytes written = _encode(<object>one)
        return self.raw(PyBytes_AS_STRING(written), PyBytes_GET_SIZE(written))

    cdef int text(self, PyObject *one) except -1:
        cdef const char *text
        cdef Py_ssize_t size
        if not (PyUnicode_CheckExact(<object>one) and PyUnicode_IS_COMPACT_ASCII(<object>one)):
            return self.encoded(one)
        text, size = <const char *>PyUnicode_DATA(<object>one), PyUnicode_GET_LENGTH(<object>one)
        if self.room - self.size < size + 2:
            self.grow(size + 2)
        if not copied_as_is(self.at + self.size + 1, text, size):
            return self.encoded(one)
        self.at[self.size] = self.at[self.size + size + 1] = 34
        self.size += size + 2
        return 0

    cdef int field(self, const char *name, Py_ssize_t size, PyObject *one) except -1:
        """A text with its name, unless it is empty."""
        if one == <PyObject *>_empty:
            return 0
        self.raw(name, size)
        return self.text(one)

    cdef int key(self, const char *name, Py_ssize_t size, uint64_t key) except -1:
        self.raw(name, size)
        if self.room - self.size < 20:
            self.grow(20)
        self.size += digits_of(key, self.at + self.size)
        return 0

    cdef int value(self, PyObject *one) except -1:
        """One of facts."""
        cdef int overflow = 0
        cdef long long number
        if PyUnicode_CheckExact(<object>one):
            return self.text(one)
        if <object>one is True:
            return self.raw(b"true", 4)
        if <object>one is False:
            return self.raw(b"false", 5)
        if PyLong_CheckExact(<object>one):
            number = PyLong_AsLongLongAndOverflow(<object>one, &overflow)
            if not overflow and number >= 0:
                return self.key(b"", 0, number)
        return self.encoded(one)

    cdef int texts(self, PyObject *one) except -1:
        """A tuple of texts."""
        cdef Py_ssize_t at
        if not PyTuple_CheckExact(<object>one):
            return self.encoded(one)
        self.raw(b"[", 1)
        for at in range(PyTuple_GET_SIZE(<object>one)):
            if at:
                self.raw(b",", 1)
            self.value(<PyObject *>PyTuple_GET_ITEM(<object>one, at))
        return self.raw(b"]", 1)

    cdef int mapping(self, PyObject *one) except -1:
        """Texts by names, or lists of them."""
        cdef Py_ssize_t at = 0, start = self.size
        cdef PyObject *name
        cdef PyObject *said
        if not PyDict_CheckExact(<object>one):
            return self.encoded(one)
        self.raw(b"{", 1)
        while PyDict_Next(<object>one, &at, &name, &said):
            if not PyUnicode_CheckExact(<object>name):
                self.size = start
                return self.encoded(one)
            if self.size > start + 1:
                self.raw(b",", 1)
            self.text(name)
            self.raw(b":", 1)
            if PyTuple_CheckExact(<object>said):
                self.texts(said)
            else:
                self.value(said)
        return self.raw(b"}", 1)

    cdef int traits(self, PyObject *state) except -1:
        """As Traits are written."""
        cdef PyObject *version = field_at(state, STATE_READ_AT)
        cdef PyObject *deleting = field_at(state, STATE_DELETING)
        cdef PyObject *finalizers = field_at(state, STATE_FINALIZERS)
        cdef PyObject *grants = field_at(state, STATE_GRANTS)
        cdef Py_ssize_t start = self.size
        if version != <PyObject *>READ_AT:
            self.raw(b',"version":', 11)
            self.text(version)
        if <object>deleting is not False:
            self.raw(b',"deleting":', 12)
            self.value(deleting)
        self._unless_empty(b',"parts":', 9, field_at(state, STATE_PARTS))
        self._unless_empty(b',"facts":', 9, field_at(state, STATE_FACTS))
        if finalizers != <PyObject *>_no_tuple:
            self.raw(b',"finalizers":', 14)
            self.texts(finalizers)
        if grants != <PyObject *>_no_tuple:
            self.raw(b',"grants":', 10)
            self.encoded(grants)
        if self.size == start:
            return self.raw(b"{}", 2)
        self.at[start] = 123  # instead of the first comma
        return self.raw(b"}", 1)

    cdef int _unless_empty(self, const char *name, Py_ssize_t size, PyObject *one) except -1:
        if PyDict_CheckExact(<object>one) and PyDict_Size(<object>one) == 0:
            return 0
        self.raw(name, size)
        return self.mapping(one)

    cdef bytes named(self, PyObject *references):
        """Whom references mean, as a fact says it: targets, uids, selectors."""
        cdef Py_ssize_t at, count = PyTuple_GET_SIZE(<object>references)
        cdef Py_ssize_t first
        cdef PyObject *one
        self.begin()
        first = self.size
        for at in range(count):
            one = <PyObject *>PyTuple_GET_ITEM(<object>references, at)
            if <object>field_at(one, SELECTOR) is None:
                self._listed(b',"targets":[', 12, first)
                self.text(field_at(one, TARGET))
        self._closed(first)
        first = self.size
        for at in range(count):
            one = <PyObject *>PyTuple_GET_ITEM(<object>references, at)
            if _is_true(field_at(one, UID)):
                self._listed(b',"uids":[', 9, first)
                self.text(field_at(one, UID))
        self._closed(first)
        first = self.size
        for at in range(count):
            one = <PyObject *>PyTuple_GET_ITEM(<object>references, at)
            if <object>field_at(one, SELECTOR) is not None:
                self._listed(b',"selectors":[', 14, first)
                self.encoded(field_at(one, SELECTOR))
        self._closed(first)
        return PyBytes_FromStringAndSize(self.at, self.size)

    cdef inline int _listed(self, const char *name, Py_ssize_t size, Py_ssize_t first) except -1:
        """What stands before the next one of a list that began at `first`."""
        if self.size == first:
            return self.raw(name, size)
        return self.raw(b",", 1)

    cdef inline int _closed(self, Py_ssize_t first) except -1:
        return self.raw(b"]", 1) if self.size > first else 0
