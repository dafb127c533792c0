"""What a digest is taken of: an object as msgspec writes it with its keys in order, from the bytes that came."""

cdef struct Out:
    char *text
    size_t size
    size_t room
    const uint8_t *since  # what is to be copied yet: mostly of the line, as far as it goes on in the same order there
    const uint8_t *until

cdef int _flush(Out *out) except -1:
    """Copy it."""
    cdef size_t room = out.room, size = out.until - out.since
    cdef char *made
    if out.size + size > room:
        while out.size + size > room:
            room = 2 * room if room else 4096
        made = <char *>PyMem_Realloc(out.text, room)
        if made is NULL:
            raise MemoryError
        out.text, out.room = made, room
    memcpy(out.text + out.size, out.since, size)
    out.size += size
    out.since = out.until
    return 0

cdef inline int _put(Out *out, const void *text, size_t size) except -1:
    """What stays where it is until the next word, at least."""
    if out.until != <const uint8_t *>text:
        _flush(out)
        out.since = out.until = <const uint8_t *>text
    out.until += size
    return 0

cdef inline int _put_sign(Out *out, const char *sign) except -1:
    """One sign, from behind what was put last if it stands there. (Words and the line end with a zero.)"""
    if out.until[0] == <uint8_t>sign[0]:
        out.until += 1
        return 0
    return _put(out, sign, 1)

cdef int _put_text(Written one, uint32_t at, Out *out) except -1:
    """A text with its quotes; 1: it is written strangely."""
    cdef Node *node = &one.nodes[at]
    cdef const uint8_t *text = one.text + node.start
    cdef const uint8_t *end = one.text + node.end
    cdef const uint8_t *start = text
    cdef uint8_t sign
    if not node.flags:
        return _put(out, text - 1, node.end - node.start + 2)
    if node.flags & STRANGE:
        return 1
    _put_sign(out, b'"')
    while text < end:
        if text[0] != 92:
            text += 1
        elif text[1] == 117:
            _put(out, start, text - start)
            sign = _needless(text + 2)
            _put(out, &sign, 1)
            _flush(out)
            text += 6
            start = out.since = out.until = text  # `sign` changes
        else:
            text += 2
    _put(out, start, text - start)
    return _put_sign(out, b'"')

cdef bint _comes_first(Written one, uint32_t this, uint32_t other) noexcept:
    cdef Node *mine = &one.nodes[this]
    cdef Node *its = &one.nodes[other]
    cdef int order
    if mine.key_size and its.key_size and one.text[mine.key] != one.text[its.key]:
        return one.text[mine.key] < one.text[its.key]
    order = memcmp(one.text + mine.key, one.text + its.key, min(mine.key_size, its.key_size))
    return order < 0 or (order == 0 and mine.key_size < its.key_size)

cdef int _ordered(Written one, uint32_t parent, uint32_t *found) noexcept:
    """The fields of an object by their names, and how many; -1: too many, one called strangely, or one there twice."""
    cdef uint32_t at = parent + 1, after = one.nodes[parent].after
    cdef int count = 0, place
    while at < after:
        if one.nodes[at].key_flags or count == FIELDS_MAX:
            return -1
        place = count
        while place and _comes_first(one, at, found[place - 1]):
            found[place] = found[place - 1]
            place -= 1
        found[place] = at
        if place and _is_alike(one, found[place - 1], at):
            return -1
        count += 1
        at = one.nodes[at].after
    return count

cdef int _put_value(Written one, uint32_t at, Out *out) except -1:
    """A value with all that it holds; 1: something in it is for the plain way."""
    cdef Node *node = &one.nodes[at]
    cdef uint32_t inner = at + 1
    cdef uint32_t fields[FIELDS_MAX]
    cdef int count, place
    if node.kind == TEXT:
        return _put_text(one, at, out)
    if node.kind == NUMBER:
        return 1
    if node.kind == LIST:
        _put_sign(out, b"[")
        while inner < node.after:
            if inner > at + 1:
                _put_sign(out, b",")
            if _put_value(one, inner, out):
                return 1
            inner = one.nodes[inner].after
        return _put_sign(out, b"]")
    if node.kind != OBJECT:
        return _put(out, one.text + node.start, node.end - node.start)
    count = _ordered(one, at, fields)
    if count < 0:
        return 1
    _put_sign(out, b"{")
    for place in range(count):
        if place:
            _put_sign(out, b",")
        _put_key(one, fields[place], out)
        if _put_value(one, fields[place], out):
            return 1
    return _put_sign(out, b"}")

