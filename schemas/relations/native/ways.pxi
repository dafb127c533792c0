"""What is done at a place of an object: slots (places.py), and readers that are asked with the value there."""

@cython.final
@cython.no_gc
@cython.freelist(8)
cdef class Course:
    """One object on its way: where it stands, and what was found of it."""

    cdef Written one
    cdef object run
    cdef list found, values
    cdef const char *namespace
    cdef Py_ssize_t namespace_size
    cdef bint is_named  # whether its namespace can be one's name
    cdef bint is_filled  # whether all of its body is decoded
    cdef dict decoded

    cdef object value(self, uint32_t at):
        """The value of a node, decoded once."""
        cdef Node *node = &self.one.nodes[at]
        cdef PyObject *known
        if node.kind != OBJECT and node.kind != LIST:
            return _value(self.one, at)
        known = PyDict_GetItem(self.decoded, at)
        if known is not NULL:
            return <object>known
        made = _value(self.one, at)
        self.decoded[at] = made
        return made

    cdef int fill(self) except -1:
        """Decode all of its body, for who looks at more than a place of it."""
        if not self.is_filled:
            _fill(self.one, self.run.body)
            self.is_filled = True
        return 0


cdef dict _labels(Course course, uint32_t at):
    """A map of texts. Replicas have the same labels: what their bytes say is remembered, and nobody changes it."""
    cdef Node *node = &course.one.nodes[at]
    cdef const char *text = <const char *>course.one.text + node.start
    cdef Py_ssize_t size = node.end - node.start
    cdef uint64_t bucket
    cdef tuple known
    if size > LABELS_MAX:
        return course.value(at)
    bucket = hashed(text, size, SEED, FACTOR) & (LABELS_LATELY - 1)
    known = <tuple>_labels_lately[bucket]
    if known is None or PyBytes_GET_SIZE(known[0]) != size or memcmp(PyBytes_AS_STRING(known[0]), text, size) != 0:
        known = (PyBytes_FromStringAndSize(text, size), course.value(at))
        _labels_lately[bucket] = known
    return <dict>known[1]


cdef class Way:
    """What is done at a place."""

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        """With the value there, to which these items lead; 1: it must be read in the plain way."""
        return 1


cdef class Asking(Way):
    """A reader that is asked with the value, unless it has nothing to say of it, as is known of the frequent ones."""

    cdef object read, number
    cdef str reads
    cdef list fields  # of a mapping, that it looks at; None: all of them
    cdef bint is_around, is_elsewhere, needs_metadata, forgets

    def __init__(self, row, confidential):
        self.read, self.number, self.fields = row.read, next(_numbers), _fields_of(row.by)
        self.reads = row.by.reads if isinstance(row.by, TextReader) else ""
        self.forgets = confidential or (self.reads and self.reads not in SAYS_BY_VALUE)
        self.needs_metadata = self.reads in LOOKS_AT_METADATA
        self.is_around, self.is_elsewhere = row.looks_around and not self.needs_metadata, row.by.is_elsewhere

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        if self.reads == "hosts" and _names_no_host(course.one, at):
            return 0
        if self.reads == "named-hosts" and _names_no_alone(course.one, at):
            return 0
        if self.reads == "pod-tokens" and _projects_nothing(course.one, at):
            return 0
        if self.is_around:
            course.fill()
            self.read(course.value(at), items, course.run)
            return 0
        if self.needs_metadata:
            if not course.is_filled:
                course.run.body["metadata"] = _metadata(course.one)
            self.read(course.value(at), items, course.run)
            return 0
        looked_at = None
        if not self.forgets and self.reads == "pod-tokens":
            looked_at = _tokens(course.one, at)
        elif not self.forgets and self.fields is None:
            looked_at = _raw(course.one, at)
        if looked_at is None:
            self.read(self.part(course, at), items, course.run)
            return 0
        return self.recall(course, at, items, looked_at)

    cdef object part(self, Course course, uint32_t at):
        """As much of a value as it looks at."""
        cdef bytes name
        cdef str field
        cdef uint32_t inner
        cdef dict found
        if self.fields is None or course.one.nodes[at].kind != OBJECT:
            return course.value(at)
        found = {}
        for name, field in self.fields:
            inner = _child(course.one, at, name)
            if inner:
                found[field] = course.value(inner)
        return found

    cdef int recall(self, Course course, uint32_t at, object items, bytes looked_at) except -1:
        """What it said of these very bytes, of an object of that namespace. Of the bytes a hash is kept, as of marks."""
        global _heard_bytes
        cdef list found = course.found
        cdef Py_ssize_t before = PyList_GET_SIZE(found), size
        cdef str name = course.run.name if self.is_elsewhere else ""
        cdef tuple key = (self.number, items, hash(looked_at), course.run.namespace, name)
        cdef PyObject *known = PyDict_GetItem(_heard, key)
        if known is not NULL:
            found.extend(<object>known)
            return 0
        self.read(self.part(course, at), items, course.run)
        size = HEARD_EACH * (1 + PyList_GET_SIZE(found) - before)
        _heard_bytes += size
        if _heard_bytes > HEARD_BYTES_MAX:
            _heard.clear()
            _heard_bytes = size
        _heard[key] = tuple(found[before:])
        return 0


cdef list _fields_of(reader):
    """The fields that a reader of names looks at, and one of tokens: of a Pod's specification all else is much."""
    if isinstance(reader, TextReader) and reader.reads == "pod-tokens":
        beside = TOKENS_LOOK_AT
    elif isinstance(reader, NameReader) and not reader.looks_around:
        beside = ()
    else:
        return None
    found = reader.rule.looked_at
    return None if found is None else [(one.encode(), one) for one in sorted(found.union(beside))]


cdef class Namespaced(Way):
    """What is the same for every object of a namespace."""

    cdef object read
    cdef dict said

    def __init__(self, row):
        self.read, self.said = row.read, {}

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        cdef list found = course.found
        cdef PyObject *known = PyDict_GetItem(self.said, course.run.namespace)
        cdef Py_ssize_t before = PyList_GET_SIZE(found)
        if known is not NULL:
            found.extend(<object>known)
            return 0
        self.read(None, items, course.run)  # which looks at no value
        if len(self.said) >= NAMESPACES_MAX:
            self.said.clear()
        self.said[course.run.namespace] = tuple(found[before:])
        return 0


cdef class Keeping(Way):
    """A slot."""

    cdef Py_ssize_t number
    cdef str keeps
    cdef object make

    def __init__(self, row):
        self.number, self.keeps, self.make = row.read

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        cdef object value = course.value(at)
        cdef list values = course.values
        if self.make is not None:
            values[self.number] = self.make(value)
        elif self.keeps == "all":
            if values[self.number] is None:
                values[self.number] = [value]
            else:
                (<list>values[self.number]).append(value)
        elif self.keeps != "first" or values[self.number] is None:
            values[self.number] = value
        return 0
