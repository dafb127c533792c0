"""Fields of structures, read where they stand."""

from cpython.object cimport PyObject

cdef extern from *:
    """
    #include <structmember.h>

    /* Where a structure of msgspec keeps a field: Python's own description of it says so. */
    static Py_ssize_t offset_of(PyObject *field) {
        return Py_TYPE(field) == &PyMemberDescr_Type ? ((PyMemberDescrObject *)field)->d_member->offset : -1;
    }
    static inline PyObject *field_at(PyObject *one, Py_ssize_t offset) { return *(PyObject **)((char *)one + offset); }
    """
    Py_ssize_t offset_of(object)
    PyObject *field_at(PyObject *, Py_ssize_t) noexcept
