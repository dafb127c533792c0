"""The events of a batch, where they stand in its bytes."""

cdef struct Line:
    Text whole, resource, uid, version, digest
    uint64_t labels, template, traits, shape  # keys; then the places of their entries
    uint32_t targets, uids, selectors  # how many
    uint32_t first_text  # targets, then uids, then selectors
    bint put

cdef class Lines:
    """The events of a batch, where they stand in its bytes."""

    cdef readonly bytes payload
    cdef Line *lines
    cdef Text *texts
    cdef Py_ssize_t count, text_count, _texts_room
    cdef Keys labels, traits, layouts
    cdef list drifting, selectors
    cdef readonly list others  # places of what is no put

    def __cinit__(self, bytes payload):
        self.payload = payload
        self.others, self.selectors, self.drifting = [], [], []
        self.labels, self.traits, self.layouts = Keys(), Keys(), Keys()
        self.lines = <Line *>PyMem_Malloc(BATCH_EVENTS_MAX * sizeof(Line))
        if self.lines is NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.lines)
        PyMem_Free(self.texts)

    cdef Text *more(self) except NULL:
        """Room for one more text."""
        cdef Text *made
        if self.text_count == self._texts_room:
            self._texts_room = 2048 if self._texts_room == 0 else 2 * self._texts_room
            made = <Text *>PyMem_Realloc(self.texts, self._texts_room * sizeof(Text))
            if made is NULL:
                raise MemoryError
            self.texts = made
        self.text_count += 1
        return &self.texts[self.text_count - 1]

    cdef bint put(self, Cursor *cursor, Line *line) except -1:
        """A put, field by field; False: written in another way."""
        cdef Text *text
        line.put = True
        line.labels = line.template = line.traits = line.shape = 0
        line.targets = line.uids = line.selectors = 0
        line.uid.size = line.version.size = line.digest.size = 0
        line.uid.at = line.version.at = line.digest.at = cursor.at
        line.first_text = <uint32_t>self.text_count
        if not _text(cursor, &line.resource) or line.resource.size == 0 or not _is_identity(&line.resource):
            return False
        if _word(cursor, b',"uid":', 7) and not _text(cursor, &line.uid):
            return False
        if _word(cursor, b',"resource_version":', 20) and not _text(cursor, &line.version):
            return False
        if _word(cursor, b',"digest":', 10) and not _text(cursor, &line.digest):
            return False
        if _word(cursor, b',"labels":', 10) and not _number(cursor, &line.labels):
            return False
        if _word(cursor, b',"template_labels":', 19) and not _number(cursor, &line.template):
            return False
        if _word(cursor, b',"traits":', 10) and not _number(cursor, &line.traits):
            return False
        if _word(cursor, b',"shape":', 9) and not _number(cursor, &line.shape):
            return False
        if _word(cursor, b',"targets":[', 12):
            while True:
                text = self.more()
                if not _text(cursor, text) or not _is_identity(text):
                    return False
                line.targets += 1
                if not _word(cursor, b",", 1):
                    break
            if not _word(cursor, b"]", 1):
                return False
        if _word(cursor, b',"uids":[', 9):
            while True:
                text = self.more()
                if not _text(cursor, text) or text.size == 0:
                    return False
                line.uids += 1
                if not _word(cursor, b",", 1):
                    break
            if not _word(cursor, b"]", 1):
                return False
        if _word(cursor, b',"selectors":[', 14):
            while True:
                text = self.more()
                if not _value(cursor, text):
                    return False
                line.selectors += 1
                if not _word(cursor, b",", 1):
                    break
            if not _word(cursor, b"]", 1):
                return False
        return self.text_count < TEXTS_MAX and _word(cursor, b"}", 1)

    cdef bint events(self, Cursor *cursor) except -1:
        """All of them, up to the bracket that closes them."""
        cdef Line *line
        cdef const char *start
        if _word(cursor, b"]", 1):
            return True
        while self.count < BATCH_EVENTS_MAX:
            line = &self.lines[self.count]
            start = cursor.at
            if _word(cursor, b'{"op":"put","resource":', 23):
                if not self.put(cursor, line):
                    return False
            else:
                line.put = False
                if not _value(cursor, &line.whole):
                    return False
                self.others.append(self.count)
            line.whole.at, line.whole.size = start, <uint32_t>(cursor.at - start)
            self.count += 1
            if not _word(cursor, b",", 1):
                return _word(cursor, b"]", 1)
        return False

    cdef bint table(self, Cursor *cursor, Keys keys, dict known, object read, bint flat) except -1:
        """Entries under their keys; `read` is called for the bytes of each that is not `known`."""
        cdef Text entry
        cdef uint64_t key = 0
        cdef bytes written
        cdef PyObject *found
        cdef object packed, value
        if not _word(cursor, b"{", 1):
            return False
        while PyList_GET_SIZE(keys.values) < keys.room:
            if not (_word(cursor, b'"', 1) and _number(cursor, &key) and key and _word(cursor, b'":', 2)):
                return False
            if cursor.at < cursor.end and cursor.at[0] == 91:
                if not _list(cursor, &entry):
                    return False
            elif not _value(cursor, &entry):
                return False
            written = _bytes(&entry)
            found = PyDict_GetItem(known, written)
            if found is NULL:
                packed = _packed_labels(&entry) if flat else None
                value = read(written) if packed is None else read(written, packed)
            else:
                value = <object>found
            if not keys.enter(key, value):
                return False
            if not _word(cursor, b",", 1):
                return _word(cursor, b"}", 1)
        return False

    cdef object fact(self, Py_ssize_t place):
        return _decode_fact(_bytes(&self.lines[place].whole))

cdef object _packed_line(Line *line):
    """As packing.py does it."""
    cdef uint8_t out[96]
    cdef uint32_t size = line.version.size
    cdef bint is_usual = size < 32 and line.digest.size == 24 and _uuid(&line.uid, out + 3)
    if is_usual and _unhex(line.digest.at, out + 22 + size, 12):
        out[0], out[1], out[2] = 0x93, 0xC4, 16
        out[19] = <uint8_t>(0xA0 | size)
        memcpy(out + 20, line.version.at, size)
        out[20 + size], out[21 + size] = 0xC4, 12
        return PyBytes_FromStringAndSize(<char *>out, 34 + size)
    return pack_line(_string(&line.uid), _string(&line.version), _string(&line.digest))

class Facts(Sequence):
    """Events of a batch, each decoded when somebody looks at it."""

    __slots__ = ("_first", "_last", "_lines")

    def __init__(self, lines, first, last):
        self._lines, self._first, self._last = lines, first, last

    def __len__(self):
        return self._last - self._first

    def __getitem__(self, place):
        cdef Lines lines = self._lines
        if isinstance(place, slice):
            first, last, step = place.indices(len(self))
            if step == 1:
                return Facts(lines, self._first + first, self._first + max(first, last))
            return tuple([self[one] for one in range(first, last, step)])
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return lines.fact(self._first + place % len(self))
