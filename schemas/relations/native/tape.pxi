"""Bytes of JSON → where each value stands. Strict: what it passes over without a word is JSON.

What it does not pass over (white space, anything but ASCII, deep nesting) is no error: it is left to the plain way.
"""

cdef enum:
    OBJECT = 1
    LIST = 2
    TEXT = 3
    INTEGER = 4  # of at most 18 digits, as everybody writes it
    NUMBER = 5  # any other
    YES = 6
    NO = 7
    NOTHING = 8

cdef enum:
    ESCAPED = 1  # as msgspec would write it, or a sign that needs no escape
    STRANGE = 2  # in another way

cdef enum:
    DEPTH_MAX = 64
    NODES_KEPT_MAX = 65536  # of memory that is used again

cdef struct Node:
    uint32_t start  # of a text: within its quotes
    uint32_t end
    uint32_t key
    uint32_t key_size
    uint32_t after  # of all that it holds
    uint8_t kind
    uint8_t flags
    uint8_t key_flags

cdef struct Tape:
    const uint8_t *text
    const uint8_t *stop
    uint32_t at
    Node *nodes
    uint32_t count
    uint32_t room
    bint is_metadata, is_status  # what is read
    bint is_strange  # whether any was in the status
    uint32_t strange  # numbers so far that msgspec may refuse

cdef enum:
    PLAIN = 0
    QUOTE = 1
    BACKSLASH = 2
    BAD = 3
cdef uint8_t SIGNS[256]
for _sign in range(256):
    SIGNS[_sign] = PLAIN if 0x20 <= _sign < 0x80 else BAD
SIGNS[34], SIGNS[92] = QUOTE, BACKSLASH

cdef extern from *:
    """
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    /* As far as all is PLAIN at a glance, sixteen at a time; whoever asks goes on one by one. */
    static inline const uint8_t *plain_up_to(const uint8_t *at, const uint8_t *stop) {
    #ifdef __SSE2__
        const __m128i quote = _mm_set1_epi8(34), slash = _mm_set1_epi8(92), space = _mm_set1_epi8(32);
        for (; stop - at >= 16; at += 16) {
            __m128i some = _mm_loadu_si128((const __m128i *)at);
            __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(some, quote), _mm_cmpeq_epi8(some, slash));
            /* signed: what is no ASCII is less than a space, too */
            int found = _mm_movemask_epi8(_mm_or_si128(odd, _mm_cmplt_epi8(some, space)));
            if (found) return at + __builtin_ctz(found);
        }
    #endif
        return at;
    }
    """
    const uint8_t *plain_up_to(const uint8_t *, const uint8_t *) noexcept

cdef inline bint _is_hex(uint8_t one) noexcept:
    return 48 <= one <= 57 or 97 <= one <= 102 or 65 <= one <= 70

cdef bint _scan(Tape *tape, uint32_t *start, uint32_t *end, uint8_t *flags) noexcept:
    """A text, from behind its first quote."""
    cdef const uint8_t *at = tape.text + tape.at
    cdef uint8_t sign, second
    start[0], flags[0] = tape.at, 0
    while True:
        at = plain_up_to(at, tape.stop)
        while SIGNS[at[0]] == PLAIN:
            at += 1
        sign = SIGNS[at[0]]
        if sign == QUOTE:
            end[0] = <uint32_t>(at - tape.text)
            tape.at = end[0] + 1
            return True
        if sign == BAD:  # the end of the bytes, too
            return False
        second = at[1]
        if second == 117:  # u
            if not (_is_hex(at[2]) and _is_hex(at[3]) and _is_hex(at[4]) and _is_hex(at[5])):
                return False
            if (at[2] | 32) == 100 and at[3] >= 56:  # half of a pair, of which the other may be missing
                return False
            flags[0] |= ESCAPED if _needless(at + 2) else STRANGE
            at += 6
        elif second in (34, 92, 98, 102, 110, 114, 116):  # quote, backslash, b, f, n, r, t
            flags[0] |= ESCAPED
            at += 2
        elif second == 47:
            flags[0] |= STRANGE
            at += 2
        else:
            return False

cdef inline uint8_t _needless(const uint8_t *code) noexcept:
    """The sign that Go's encoder writes so (<, >, &), and others do not; 0: another one."""
    if code[0] != 48 or code[1] != 48:
        return 0
    if code[2] == 51 and (code[3] == 99 or code[3] == 101):
        return 60 if code[3] == 99 else 62
    return 38 if code[2] == 50 and code[3] == 54 else 0

