# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""names.py again, in C: the same numbers for the same identities, found by their bytes. See there what it is for.

An identity is kept as its UTF-8 bytes, and found in one of 256 hash tables, so that none of them is large enough to
make a pause when it grows. What is there of a kind and a namespace hangs together in a list, in the order in which it
came. test_graph_names.py holds both to the same answers.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_DecodeUTF8

from services.resolver.graph.kept import place_of

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object) noexcept
    bint PyUnicode_IS_COMPACT_ASCII(object) noexcept
    void *PyUnicode_DATA(object) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object) noexcept

include "schemas/native/hashing.pxi"

NOWHERE = -1
cdef enum:
    SHARDS = 256
    SHARD_MIN = 8
cdef uint32_t NOBODY = 0xFFFFFFFF


cdef bytes _encoded(resource):
    """With a place, though it be empty."""
    return (resource if "/" in resource else f"/{resource}").encode("utf-8", "surrogatepass")


cdef inline bint _is_plain(resource) noexcept:
    """Whether its characters are the bytes that it is kept as."""
    if not PyUnicode_CheckExact(resource) or not PyUnicode_IS_COMPACT_ASCII(resource):
        return False
    return memchr(PyUnicode_DATA(resource), 47, PyUnicode_GET_LENGTH(resource)) is not NULL


cdef inline str _decoded(const char *text, Py_ssize_t size):
    return PyUnicode_DecodeUTF8(text, size, "surrogatepass")


cdef Py_ssize_t _cut(const char *text, Py_ssize_t size) noexcept:
    """Where the last slash stands; an identity has one."""
    cdef Py_ssize_t at = size - 1
    while at >= 0 and text[at] != 47:
        at -= 1
    return at


