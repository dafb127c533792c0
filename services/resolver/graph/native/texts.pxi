"""Texts where they stand in the bytes of a message, and a cursor that passes over JSON as our encoder writes it."""

cdef extern from *:
    """
    /* Printable ASCII in which nothing is escaped. */
    static inline int is_plain(const char *text, size_t size) {
        uint8_t odd = 0;
        for (size_t at = 0; at < size; at++) {
            uint8_t one = (uint8_t)text[at];
            odd |= (one < 0x20) | (one >= 0x7f) | (one == 0x5c);
        }
        return !odd;
    }
    """
    bint is_plain(const char *, size_t) noexcept

cdef enum:
    NO_SIGN = 0
    QUOTE = 1
    OPENS = 2
    CLOSES = 3
    ENDS = 4
cdef uint8_t SIGNS[256]
memset(SIGNS, NO_SIGN, 256)
SIGNS[0], SIGNS[34] = ENDS, QUOTE
SIGNS[91] = SIGNS[123] = OPENS
SIGNS[93] = SIGNS[125] = CLOSES
cdef uint8_t HEX[256]
memset(HEX, 255, 256)
for _digit in range(16):
    HEX[<int>ord("0123456789abcdef"[_digit])] = _digit

cdef struct Text:
    const char *at
    uint32_t size

cdef struct Cursor:
    const char *at
    const char *end

cdef inline bint _word(Cursor *cursor, const char *word, Py_ssize_t size) noexcept:
    """Whether this comes next; then it is passed."""
    if cursor.end - cursor.at < size or memcmp(cursor.at, word, size) != 0:
        return False
    cursor.at += size
    return True

cdef inline bint _text(Cursor *cursor, Text *found) noexcept:
    """A plain text."""
    cdef const char *end
    if cursor.at >= cursor.end or cursor.at[0] != 34:
        return False
    found.at = cursor.at + 1
    end = <const char *>memchr(found.at, 34, cursor.end - found.at)
    if end is NULL:
        return False
    found.size = <uint32_t>(end - found.at)
    cursor.at = end + 1
    return is_plain(found.at, found.size)

cdef inline bint _number(Cursor *cursor, uint64_t *found) noexcept:
    """Of at most 18 digits, as JSON writes it."""
    cdef const char *start = cursor.at
    cdef uint64_t value = 0
    while cursor.at < cursor.end and 48 <= cursor.at[0] <= 57:
        value = 10 * value + (cursor.at[0] - 48)
        cursor.at += 1
        if cursor.at - start > 18:
            return False
    found[0] = value
    return cursor.at > start and (start[0] != 48 or cursor.at - start == 1)

cdef bint _value(Cursor *cursor, Text *found) noexcept:
    """An object, whatever is in it: up to the brace that closes it. Somebody is still to look whether it is JSON."""
    cdef const uint8_t *at = <const uint8_t *>cursor.at
    cdef const uint8_t *end = <const uint8_t *>cursor.end  # where a payload of Python's has a zero
    cdef int depth = 0
    found.at = cursor.at
    if at >= end or at[0] != 123:
        return False
    while at < end:
        if SIGNS[at[0]] == QUOTE:
            at += 1
            while at < end and at[0] != 34:
                at += 2 if at[0] == 92 else 1
            if at >= end:
                return False
        elif SIGNS[at[0]] == OPENS:
            depth += 1
        elif SIGNS[at[0]] == CLOSES:
            depth -= 1
            if depth == 0:
                cursor.at = <const char *>at + 1
                found.size = <uint32_t>(cursor.at - found.at)
                return True
        at += 1
        while SIGNS[at[0]] == NO_SIGN:
            at += 1
    return False

cdef inline bint _is_alike(Text *one, Text *other) noexcept:
    return one.size == other.size and memcmp(one.at, other.at, one.size) == 0

cdef inline object _string(Text *text):
    return PyUnicode_DecodeASCII(text.at, text.size, NULL)

cdef inline bytes _bytes(Text *text):
    return PyBytes_FromStringAndSize(text.at, text.size)

cdef inline bint _unhex(const char *text, uint8_t *out, int count) noexcept:
    cdef int at
    cdef uint8_t high, low, odd = 0
    for at in range(count):
        high, low = HEX[<uint8_t>text[2 * at]], HEX[<uint8_t>text[2 * at + 1]]
        odd |= high | low
        out[at] = <uint8_t>(high << 4) | (low & 15)
    return odd < 16

cdef bint _uuid(Text *text, uint8_t *out) noexcept:
    """The bytes of a UUID as it is usually written."""
    cdef const char *at = text.at
    return (
        text.size == 36 and at[8] == at[13] == at[18] == at[23] == 45
        and _unhex(at, out, 4) and _unhex(at + 9, out + 4, 2) and _unhex(at + 14, out + 6, 2)
        and _unhex(at + 19, out + 8, 2) and _unhex(at + 24, out + 10, 6)
    )

cdef bint _list(Cursor *cursor, Text *found) noexcept:
    """As `_value`, of a list of objects."""
    cdef Text one
    found.at = cursor.at
    cursor.at += 1
    while True:
        if not _value(cursor, &one):
            return False
        if cursor.at < cursor.end and cursor.at[0] == 44:
            cursor.at += 1
            continue
        if cursor.at < cursor.end and cursor.at[0] == 93:
            cursor.at += 1
            found.size = <uint32_t>(cursor.at - found.at)
            return True
        return False

cdef inline bint _is_identity(Text *text) noexcept:
    return memchr(text.at, 47, text.size) is not NULL
