"""Places of which it is known that they are served."""

cdef Py_ssize_t REFERENCE_TARGET = offset_of(Reference.target)
assert REFERENCE_TARGET > 0

@cython.final
cdef class Places:
    """Places (a kind, and a namespace) that are known; those met lately are found by the bytes of who stands there."""

    cdef set _known
    cdef list _lately  # by a hash

    def __init__(self):
        self._known, self._lately = set(), [None] * PLACES_LATELY

    def __len__(self):
        return len(self._known)

    def add(self, str place not None):
        """It is known from now on."""
        self._known.add(place)

    def clear(self):
        """None is."""
        self._known.clear()
        self._lately = [None] * PLACES_LATELY

    def unplaced(self, tuple references not None):
        """The targets that are in none of them."""
        cdef Py_ssize_t at
        cdef str target
        cdef list found = []
        for at in range(PyTuple_GET_SIZE(references)):
            target = <str>field_at(PyTuple_GET_ITEM(references, at), REFERENCE_TARGET)
            if not self._has_place_of(target):
                found.append(target)
        return found

    cdef bint _has_place_of(self, str target) except -1:
        cdef const char *text
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(target)
        cdef uint64_t bucket
        cdef str place
        if not PyUnicode_IS_COMPACT_ASCII(target):
            return target.rpartition("/")[0] in self._known
        text = <const char *>PyUnicode_1BYTE_DATA(target)
        while size and text[size - 1] != 47:
            size -= 1
        size = max(size - 1, 0)
        bucket = hashed(text, size, SEED, FACTOR) & (PLACES_LATELY - 1)
        place = <str>self._lately[bucket]
        if place is not None and PyUnicode_GET_LENGTH(place) == size:
            if memcmp(PyUnicode_1BYTE_DATA(place), text, size) == 0:
                return True
        place = PyUnicode_Substring(target, 0, size)
        if place not in self._known:
            return False
        self._lately[bucket] = place
        return True
