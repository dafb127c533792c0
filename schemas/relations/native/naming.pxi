"""Readers of names (by_name.py) from an object's bytes: the ways of most references."""

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

    cdef int add(
        self, Course course, object where, object target, object uid, object granule, object optional
    ) except -1:
        cdef PyObject *fields[13]
        fields[0], fields[1], fields[2] = <PyObject *>self.rule, <PyObject *>where, <PyObject *>self.relation
        fields[3], fields[4], fields[5] = <PyObject *>self.phases, <PyObject *>target, <PyObject *>None
        fields[6], fields[7], fields[8] = <PyObject *>uid, <PyObject *>granule, <PyObject *>optional
        fields[9], fields[10] = <PyObject *>self.soft, <PyObject *>self.confidence
        fields[11], fields[12] = <PyObject *>_no, <PyObject *>self.once
        course.found.append(PyObject_Vectorcall(_reference, fields, 13, NULL))
        return 0


@cython.final
cdef class Part:
    """Granules of one part, by a path: `key`, `items[*].key`."""

    cdef str part
    cdef tuple steps

    def __init__(self, part, steps):
        self.part = part
        self.steps = tuple([None if one is None else one.encode() for one in steps])

    cdef int find(self, Written one, uint32_t at, Py_ssize_t step, list found) except -1:
        """Add those that stand there; 1: something is no plain text or number."""
        cdef Node *node = &one.nodes[at]
        cdef uint32_t inner = at + 1
        if node.kind == NOTHING:
            return 0
        if step == len(self.steps):
            if node.flags or (node.kind != TEXT and node.kind != INTEGER):
                return 1
            found.append(self.granule(one, at))
            return 0
        if self.steps[step] is not None:
            inner = _child(one, at, <bytes>self.steps[step]) if node.kind == OBJECT else 0
            return self.find(one, inner, step + 1, found) if inner else 0
        if node.kind == OBJECT:
            return 1
        while inner < node.after and node.kind == LIST:
            if self.find(one, inner, step + 1, found):
                return 1
            inner = one.nodes[inner].after
        return 0

    cdef object granule(self, Written one, uint32_t at):
        cdef str text = _ascii(one, at)
        cdef tuple key = (self.part, text)
        cdef PyObject *known = PyDict_GetItem(_granules, key)
        if known is not NULL:
            return <object>known
        made = f"{self.part}:{text}"
        if PyUnicode_GET_LENGTH(text) <= GRANULE_MAX:
            if len(_granules) >= GRANULES_MAX:
                _granules.clear()
            _granules[key] = made
        return made


@cython.final
cdef class Near(Naming):
    """As NearNameReader: a name of a fixed kind, near by."""

    cdef bytes head, field, word
    cdef str fixed
    cdef tuple fields
    cdef list parts
    cdef object add_unusual
    cdef bint is_alone, is_near, is_cluster, is_whole

    def __init__(self, row):
        super().__init__(row)
        own = row.by.nearly
        self.head, self.fixed, self.add_unusual = own.head.encode(), own.fixed, row.by.add
        self.is_alone, self.is_near, self.is_cluster, self.is_whole = own.alone, own.near, own.cluster, own.whole
        self.field, self.word = own.field.encode(), own.word.encode()
        self.parts = [Part(*one) for one in own.parts]
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
                    if (<Part>part).find(one, at, 0, found):
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
        cdef Py_ssize_t size = node.end - node.start, head_size = PyBytes_GET_SIZE(self.head)
        cdef const char *head = PyBytes_AS_STRING(self.head)
        cdef object target
        if node.flags:
            self.add_unusual(_value(course.one, at), items, course.run, optional, granule)
            return 0
        if not is_name(text, size):
            return 0
        if self.is_near and course.is_named:
            target = _identity(head, head_size, course.namespace, course.namespace_size, text, size)
        elif self.is_cluster:
            target = _identity(head, head_size, NULL, 0, text, size)
        else:
            self.add_unusual(_value(course.one, at), items, course.run, optional, granule)
            return 0
        return self.add(course, self.fixed or self.where(items), target, "", granule, optional)


@cython.final
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
        cdef const char *text
        cdef Py_ssize_t near_size, size
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
        text, size = <const char *>one.text + node.start, node.end - node.start
        if is_named and not self.skips and not goal.is_cluster and is_name(text, size):
            head = goal.head
            target = _identity(
                <const char *>PyUnicode_1BYTE_DATA(head), PyUnicode_GET_LENGTH(head), near, near_size, text, size
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