cdef class Names:
    """Numbers are handed out densely; a forgotten one is handed out again."""

    def __cinit__(self):
        self.place = []  # by number
        self._same, self._free = [], []
        self._homes, self._of_kind = {}, {}
        self._homes_place, self._free_homes = [], []

    def __dealloc__(self):
        cdef Py_ssize_t number
        for number in range(self._count):
            PyMem_Free(self._text[number])
        PyMem_Free(self._text)
        PyMem_Free(self._next)
        PyMem_Free(self._before)
        PyMem_Free(self._home)
        PyMem_Free(self._rows)
        for number in range(SHARDS):
            PyMem_Free(self._shards[number].slots)

    # ── of bytes ────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int64_t look(self, const char *text, Py_ssize_t size) noexcept:
        """The number, or -1."""
        return self._found(hashed(text, size, SEED, FACTOR), text, size)

    cdef int64_t _found(self, uint64_t key, const char *text, Py_ssize_t size) noexcept:
        cdef Shard *shard = &self._shards[key & (SHARDS - 1)]
        cdef uint32_t tag = <uint32_t>(key >> 32), at
        cdef uint64_t slot
        cdef char *known
        if shard.slots is NULL:
            return -1
        at = tag & shard.mask
        while True:
            slot = shard.slots[at]
            if slot == 0:
                return -1
            if <uint32_t>(slot >> 32) == tag:
                known = self._text[<uint32_t>slot - 1]
                if (<uint32_t *>known)[0] == size and memcmp(known + 4, text, size) == 0:
                    return <uint32_t>slot - 1
            at = (at + 1) & shard.mask

    cdef int64_t take(self, const char *text, Py_ssize_t size) except -1:
        """The number; a new one when it has none. The text has a slash."""
        cdef uint64_t key = hashed(text, size, SEED, FACTOR)
        cdef int64_t found = self._found(key, text, size)
        cdef Py_ssize_t cut
        cdef object place
        if found >= 0:
            return found
        cut = _cut(text, size)
        if self._is_last(text, cut):
            home = self._last_home  # one comes after the other
            place = self._homes_place[home]
        else:
            head = _decoded(text, cut)
            home = self._homes.get(head)
            place = place_of(head) if home is None else self._homes_place[home]
        if self._free:
            made = self._free.pop()
            found = made
            self.place[found] = place
        else:
            found = self._count
            self._more()
            made = found
            self.place.append(place)
            self._same.append(made)
        self._keep(found, text, size)
        self._settle(found, place, home, key)
        if home is not self._last_home:
            self._last_head, self._last_home, self._last_place = PyBytes_FromStringAndSize(text, cut), home, place
        return found

    cdef bint _is_last(self, const char *text, Py_ssize_t size) noexcept:
        """Whether the last new number is of this place."""
        if self._last_home is None or self._last_head is None or PyBytes_GET_SIZE(self._last_head) != size:
            return False
        return memcmp(PyBytes_AS_STRING(self._last_head), text, size) == 0

    cdef object same(self, Py_ssize_t number):
        """The very object that this number always is."""
        return self._same[number]

    cdef int _more(self) except -1:
        """Room for one number more."""
        cdef Py_ssize_t room
        if self._count == self._room:
            room = 64 if self._room == 0 else self._room + (self._room >> 1)
            self._text = <char **>_grown(self._text, room * sizeof(char *))
            self._next = <uint32_t *>_grown(self._next, room * 4)
            self._before = <uint32_t *>_grown(self._before, room * 4)
            self._home = <uint32_t *>_grown(self._home, room * 4)
            self._room = room
        self._text[self._count] = NULL
        self._home[self._count] = NOBODY
        self._count += 1
        return 0

    cdef char *_room_for(self, Py_ssize_t number, Py_ssize_t size) except NULL:
        """Where the text of this number is to be written."""
        cdef char *kept = <char *>PyMem_Malloc(size + 4)
        if kept is NULL:
            raise MemoryError
        (<uint32_t *>kept)[0] = <uint32_t>size
        PyMem_Free(self._text[number])
        self._text[number] = kept
        return kept + 4

    cdef int _keep(self, Py_ssize_t number, const char *text, Py_ssize_t size) except -1:
        memcpy(self._room_for(number, size), text, size)
        return 0

    cdef int _settle(self, Py_ssize_t number, object place, object home, uint64_t key) except -1:
        """It is found from now on, and stands last in its place. `home`: where that is, None when it is a new one."""
        cdef Home *row
        cdef Py_ssize_t at, room
        if home is None:
            if self._free_homes:
                home = self._free_homes.pop()
                self._homes_place[home] = place
            else:
                home = len(self._homes_place)
                self._homes_place.append(place)
                if len(self._homes_place) > self._rows_room:
                    room = max(16, 2 * self._rows_room)
                    self._rows = <Home *>_grown(self._rows, room * sizeof(Home))
                    self._rows_room = room
            at = home
            self._rows[at].first = self._rows[at].last = NOBODY
            self._rows[at].count = 0
            self._homes[place.head] = home
            self._of_kind.setdefault(place.kind, {})[place.head] = place
        at = home
        row = &self._rows[at]
        self._home[number] = <uint32_t>at
        self._next[number], self._before[number] = NOBODY, row.last
        if row.last == NOBODY:
            row.first = <uint32_t>number
        else:
            self._next[row.last] = <uint32_t>number
        row.last = <uint32_t>number
        row.count += 1
        self._file(key, number)
        return 0

    cdef int _file(self, uint64_t key, Py_ssize_t number) except -1:
        cdef Shard *shard = &self._shards[key & (SHARDS - 1)]
        cdef uint64_t *former
        cdef uint32_t size, at
        if shard.slots is NULL or 3 * shard.used >= 2 * shard.mask:
            size = SHARD_MIN if shard.slots is NULL else 2 * (shard.mask + 1)
            former = shard.slots
            shard.slots = <uint64_t *>PyMem_Calloc(size, sizeof(uint64_t))
            if shard.slots is NULL:
                shard.slots = former
                raise MemoryError
            if former is not NULL:
                at = shard.mask
                shard.mask = size - 1
                for at in range(at + 1):
                    if former[at]:
                        _placed(shard, former[at])
                PyMem_Free(former)
            shard.mask = size - 1
        _placed(shard, (key >> 32 << 32) | <uint64_t>(number + 1))
        shard.used += 1
        return 0

    cdef uint64_t _key(self, Py_ssize_t number) noexcept:
        """What it is filed under."""
        return hashed(self._text[number] + 4, (<uint32_t *>self._text[number])[0], SEED, FACTOR)

    cdef void _unfile(self, Py_ssize_t number) noexcept:
        """Take it out of its table, and close the gap."""
        cdef uint64_t key = self._key(number)
        cdef Shard *shard = &self._shards[key & (SHARDS - 1)]
        cdef uint32_t mask = shard.mask, at = <uint32_t>(key >> 32) & mask, on
        cdef uint64_t mine = (key >> 32 << 32) | <uint64_t>(number + 1)
        while shard.slots[at] != mine:
            if shard.slots[at] == 0:
                return
            at = (at + 1) & mask
        on = (at + 1) & mask
        while shard.slots[on]:
            # it may move back unless that would be before its own place
            if ((on - (<uint32_t>(shard.slots[on] >> 32) & mask)) & mask) >= ((on - at) & mask):
                shard.slots[at] = shard.slots[on]
                at = on
            on = (on + 1) & mask
        shard.slots[at] = 0
        shard.used -= 1

    # ── as names.py has it ──────────────────────────────────────────────────────────────────────────────────────────

    def find(self, resource):
        """The number, or NOWHERE."""
        cdef bytes text
        cdef int64_t found
        if _is_plain(resource):
            found = self.look(<const char *>PyUnicode_DATA(resource), PyUnicode_GET_LENGTH(resource))
        else:
            text = _encoded(resource)
            found = self.look(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        return NOWHERE if found < 0 else self._same[found]

    def number(self, resource):
        """The number; a new one when it has none."""
        cdef bytes text
        if _is_plain(resource):
            return self._same[self.take(<const char *>PyUnicode_DATA(resource), PyUnicode_GET_LENGTH(resource))]
        text = _encoded(resource)
        return self._same[self.take(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))]

    def numbers(self, resources):
        """The number of each, one after the other."""
        return [self.number(one) for one in resources]

    def restore(self, places, names):
        """The next numbers, as they were handed out once; each is still to be adopted or released."""
        cdef bytes head, text
        cdef object former = None
        cdef Py_ssize_t size
        cdef char *kept
        for place, name in zip(places, names, strict=True):
            if place is not former:
                former, head = place, f"{place.head}/".encode("utf-8", "surrogatepass")
            self._more()
            self.place.append(place)
            self._same.append(None)
            if PyUnicode_CheckExact(name) and PyUnicode_IS_COMPACT_ASCII(name):
                size = PyBytes_GET_SIZE(head) + PyUnicode_GET_LENGTH(name)
                kept = self._room_for(self._count - 1, size)
                memcpy(kept, PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head))
                memcpy(kept + PyBytes_GET_SIZE(head), PyUnicode_DATA(name), PyUnicode_GET_LENGTH(name))
            else:
                text = head + name.encode("utf-8", "surrogatepass")
                self._keep(self._count - 1, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    def adopt(self, number):
        """A number that was restored is in use."""
        place = self.place[number]
        self._same[number] = number
        if place is not self._last_place or self._last_home is None:
            self._last_place, self._last_home, self._last_head = place, self._homes.get(place.head), None
        self._settle(number, place, self._last_home, self._key(number))
        if self._last_home is None:
            self._last_home = self._homes[place.head]

    def release(self, number):
        """A number that was restored is not in use."""
        cdef Py_ssize_t at = number
        self._same[at] = number
        self._free.append(number)

    def names(self, Py_ssize_t first, Py_ssize_t last):
        """The names of numbers, without their places."""
        return [self._called(number) for number in range(first, min(last, self._count))]

    def forget(self, Py_ssize_t number):
        """Nobody uses this number any more."""
        cdef Py_ssize_t home
        cdef Home *row
        cdef uint32_t before, after
        if not 0 <= number < self._count or self._home[number] == NOBODY:
            raise KeyError(number)
        home = self._home[number]
        row = &self._rows[home]
        before, after = self._before[number], self._next[number]
        self._unfile(number)
        self._home[number] = NOBODY
        if before == NOBODY:
            row.first = after
        else:
            self._next[before] = after
        if after == NOBODY:
            row.last = before
        else:
            self._before[after] = before
        row.count -= 1
        self._free.append(self._same[number])
        if not row.count:
            place = self._homes_place[home]
            self._last_home = None
            self._homes_place[home] = None
            self._free_homes.append(home)
            del self._homes[place.head]
            places = self._of_kind[place.kind]
            del places[place.head]
            if not places:
                del self._of_kind[place.kind]

    def resource(self, Py_ssize_t number):
        """The identity."""
        if not 0 <= number < self._count:
            raise IndexError(number)
        return _decoded(self._text[number] + 4, (<uint32_t *>self._text[number])[0])

    cdef str _called(self, Py_ssize_t number):
        cdef char *kept = self._text[number]
        cdef Py_ssize_t size = (<uint32_t *>kept)[0]
        cdef Py_ssize_t cut = _cut(kept + 4, size)
        return _decoded(kept + 5 + cut, size - cut - 1)

    def name(self, Py_ssize_t number):
        """The name, without its place."""
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._called(number)

    def kind(self, number):
        """Of which kind it is."""
        return self.place[number].kind

    def kinds(self):
        """Kinds of which something is there or named."""
        return iter(self._of_kind)

    def members(self, kind, namespace=None):
        """Numbers of what is there or named of a kind, namespace by namespace; they may change while this is asked."""
        places = self._of_kind.get(kind, {})
        head = f"{kind}/{namespace}" if namespace else kind
        for place in [*places.values()] if namespace is None else [places[head]] if head in places else []:
            yield self._members_of(place)

    cdef list _members_of(self, place):
        cdef uint32_t number
        home = self._homes.get(place.head)
        found = []
        if home is not None:
            number = self._rows[<Py_ssize_t>home].first
            while number != NOBODY:
                found.append(self._same[number])
                number = self._next[number]
        return found

    def __len__(self):
        """One more than the largest number that was ever handed out."""
        return self._count


cdef void *_grown(void *former, size_t size) except NULL:
    cdef void *made = PyMem_Realloc(former, size)
    if made is NULL:
        raise MemoryError
    return made


cdef void _placed(Shard *shard, uint64_t slot) noexcept:
    cdef uint32_t at = <uint32_t>(slot >> 32) & shard.mask
    while shard.slots[at]:
        at = (at + 1) & shard.mask
    shard.slots[at] = slot
