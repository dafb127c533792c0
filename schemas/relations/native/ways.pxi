"""What is done at a place of an object: what readers (by_name.py, by_text.py) and slots (places.py) do, from its bytes.

The ways of most references stand here once more; of all others the reader itself is asked, with the value decoded.
"""

cdef class Course:
    """One object on its way: where it stands, and what was found of it."""

    cdef Written one
    cdef object run
    cdef list found, values
    cdef const char *namespace
    cdef Py_ssize_t namespace_size
    cdef bint is_named  # whether its namespace can be one's name
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

    cdef dict metadata(self):
        """All of it but for who manages which field."""
        cdef Written one = self.one
        cdef uint32_t at = one.metadata + 1
        cdef dict found = {}
        while at < one.nodes[one.metadata].after:
            if not _is_called(one, at, b"managedFields", 13):
                found[PyUnicode_DecodeASCII(<const char *>one.text + one.nodes[at].key, one.nodes[at].key_size, NULL)] = self.value(at)
            at = one.nodes[at].after
        return found


cdef class Way:
    """What is done at a place."""

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        """With the value there, to which these items lead; 1: it must be read in the plain way."""
        return 1


cdef class Asking(Way):
    """A reader that is asked with the value, unless it has nothing to say of it, as is known of the frequent ones."""

    cdef object read, number
    cdef str reads
    cdef bint is_around, is_elsewhere, needs_metadata, forgets

    def __init__(self, row, confidential):
        self.forgets = confidential
        self.read, self.number = row.read, next(_numbers)
        self.reads = row.by.reads if isinstance(row.by, TextReader) else ""
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
            return 1
        if self.needs_metadata:
            course.run.body["metadata"] = course.metadata()
            self.read(course.value(at), items, course.run)
            return 0
        looked_at = _tokens(course.one, at) if self.reads == "pod-tokens" else _raw(course.one, at)
        if looked_at is None or self.forgets:
            self.read(course.value(at), items, course.run)
            return 0
        return self.recall(course, at, items, looked_at)

    cdef int recall(self, Course course, uint32_t at, object items, bytes looked_at) except -1:
        """What it said of these very bytes, of an object of that namespace."""
        global _heard_bytes
        cdef list found = course.found
        cdef Py_ssize_t before = PyList_GET_SIZE(found)
        cdef tuple key = (self.number, items, looked_at, course.run.namespace, course.run.name if self.is_elsewhere else "")
        cdef PyObject *known = PyDict_GetItem(_heard, key)
        if known is not NULL:
            found.extend(<object>known)
            return 0
        self.read(course.value(at), items, course.run)
        _heard_bytes += PyBytes_GET_SIZE(looked_at) + HEARD_EACH
        if _heard_bytes > HEARD_BYTES_MAX:
            _heard.clear()
            _heard_bytes = PyBytes_GET_SIZE(looked_at) + HEARD_EACH
        _heard[key] = tuple(found[before:])
        return 0


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


cdef class Naming(Way):
    """What both ways of naming have in common: the reference that is made."""

    cdef object read, rule, relation, phases, confidence, soft, optional, once
    cdef dict paths
    cdef object path

    def __init__(self, row):
        reader = row.by
        self.read, self.paths, self.path = row.read, reader.paths, reader.path
        self.rule, self.relation, self.phases, self.confidence, self.once = reader.words()
        self.optional, self.soft = reader.always()

    cdef object where(self, object items):
        cdef PyObject *known = PyDict_GetItem(self.paths, items)
        return self.path(items) if known is NULL else <object>known

    cdef int add(self, Course course, object where, object target, object uid, object granule, object optional) except -1:
        cdef PyObject *fields[13]
        fields[0], fields[1], fields[2] = <PyObject *>self.rule, <PyObject *>where, <PyObject *>self.relation
        fields[3], fields[4], fields[5] = <PyObject *>self.phases, <PyObject *>target, <PyObject *>None
        fields[6], fields[7], fields[8] = <PyObject *>uid, <PyObject *>granule, <PyObject *>optional
        fields[9], fields[10] = <PyObject *>self.soft, <PyObject *>self.confidence
        fields[11], fields[12] = <PyObject *>_no, <PyObject *>self.once
        course.found.append(PyObject_Vectorcall(_reference, fields, 13, NULL))
        return 0


