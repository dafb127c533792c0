"""Texts and values at a glance: can it be a name, does a reader have anything to say of it?"""

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

cdef inline bint _is_written(Written one, uint32_t at, str word) noexcept:
    """Whether a plain text is this one."""
    cdef Node *node = &one.nodes[at]
    cdef Py_ssize_t size = node.end - node.start
    if not PyUnicode_IS_COMPACT_ASCII(word) or PyUnicode_GET_LENGTH(word) != size:
        return False
    return memcmp(PyUnicode_1BYTE_DATA(word), one.text + node.start, size) == 0

cdef object _identity(
    const char *head, Py_ssize_t head_size, const char *near, Py_ssize_t near_size, const char *name, Py_ssize_t size
):
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

cdef inline bint _has_colon(Written one, Node *node) noexcept:
    return memchr(one.text + node.start, 58, node.end - node.start) is not NULL

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
            if not name or node.kind != TEXT or (not node.flags and _has_colon(one, node)):
                row = one.nodes[row].after
                continue
            name = one.child(row, b"name", 4)
            node = &one.nodes[name]
            if name and node.kind == TEXT:
                if node.flags:
                    return False
                for end in _QUICK_ENDINGS:
                    size = PyBytes_GET_SIZE(end)
                    if node.end - node.start < size:
                        continue
                    if memcmp(one.text + node.end - size, PyBytes_AS_STRING(end), size) == 0:
                        return False
        row = one.nodes[row].after
    return True

cdef tuple TOKENS_LOOK_AT = ("serviceAccountName", "serviceAccount", "volumes")  # of a Pod's specification

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

cdef bint _holds_texts(Written one, uint32_t at) noexcept:
    """Whether it is a map of nothing but texts."""
    cdef uint32_t inner = at + 1
    if one.nodes[at].kind != OBJECT:
        return False
    while inner < one.nodes[at].after:
        if one.nodes[inner].kind != TEXT:
            return False
        inner = one.nodes[inner].after
    return True