cdef int _put_key(Written one, uint32_t at, Out *out) except -1:
    """A name that needs no escape, its quotes and colon: they stand like this in any JSON without white space."""
    return _put(out, one.text + one.nodes[at].key - 1, one.nodes[at].key_size + 3)

cdef int _put_names(Written one, uint32_t at, Out *out) except -1:
    """Of a confidential map no more than what its keys are."""
    cdef uint32_t fields[FIELDS_MAX]
    cdef int count = _ordered(one, at, fields), place
    if count < 0:
        return 1
    _put_sign(out, b"[")
    for place in range(count):
        if one.nodes[fields[place]].kind in (OBJECT, LIST, NUMBER):
            return 1  # nobody has looked whether each of its fields stands there once, nor whether it is a number
        if place:
            _put_sign(out, b",")
        _put(out, one.text + one.nodes[fields[place]].key - 1, one.nodes[fields[place]].key_size + 2)
    return _put_sign(out, b"]")

cdef int _put_metadata(Written one, Out *out, bint confidential) except -1:
    """Without what the server sets; kubectl's annotation repeats the values of what is confidential."""
    cdef uint32_t fields[FIELDS_MAX]
    cdef uint32_t notes[FIELDS_MAX]
    cdef int count = _ordered(one, one.metadata, fields), place
    cdef bint is_first = True
    if count < 0:
        return 1
    _put_sign(out, b"{")
    for place in range(count):
        if _is_set_by_server(one, fields[place]):
            if one.nodes[fields[place]].kind in (OBJECT, LIST, NUMBER):
                if not _is_called(one, fields[place], b"managedFields", 13):
                    return 1  # which msgspec may refuse
            continue
        if confidential and _is_called(one, fields[place], b"annotations", 11):
            if one.nodes[fields[place]].kind == OBJECT and _ordered(one, fields[place], notes) < 0:
                return 1
            continue
        if not is_first:
            _put_sign(out, b",")
        is_first = False
        _put_key(one, fields[place], out)
        if _put_value(one, fields[place], out):
            return 1
    return _put_sign(out, b"}")

cdef int _put_object(Written one, Out *out, bytes version, bytes kind, bint confidential) except -1:
    """All that a digest is of. `version`, `kind`: as JSON has them; an object's own words for them do not count."""
    cdef uint32_t fields[FIELDS_MAX]
    cdef int count = _ordered(one, 0, fields), place
    cdef uint32_t at
    cdef bint has_version = False, has_kind = False, is_first = True
    if count < 0:
        return 1
    _put_sign(out, b"{")
    for place in range(count + 1):
        at = fields[place] if place < count else 0
        if at and (at == one.status or _is_called(one, at, b"apiVersion", 10) or _is_called(one, at, b"kind", 4)):
            continue
        if not has_version and (not at or _compared(one, at, b"apiVersion", 10) > 0):
            _put_word(out, b'"apiVersion":', 13, version, is_first)
            has_version, is_first = True, False
        if not has_kind and (not at or _compared(one, at, b"kind", 4) > 0):
            _put_word(out, b'"kind":', 7, kind, is_first)
            has_kind = True
        if not at:
            break
        if not is_first:
            _put_sign(out, b",")
        is_first = False
        _put_key(one, at, out)
        if at == one.metadata:
            if _put_metadata(one, out, confidential):
                return 1
        elif confidential and one.nodes[at].kind == OBJECT:
            if _put_names(one, at, out):
                return 1
        elif _put_value(one, at, out):
            return 1
    return _put_sign(out, b"}")

cdef int _put_word(Out *out, const char *name, size_t size, bytes word, bint is_first) except -1:
    if not is_first:
        _put_sign(out, b",")
    _put(out, name, size)
    return _put(out, PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))

cdef inline bint _is_called(Written one, uint32_t at, const char *key, uint32_t size) noexcept:
    return one.nodes[at].key_size == size and memcmp(one.text + one.nodes[at].key, key, size) == 0

cdef int _compared(Written one, uint32_t at, const char *key, uint32_t size) noexcept:
    """How its name stands to this one."""
    cdef Node *node = &one.nodes[at]
    cdef int order = memcmp(one.text + node.key, key, min(node.key_size, size))
    return order if order else <int>node.key_size - <int>size