cdef class Part:
    """Granules of one part, by a path: `key`, `items[*].key`."""

    cdef str part
    cdef tuple steps
    cdef dict known

    def __init__(self, part, steps):
        self.part, self.known = part, {}
        self.steps = tuple([None if one is None else one.encode() for one in steps])

    cdef int find(self, Written one, uint32_t at, Py_ssize_t step, bint texts_only, list found) except -1:
        """Add those that stand there; 1: something is no plain text or number."""
        cdef Node *node = &one.nodes[at]
        cdef uint32_t inner = at + 1
        if node.kind == NOTHING:
            return 0
        if step == len(self.steps):
            if node.flags or (node.kind != TEXT and node.kind != INTEGER):
                return 1
            if node.kind == TEXT or not texts_only:
                found.append(self.granule(one, at))
            return 0
        if self.steps[step] is not None:
            inner = _child(one, at, <bytes>self.steps[step]) if node.kind == OBJECT else 0
            return self.find(one, inner, step + 1, texts_only, found) if inner else 0
        if node.kind == OBJECT:
            return 1
        while inner < node.after and node.kind == LIST:
            if self.find(one, inner, step + 1, texts_only, found):
                return 1
            inner = one.nodes[inner].after
        return 0

    cdef object granule(self, Written one, uint32_t at):
        cdef bytes text = _raw(one, at)
        cdef PyObject *known = NULL if text is None else PyDict_GetItem(self.known, text)
        if known is not NULL:
            return <object>known
        made = f"{self.part}:{_ascii(one, at)}"
        if text is not None:
            if len(self.known) >= GRANULES_MAX:
                self.known.clear()
            self.known[text] = made
        return made


cdef class Near(Naming):
    """As NearNameReader: a name of a fixed kind, near by."""

    cdef bytes head, field, word
    cdef str fixed
    cdef tuple fields
    cdef list parts
    cdef object add_unusual
    cdef bint is_alone, is_near, is_cluster, is_whole, texts_only

    def __init__(self, row):
        super().__init__(row)
        own = row.by.nearly()
        self.head, self.fixed, self.add_unusual = own.head.encode(), own.fixed, own.add
        self.is_alone, self.is_near, self.is_cluster, self.is_whole = own.alone, own.near, own.cluster, own.whole
        self.field, self.word = own.field.encode(), own.word.encode()
        self.parts, self.texts_only = [Part(*one) for one in own.parts], own.texts_only
        self.fields = tuple([one.encode() for one in own.fields])

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        cdef Written one = course.one
        cdef uint32_t name = at, beside
        cdef object optional = self.optional, granule = ""
        cdef bytes field
        cdef list found
        cdef bint is_told = self.is_whole
        if not self.is_alone:
            if one.nodes[at].kind != OBJECT:
                return 0
            name = _child(one, at, self.field)
        if one.nodes[name].kind != TEXT:  # of a name that is not there, it is that of the object itself
            return 0
        if not self.is_alone:
            if self.word:
                beside = _child(one, at, self.word)
                optional = beside != 0 and one.nodes[beside].kind == YES
            if not is_told and self.fields:
                for field in self.fields:
                    if _child(one, at, field):
                        break
                else:
                    is_told = True
            if not is_told:
                found = []
                for part in self.parts:
                    if (<Part>part).find(one, at, 0, self.texts_only, found):
                        self.read(course.value(at), items, course.run)
                        return 0
                if found:
                    for granule in found if PyList_GET_SIZE(found) == 1 else dict.fromkeys(found):
                        self.name(course, name, items, optional, granule)
                    return 0
        return self.name(course, name, items, optional, granule)

    cdef int name(self, Course course, uint32_t at, object items, object optional, object granule) except -1:
        cdef Node *node = &course.one.nodes[at]
        cdef const char *text = <const char *>course.one.text + node.start
        cdef Py_ssize_t size = node.end - node.start
        cdef object target
        if node.flags:
            self.add_unusual(_value(course.one, at), items, course.run, optional, granule)
            return 0
        if not is_name(text, size):
            return 0
        if self.is_near and course.is_named:
            target = _identity(PyBytes_AS_STRING(self.head), PyBytes_GET_SIZE(self.head), course.namespace, course.namespace_size, text, size)
        elif self.is_cluster:
            target = _identity(PyBytes_AS_STRING(self.head), PyBytes_GET_SIZE(self.head), NULL, 0, text, size)
        else:
            self.add_unusual(_value(course.one, at), items, course.run, optional, granule)
            return 0
        return self.add(course, self.fixed or self.where(items), target, "", granule, optional)


