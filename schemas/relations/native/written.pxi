"""An object of a watch, where it stands in the bytes of its line."""

cdef Node *_spare = NULL  # one piece of memory that is used again and again
cdef uint32_t _spare_room = 0

@cython.final
@cython.no_gc
@cython.freelist(8)
cdef class Written:
    """Its nodes: 0 is the object itself; `metadata` and `status` say which those are (0: there is none)."""

    cdef bytes line
    cdef const uint8_t *text
    cdef Node *nodes
    cdef uint32_t count, _room
    cdef uint32_t metadata, status
    cdef bint is_strange  # whether msgspec may refuse something in its status
    cdef readonly str name, namespace, uid, resource_version

    def __dealloc__(self):
        global _spare, _spare_room
        if self.nodes is not NULL and _spare is NULL and self._room <= NODES_KEPT_MAX:
            _spare, _spare_room = self.nodes, self._room
        else:
            PyMem_Free(self.nodes)

    cdef bint read(self, bytes line, uint32_t at) except -1:
        """The object that begins there; False: the plain way is to read it."""
        global _spare, _spare_room
        cdef Tape tape
        cdef bint is_whole
        self.line, self.text = line, <const uint8_t *>PyBytes_AS_STRING(line)
        if _spare is NULL:
            _spare_room = 512
            _spare = <Node *>PyMem_Malloc(_spare_room * sizeof(Node))
            if _spare is NULL:
                raise MemoryError
        tape.text, tape.at, tape.nodes, tape.room, tape.count = self.text, at, _spare, _spare_room, 0
        tape.stop = self.text + PyBytes_GET_SIZE(line)
        tape.is_metadata = tape.is_status = tape.is_strange = False
        tape.strange = 0
        _spare = NULL
        is_whole = self.text[at] == 123 and _parse(&tape, 0, 0, 0, 0)
        self.nodes, self._room, self.count, self.is_strange = tape.nodes, tape.room, tape.count, tape.is_strange
        if at:  # within a line
            is_whole = is_whole and self.text[tape.at] == 125
            tape.at += is_whole
        if not is_whole or tape.at != PyBytes_GET_SIZE(line):
            return False
        self.metadata, self.status = self.child(0, b"metadata", 8), self.child(0, b"status", 6)
        if self.metadata == 0 or self.nodes[self.metadata].kind != OBJECT:
            return False
        if not (self._is_clear(0) and self._is_clear(self.metadata) and self._is_plainly_annotated()):
            return False
        self.name, self.namespace = self._own(b"name", 4), self._own(b"namespace", 9)
        self.uid, self.resource_version = self._own(b"uid", 3), self._own(b"resourceVersion", 15)
        if not self.name or self.namespace is None or self.uid is None:
            return False
        return self.resource_version is not None

    cdef uint32_t child(self, uint32_t parent, const char *key, uint32_t size) noexcept:
        """A field of an object; 0: there is none."""
        cdef uint32_t at = parent + 1, after = self.nodes[parent].after
        while at < after:
            if self.nodes[at].key_size == size and memcmp(self.text + self.nodes[at].key, key, size) == 0:
                return at
            at = self.nodes[at].after
        return 0

    cdef bint _is_clear(self, uint32_t parent) noexcept:
        """Whether each of its fields stands there once, and is plainly called."""
        cdef uint32_t at = parent + 1, other, after = self.nodes[parent].after
        cdef int count = 0
        while at < after:
            count += 1
            if self.nodes[at].key_flags or count > FIELDS_MAX:
                return False
            other = parent + 1
            while other < at:
                if _is_alike(self, other, at):
                    return False
                other = self.nodes[other].after
            at = self.nodes[at].after
        return True

    cdef bint _is_plainly_annotated(self) noexcept:
        """Whether its annotations are texts, if there are any, and say nothing that concerns all of the object."""
        cdef uint32_t at = self.child(self.metadata, b"annotations", 11), after
        if at == 0 or self.nodes[at].kind == NOTHING:
            return True
        if self.nodes[at].kind != OBJECT or self.child(at, DECLARATION_AT, DECLARATION_SIZE):
            return False
        after, at = self.nodes[at].after, at + 1
        while at < after:
            if self.nodes[at].kind != TEXT or self.nodes[at].key_flags:
                return False
            at = self.nodes[at].after
        return True

    cdef str _own(self, const char *key, uint32_t size):
        """A text of its metadata; "": it is not there; None: it is something else."""
        cdef uint32_t at = self.child(self.metadata, key, size)
        if at == 0:
            return ""
        if self.nodes[at].kind != TEXT or self.nodes[at].flags:
            return None
        return _ascii(self, at)

    def mark(self, version, kind):
        """Of all that only people change: a hash of its bytes, by Python's own, which has a key of the process."""
        cdef bytes kept
        cdef char *out
        cdef uint32_t at = 1, inner, size = 0
        cdef object found
        if self.nodes is NULL:
            raise ValueError("nothing was read")
        kept = PyBytes_FromStringAndSize(NULL, self.nodes[0].end - self.nodes[0].start)
        out = PyBytes_AS_STRING(kept)
        while at < self.nodes[0].after:
            if at == self.metadata:
                inner = at + 1
                while inner < self.nodes[at].after:
                    if not _is_set_by_server(self, inner):
                        size += _copied(self, inner, out + size)
                    inner = self.nodes[inner].after
                out[size] = 125  # what follows is not of its metadata
                size += 1
            elif at != self.status:
                size += _copied(self, at, out + size)
            at = self.nodes[at].after
        found = hash((kept[:size], version, kind))
        return found or 1