cdef uint8_t _figures(Tape *tape) noexcept:
    """A number; which kind, or 0 for none."""
    cdef const uint8_t *at = tape.text + tape.at
    cdef const uint8_t *start = at
    cdef const uint8_t *first
    cdef uint8_t kind = INTEGER
    if at[0] == 45:
        at += 1
    first = at
    while 48 <= at[0] <= 57:
        at += 1
    if at == first or (first[0] == 48 and at - first > 1):
        return 0
    if at - first > 18 or (first[0] == 48 and first != start):
        kind = NUMBER
    if at[0] == 46:
        kind, at = NUMBER, at + 1
        first = at
        while 48 <= at[0] <= 57:
            at += 1
        if at == first:
            return 0
    if at[0] == 101 or at[0] == 69:
        kind, at = NUMBER, at + 1
        if at[0] == 43 or at[0] == 45:
            at += 1
        first = at
        while 48 <= at[0] <= 57:
            at += 1
        if at == first:
            return 0
    tape.at = <uint32_t>(at - tape.text)
    return kind

cdef bint _passed(Tape *tape, const char *word, uint32_t size) noexcept:
    if strncmp(<const char *>tape.text + tape.at, word, size) != 0:  # it stops where the bytes end
        return False
    tape.at += size
    return True

cdef uint32_t _node(Tape *tape) noexcept:
    """Room for one more; 0xffffffff: none is left."""
    cdef Node *made
    if tape.count == tape.room:
        made = <Node *>PyMem_Realloc(tape.nodes, 2 * tape.room * sizeof(Node))
        if made is NULL:
            return 0xffffffffu
        tape.nodes, tape.room = made, 2 * tape.room
    tape.count += 1
    return tape.count - 1

cdef bint _parse(Tape *tape, uint32_t key, uint32_t key_size, uint8_t key_flags, int depth) noexcept:
    """One value and all that it holds."""
    cdef uint32_t here = _node(tape), start, end
    cdef uint8_t sign = tape.text[tape.at], kind, flags = 0
    cdef Node *node
    if here == 0xffffffffu or depth > DEPTH_MAX:
        return False
    start = tape.at
    if sign == 34:
        tape.at += 1
        if not _scan(tape, &start, &end, &flags):
            return False
        kind = TEXT
    elif sign == 123:
        tape.at += 1
        if not _members(tape, depth):
            return False
        kind, end = OBJECT, tape.at
    elif sign == 91:
        tape.at += 1
        if not _items(tape, depth):
            return False
        kind, end = LIST, tape.at
    elif sign == 116 and _passed(tape, b"true", 4):
        kind, end = YES, tape.at
    elif sign == 102 and _passed(tape, b"false", 5):
        kind, end = NO, tape.at
    elif sign == 110 and _passed(tape, b"null", 4):
        kind, end = NOTHING, tape.at
    else:
        kind = _figures(tape)
        if kind == 0:
            return False
        end = tape.at
    tape.strange += kind == NUMBER
    node = &tape.nodes[here]
    node.start, node.end, node.kind, node.flags = start, end, kind, flags
    node.key, node.key_size, node.key_flags, node.after = key, key_size, key_flags, tape.count
    return True

cdef bint _members(Tape *tape, int depth) noexcept:
    cdef uint32_t start, end, here, strange
    cdef uint8_t flags
    if tape.text[tape.at] == 125:
        tape.at += 1
        return True
    while True:
        if tape.text[tape.at] != 34:
            return False
        tape.at += 1
        if not _scan(tape, &start, &end, &flags) or tape.text[tape.at] != 58:
            return False
        tape.at += 1
        here = tape.count
        if depth == 0:
            tape.is_metadata = _is_called_so(tape, start, end - start, b"metadata", 8)
            tape.is_status = _is_called_so(tape, start, end - start, b"status", 6)
        strange = tape.strange
        if not _parse(tape, start, end - start, flags, depth + 1):
            return False
        if depth == 0 and tape.is_status:
            tape.is_strange = tape.strange != strange
        if depth == 1 and _is_for_others(tape, start, end - start):
            tape.count = here + 1  # nobody looks for anything in it
            tape.nodes[here].after = here + 1
        if tape.text[tape.at] == 44:
            tape.at += 1
        elif tape.text[tape.at] == 125:
            tape.at += 1
            return True
        else:
            return False

cdef bint _is_for_others(Tape *tape, uint32_t key, uint32_t size) noexcept:
    """What is in a field of the status, which msgspec decodes, and who manages which field."""
    return tape.is_status or (tape.is_metadata and _is_called_so(tape, key, size, b"managedFields", 13))

cdef inline bint _is_called_so(Tape *tape, uint32_t key, uint32_t size, const char *name, uint32_t name_size) noexcept:
    return size == name_size and memcmp(tape.text + key, name, size) == 0

cdef bint _items(Tape *tape, int depth) noexcept:
    if tape.text[tape.at] == 93:
        tape.at += 1
        return True
    while True:
        if not _parse(tape, 0, 0, 0, depth + 1):
            return False
        if tape.text[tape.at] == 44:
            tape.at += 1
        elif tape.text[tape.at] == 93:
            tape.at += 1
            return True
        else:
            return False