cdef class Typed(Naming):
    """As TypedNameReader: `{kind, name}` and more that stands side by side."""

    cdef bytes name_at, kind_at, group_at, namespace_at, uid_at
    cdef object own_goal, goal_read, placed, unsaid
    cdef dict goals
    cdef bint skips, is_near

    def __init__(self, row):
        super().__init__(row)
        own = row.by.typed()
        fields = [one.encode() for one in own.fields]
        self.name_at, self.kind_at, self.group_at, self.namespace_at, self.uid_at = fields
        self.own_goal, self.goal_read, self.placed, self.unsaid = own.goal, own.goal_read, own.placed, own.unsaid
        self.skips, self.is_near, self.goals = own.skips, own.near, {}

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        cdef Written one = course.one
        cdef uint32_t name, beside
        cdef Node *node
        cdef Node *its
        cdef object goal = self.own_goal, uid = "", namespace, head, target
        cdef const char *near
        cdef Py_ssize_t near_size
        cdef bint is_named
        if one.nodes[at].kind != OBJECT:
            return 0
        name = _child(one, at, self.name_at)
        node = &one.nodes[name]
        if name == 0 or node.kind != TEXT or node.start == node.end:
            return 0
        if node.flags:
            self.read(course.value(at), items, course.run)
            return 0
        if self.kind_at:
            beside = _child(one, at, self.kind_at)
            if one.nodes[beside].flags or (self.group_at and one.nodes[_child(one, at, self.group_at)].flags):
                self.read(course.value(at), items, course.run)
                return 0
            if beside and one.nodes[beside].kind == TEXT and one.nodes[beside].start < one.nodes[beside].end:
                goal = self.goal(one, beside, _child(one, at, self.group_at) if self.group_at else 0)
        if goal is None:
            return 0
        near, near_size, is_named, namespace = course.namespace, course.namespace_size, course.is_named, None
        beside = _child(one, at, self.namespace_at) if self.namespace_at else 0
        if beside and one.nodes[beside].kind == TEXT and one.nodes[beside].start < one.nodes[beside].end:
            its = &one.nodes[beside]
            near, near_size = <const char *>one.text + its.start, its.end - its.start
            is_named = not its.flags and is_name(near, near_size)
            if not is_named:
                namespace = _value(one, beside)
        elif not self.is_near:
            namespace, is_named = self.unsaid(course.run), False
        elif not is_named:
            namespace = course.run.namespace
        if is_named and not self.skips and not goal.is_cluster and is_name(<const char *>one.text + node.start, node.end - node.start):
            head = goal.head
            target = _identity(
                <const char *>PyUnicode_1BYTE_DATA(head), PyUnicode_GET_LENGTH(head), near, near_size,
                <const char *>one.text + node.start, node.end - node.start,
            )
        else:
            if namespace is None:
                namespace = PyUnicode_DecodeASCII(near, near_size, NULL)
            target = self.placed(goal, _ascii(one, name), namespace)
            if target is None:
                return 0
        beside = _child(one, at, self.uid_at) if self.uid_at else 0
        if beside and one.nodes[beside].kind == TEXT:
            uid = _value(one, beside)
        return self.add(course, self.where(items), target, uid, "", self.optional)

    cdef object goal(self, Written one, uint32_t kind, uint32_t group):
        """What a kind and a group, as they are written here, come to."""
        cdef Node *node = &one.nodes[kind]
        cdef Node *beside = &one.nodes[group]
        cdef bytes key
        cdef PyObject *known
        cdef bint has_group = group != 0 and beside.kind == TEXT
        key = PyBytes_FromStringAndSize(<const char *>one.text + node.start, node.end - node.start) + b"\x00"
        if has_group:
            key += PyBytes_FromStringAndSize(<const char *>one.text + beside.start, beside.end - beside.start)
        known = PyDict_GetItem(self.goals, key)
        if known is not NULL:
            return <object>known
        found = self.goal_read(_value(one, kind), _value(one, group) if has_group else "")
        if len(self.goals) >= KINDS_MAX:
            self.goals.clear()
        self.goals[key] = found
        return found


cdef extern from *:
    """
    /* What is_name of naming.py says of a text that is all ASCII. */
    static int is_name(const char *text, Py_ssize_t size) {
        uint8_t odd = 0, last = 0;
        for (Py_ssize_t at = 0; at < size; at++) {
            uint8_t one = (uint8_t)text[at];
            odd |= (one < 0x20) | (one >= 0x7f) | (one == '/') | (one == '$') | (one == '{' && last == '{');
            last = one;
        }
        return size > 0 && size <= 253 && !odd;
    }
    """
    bint is_name(const char *, Py_ssize_t) noexcept