cdef inline uint32_t _copied(Written one, uint32_t at, char *out) noexcept:
    """A field with its name, from its first quote to behind its value."""
    cdef uint32_t start = one.nodes[at].key - 1
    cdef uint32_t size = one.nodes[at].end + (one.nodes[at].kind == TEXT) - start
    memcpy(out, one.text + start, size)
    return size

cdef inline bint _is_alike(Written one, uint32_t this, uint32_t other) noexcept:
    cdef uint32_t size = one.nodes[this].key_size
    return size == one.nodes[other].key_size and (
        memcmp(one.text + one.nodes[this].key, one.text + one.nodes[other].key, size) == 0
    )

cdef bint _is_set_by_server(Written one, uint32_t at) noexcept:
    """As SERVER_SET of resting.py."""
    cdef const char *key = <const char *>one.text + one.nodes[at].key
    cdef uint32_t size = one.nodes[at].key_size
    if size == 3:
        return memcmp(key, b"uid", 3) == 0
    if size == 8:
        return memcmp(key, b"selfLink", 8) == 0
    if size == 10:
        return memcmp(key, b"generation", 10) == 0
    if size == 13:
        return memcmp(key, b"managedFields", 13) == 0
    if size == 15:
        return memcmp(key, b"resourceVersion", 15) == 0
    if size == 17:
        return memcmp(key, b"creationTimestamp", 17) == 0 or memcmp(key, b"deletionTimestamp", 17) == 0
    return False

cdef inline str _ascii(Written one, uint32_t at):
    cdef Node *node = &one.nodes[at]
    return PyUnicode_DecodeASCII(<const char *>one.text + node.start, node.end - node.start, NULL)

cdef inline str _key(Written one, uint32_t at):
    return PyUnicode_DecodeASCII(<const char *>one.text + one.nodes[at].key, one.nodes[at].key_size, NULL)

cdef object _value(Written one, uint32_t at):
    """As msgspec decodes it. Raises its errors."""
    cdef Node *node = &one.nodes[at]
    cdef uint32_t start = node.start, end = node.end
    if node.kind == TEXT:
        if not node.flags:
            return _ascii(one, at)
        start, end = start - 1, end + 1
    elif node.kind == YES:
        return True
    elif node.kind == NO:
        return False
    elif node.kind == NOTHING:
        return None
    return _decode(PyBytes_FromStringAndSize(<const char *>one.text + start, end - start))

cdef dict _metadata(Written one):
    """All of it but for who manages which field. Raises msgspec's errors."""
    cdef uint32_t at = one.metadata + 1
    cdef dict found = {}
    while at < one.nodes[one.metadata].after:
        if not _is_called(one, at, b"managedFields", 13):
            found[_key(one, at)] = _value(one, at)
        at = one.nodes[at].after
    return found

cdef int _fill(Written one, dict body) except -1:
    """All that an object says, but for who manages which field. Raises msgspec's errors."""
    cdef uint32_t at = 1
    body["metadata"] = _metadata(one)
    while at < one.nodes[0].after:
        key = _key(one, at)
        if key not in _HEAD:
            body[key] = _value(one, at)
        at = one.nodes[at].after
    return 0

def written(bytes line not None):
    """A line of a watch, of an object that was added or changed; None: it is to be decoded, and may be anything."""
    cdef const char *text = PyBytes_AS_STRING(line)
    cdef Written made
    cdef uint32_t at
    if PyBytes_GET_SIZE(line) > LINE_BYTES_MAX:
        return None
    if strncmp(text, b'{"type":"ADDED","object":', 25) == 0:
        at = 25
    elif strncmp(text, b'{"type":"MODIFIED","object":', 28) == 0:
        at = 28
    else:
        return None
    made = Written.__new__(Written)
    return made if made.read(line, at) else None

def listed(bytes item not None):
    """An item of a list; None: it is to be decoded, and may be anything."""
    cdef Written made = Written.__new__(Written)
    return made if PyBytes_GET_SIZE(item) <= LINE_BYTES_MAX and made.read(item, 0) else None
