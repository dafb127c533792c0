from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef struct Shard:
    uint64_t *slots
    uint32_t mask
    uint32_t used

cdef struct Home:
    uint32_t first
    uint32_t last
    uint32_t count

cdef class Names:
    cdef readonly list place
    cdef list _same
    cdef list _homes_place
    cdef list _free
    cdef list _free_homes
    cdef dict _homes
    cdef dict _of_kind
    cdef char **_text
    cdef uint32_t *_next
    cdef uint32_t *_before
    cdef uint32_t *_home
    cdef Py_ssize_t _count
    cdef Py_ssize_t _room
    cdef Home *_rows
    cdef Py_ssize_t _rows_room
    cdef Shard _shards[256]
    cdef bytes _last_head
    cdef object _last_home
    cdef object _last_place

    cdef int64_t look(self, const char *text, Py_ssize_t size) noexcept
    cdef int64_t take(self, const char *text, Py_ssize_t size) except -1
    cdef bint _is_last(self, const char *text, Py_ssize_t size) noexcept
    cdef uint64_t _key(self, Py_ssize_t number) noexcept
    cdef object same(self, Py_ssize_t number)
    cdef int _more(self) except -1
    cdef char *_room_for(self, Py_ssize_t number, Py_ssize_t size) except NULL
    cdef int _keep(self, Py_ssize_t number, const char *text, Py_ssize_t size) except -1
    cdef int _settle(self, Py_ssize_t number, object place, object home, uint64_t key) except -1
    cdef int64_t _found(self, uint64_t key, const char *text, Py_ssize_t size) noexcept
    cdef int _file(self, uint64_t key, Py_ssize_t number) except -1
    cdef void _unfile(self, Py_ssize_t number) noexcept
    cdef str _called(self, Py_ssize_t number)
    cdef list _members_of(self, place)