cdef bytes _raw(Written one, uint32_t at):
    """A value as it is written, with its quotes; None: it is long."""
    cdef Node *node = &one.nodes[at]
    cdef uint32_t quote = node.kind == TEXT
    if node.end - node.start > HEARD_MAX:
        return None
    return PyBytes_FromStringAndSize(<const char *>one.text + node.start - quote, node.end - node.start + 2 * quote)

cdef inline uint32_t _child(Written one, uint32_t parent, bytes key) noexcept:
    return one.child(parent, PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key))

cdef object _identity(const char *head, Py_ssize_t head_size, const char *near, Py_ssize_t near_size, const char *name, Py_ssize_t size):
    """`head`, which ends with a slash, a namespace, if there is one, and a name."""
    cdef object made = PyUnicode_New(head_size + size + (near_size + 1 if near is not NULL else 0), 127)
    cdef char *out = <char *>PyUnicode_1BYTE_DATA(made)
    memcpy(out, head, head_size)
    out += head_size
    if near is not NULL:
        memcpy(out, near, near_size)
        out[near_size] = 47
        out += near_size + 1
    memcpy(out, name, size)
    return made

cdef bint _names_no_host(Written one, uint32_t at) noexcept:
    """As names_no_host of hosts.py, of what is known at a glance."""
    cdef Node *node = &one.nodes[at]
    cdef const char *text = <const char *>one.text + node.start
    cdef Py_ssize_t size = node.end - node.start, place
    if node.kind != TEXT:
        return True
    if node.flags or memchr(text, 58, size) is not NULL:
        return False
    for place in range(size - 3):
        if memcmp(text + place, b".svc", 4) == 0:
            return False
    return True

cdef bint _names_no_alone(Written one, uint32_t at):
    """As names_no_alone of hosts.py, of what is known at a glance."""
    cdef uint32_t row = at + 1, name
    cdef Node *node = &one.nodes[at]
    cdef bytes end
    cdef Py_ssize_t size
    if node.kind != LIST:
        return True
    while row < one.nodes[at].after:
        node = &one.nodes[row]
        if node.kind == TEXT and (node.flags or one.text[node.start] == 45):
            return False
        if node.kind == OBJECT:
            name = one.child(row, b"value", 5)
            node = &one.nodes[name]
            if not name or node.kind != TEXT or (not node.flags and memchr(one.text + node.start, 58, node.end - node.start) is not NULL):
                row = one.nodes[row].after
                continue
            name = one.child(row, b"name", 4)
            node = &one.nodes[name]
            if name and node.kind == TEXT:
                if node.flags:
                    return False
                for end in _QUICK_ENDINGS:
                    size = PyBytes_GET_SIZE(end)
                    if node.end - node.start >= size and memcmp(one.text + node.end - size, PyBytes_AS_STRING(end), size) == 0:
                        return False
        row = one.nodes[row].after
    return True

cdef bytes _tokens(Written one, uint32_t at):
    """All that _pod_tokens of readers.py looks at: the account, and where its tokens stand; None: too much."""
    cdef uint32_t volumes = one.child(at, b"volumes", 7), volume, sources, source
    cdef uint32_t places[64]
    cdef int count = 0, place = 0, inner
    cdef bytes name = b""
    for field in (b"serviceAccountName", b"serviceAccount"):
        source = _child(one, at, field)
        if source:
            raw = _raw(one, source)
            if raw is None:
                return None
            name += field + raw
    volume = volumes + 1
    while volume < one.nodes[volumes].after:
        sources = one.child(volume, b"projected", 9) if one.nodes[volume].kind == OBJECT else 0
        sources = one.child(sources, b"sources", 7) if sources and one.nodes[sources].kind == OBJECT else 0
        if sources and one.nodes[sources].kind == LIST:
            source, inner = sources + 1, 0
            while source < one.nodes[sources].after:
                if one.nodes[source].kind == OBJECT and one.child(source, b"serviceAccountToken", 19):
                    if count == 64:
                        return None
                    places[count], places[count + 1] = place, inner
                    count += 2
                inner += 1
                source = one.nodes[source].after
        place += 1
        volume = one.nodes[volume].after
    return bytes((count,)) + PyBytes_FromStringAndSize(<char *>places, 4 * count) + name

cdef bint _projects_nothing(Written one, uint32_t at) noexcept:
    """As _projects_nothing of silence.py."""
    cdef uint32_t volumes = one.child(at, b"volumes", 7) if one.nodes[at].kind == OBJECT else 0, row
    if volumes == 0 or one.nodes[volumes].kind != LIST:
        return True
    row = volumes + 1
    while row < one.nodes[volumes].after:
        if one.nodes[row].kind == OBJECT and one.child(row, b"projected", 9):
            return False
        row = one.nodes[row].after
    return True
