"""The tree of places (places.py), and the way through an object that walking.py writes as a function."""

cdef enum:
    FIRST_ITEMS = 64
cdef tuple _first_items = tuple([(_number,) for _number in range(FIRST_ITEMS)])  # which lead to most of what is in lists

@cython.final
cdef class Spot:
    """A place in objects: what is done here, and what lies deeper."""

    cdef list ways, choosy, keys, spots
    cdef Spot each
    cdef bint is_wide
    cdef int16_t _first[64]  # by hash: places in `keys`, and who comes next
    cdef list _next

    def __init__(self):
        self.ways, self.choosy, self.keys, self.spots = [], [], [], []

    cdef int go(self, Course course, uint32_t at, object items) except -1:
        """Through what stands there; 1: the plain way is to read the object."""
        cdef Written one = course.one
        cdef Node *node = &one.nodes[at]
        cdef Py_ssize_t place
        cdef uint32_t inner, after = node.after
        cdef Spot spot
        cdef int number = 0
        for place in range(PyList_GET_SIZE(self.ways)):
            if (<Way>self.ways[place]).go(course, at, items):
                return 1
        for place in range(PyList_GET_SIZE(self.choosy)):
            if (<Choosy>self.choosy[place]).wants(one, at) and (<Choosy>self.choosy[place]).way.go(course, at, items):
                return 1
        if PyList_GET_SIZE(self.keys) and node.kind == OBJECT:
            if self.is_wide:
                inner = at + 1
                if at == 0 and self.head(course, items):
                    return 1
                while inner < after:
                    if one.nodes[inner].key_flags:
                        return 1
                    if one.nodes[inner].kind != NOTHING and (at or not _is_of_head(one, inner)):
                        spot = self.find(one, inner)
                        if spot is not None and spot.go(course, inner, items):
                            return 1
                    inner = one.nodes[inner].after
            else:
                for place in range(PyList_GET_SIZE(self.keys)):
                    inner = _child(one, at, <bytes>self.keys[place])
                    if inner and one.nodes[inner].kind != NOTHING and (<Spot>self.spots[place]).go(course, inner, items):
                        return 1
        if self.each is not None and (node.kind == LIST or node.kind == OBJECT):
            inner = at + 1
            while inner < after:
                if one.nodes[inner].key_flags:
                    return 1
                if one.nodes[inner].kind != NOTHING:
                    if node.kind == OBJECT:
                        deeper = items + (_item_of(one, inner),)
                    elif number < FIRST_ITEMS and PyTuple_GET_SIZE(items) == 0:
                        deeper = _first_items[number]
                    else:
                        deeper = items + (number,)
                    if self.each.go(course, inner, deeper):
                        return 1
                number += 1
                inner = one.nodes[inner].after
        return 0

    cdef int head(self, Course course, object items) except -1:
        """What comes first of an object that is decoded, wherever it stands."""
        cdef uint32_t at
        cdef Spot spot
        for key in (b"apiVersion", b"kind", b"metadata"):
            at = _child(course.one, 0, key)
            if at and course.one.nodes[at].kind != NOTHING:
                spot = self.find(course.one, at)
                if spot is not None and spot.go(course, at, items):
                    return 1
        return 0

    cdef Spot find(self, Written one, uint32_t at):
        """The place below under this field's name."""
        cdef Node *node = &one.nodes[at]
        cdef int place = self._first[_hashed(one.text + node.key, node.key_size)]
        cdef bytes key
        while place >= 0:
            key = <bytes>self.keys[place]
            if _is_called(one, at, PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key)):
                return <Spot>self.spots[place]
            place = self._next[place]
        return None

    cdef int settle(self, int depth) except -1:
        """Know in which order fields are met: where walking.py asks for them in the tree's, and where in the object's."""
        cdef Spot spot
        cdef int place, bucket
        cdef bytes key
        self.is_wide = len(self.keys) > WIDE or depth > _DEEP
        for bucket in range(64):
            self._first[bucket] = -1
        self._next = [-1] * len(self.keys)
        for place in range(<int>len(self.keys)):
            key = <bytes>self.keys[place]
            bucket = _hashed(<const uint8_t *>PyBytes_AS_STRING(key), <uint32_t>PyBytes_GET_SIZE(key))
            self._next[place], self._first[bucket] = self._first[bucket], place
            spot = self.spots[place]
            if self.is_wide:
                spot.settle(1)
            elif spot.ways or spot.choosy or spot.each is not None:
                spot.settle(_below(depth + 2))
            else:
                spot.settle(_below(depth + 1))
        if self.each is not None:
            self.each.settle(_below(depth + 2))
        return 0


@cython.final
cdef class Choosy:
    """What is done with some mappings only (places.Row)."""

    cdef Way way
    cdef bytes needs
    cdef tuple lacks

    cdef bint wants(self, Written one, uint32_t at):
        cdef uint32_t beside
        cdef bytes field
        cdef bint is_map = one.nodes[at].kind == OBJECT
        if self.needs and not (is_map and _child(one, at, self.needs)):
            return False
        if is_map:
            for field in self.lacks:
                beside = _child(one, at, field)
                if beside and one.nodes[beside].kind != NOTHING:
                    return False
        return True


cdef bint _is_of_head(Written one, uint32_t at) noexcept:
    return at == one.metadata or _is_called(one, at, b"apiVersion", 10) or _is_called(one, at, b"kind", 4)

cdef inline uint32_t _hashed(const uint8_t *key, uint32_t size) noexcept:
    return (key[0] + 7 * key[size - 1] + 13 * size) & 63 if size else 0

cdef inline int _below(int depth):
    """Deeper than that walking.py begins another function."""
    return depth if depth <= _DEEP else 1

cdef object _item_of(Written one, uint32_t at):
    return f"['{_key(one, at)}']"

cdef Spot _spot_of(rows, bint confidential):
    """The tree; what is done at one place keeps its order."""
    cdef Spot root = Spot(), spot
    cdef bytes key
    cdef Choosy choosy
    for row in rows:
        spot = root
        for step in row.steps:
            if step is None:
                if spot.each is None:
                    spot.each = Spot()
                spot = spot.each
                continue
            key = step.encode()
            if key not in spot.keys:
                spot.keys.append(key)
                spot.spots.append(Spot())
            spot = spot.spots[spot.keys.index(key)]
        if row.needs or row.lacks:
            choosy = Choosy.__new__(Choosy)
            choosy.way, choosy.needs = _way_of(row, confidential), row.needs.encode()
            choosy.lacks = tuple([one.encode() for one in row.lacks])
            spot.choosy.append(choosy)
        else:
            spot.ways.append(_way_of(row, confidential))
    root.settle(1)
    return root

cdef Way _way_of(row, bint confidential):
    if isinstance(row.read, Slot):
        return Keeping(row)
    if isinstance(row.by, OwnNamespaceReader):
        return Namespaced(row)
    if isinstance(row.by, NearNameReader):
        return Near(row)
    if isinstance(row.by, TypedNameReader):
        return Typed(row)
    return Asking(row, confidential)
