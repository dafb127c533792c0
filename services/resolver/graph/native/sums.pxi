"""What members weigh (schemas/events.py), and what a batch changes in the digests of its kinds."""

include "schemas/native/weights.pxi"

cdef uint64_t _weight(Line *line) except? 0:
    """As schemas/events.py does it."""
    cdef uint64_t block[16]
    cdef uint32_t size = line.uid.size + 1 + line.version.size
    if size > BLOCK or not LITTLE:
        return member_weight(_string(&line.uid), _string(&line.version))
    memset(block, 0, BLOCK)
    memcpy(block, line.uid.at, line.uid.size)
    memcpy(<char *>block + line.uid.size + 1, line.version.at, line.version.size)
    return weight_of_block(block, size)

cdef class Sums:
    """What a batch changes in the digests of its kinds."""

    cdef object _digests
    cdef uint64_t[::1] _weights
    cdef list _kinds
    cdef int64_t _counts[64]
    cdef uint64_t _totals[64]

    def __init__(self, digests):
        self._digests, self._kinds = digests, []

    cdef int begin(self, Py_ssize_t numbers) except -1:
        self._digests.grow(numbers)
        self._weights = self._digests.weights
        return 0

    cdef int put(self, Py_ssize_t number, PyObject *place, uint64_t weight, bint is_new) except -1:
        cdef PyObject *kind = field_at(place, PLACE_KIND)
        cdef Py_ssize_t at, count = PyList_GET_SIZE(self._kinds)
        for at in range(count):
            if PyList_GET_ITEM(self._kinds, at) == kind:
                break
        else:
            if count == 64:
                self._told()
            at = PyList_GET_SIZE(self._kinds)
            self._kinds.append(<object>kind)
            self._counts[at], self._totals[at] = 0, 0
        self._totals[at] += weight - self._weights[number]
        self._counts[at] += is_new
        self._weights[number] = weight
        return 0

    cdef int _told(self) except -1:
        cdef Py_ssize_t at
        for at in range(PyList_GET_SIZE(self._kinds)):
            self._digests.add(self._kinds[at], self._counts[at], self._totals[at])
        self._kinds = []
        return 0

    cdef int end(self) except -1:
        self._weights = None
        return self._told()
