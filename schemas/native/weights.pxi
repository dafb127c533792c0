"""What a member weighs (schemas/events.py)."""

import sys

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    BLOCK = 128  # bytes

cdef extern from *:
    """
    /* BLAKE2b of one block, unkeyed, its first eight bytes of a digest of eight (RFC 7693, 3.2). */
    static const uint64_t BLAKE_IV[8] = {
        0x6a09e667f3bcc908ULL, 0xbb67ae8584caa73bULL, 0x3c6ef372fe94f82bULL, 0xa54ff53a5f1d36f1ULL,
        0x510e527fade682d1ULL, 0x9b05688c2b3e6c1fULL, 0x1f83d9abfb41bd6bULL, 0x5be0cd19137e2179ULL};
    static const uint8_t BLAKE_SIGMA[10][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
    static inline uint64_t turned(uint64_t word, int bits) { return word >> bits | word << (64 - bits); }
    #define BLAKE_G(a, b, c, d, x, y) \\
        v[a] += v[b] + m[x]; v[d] = turned(v[d] ^ v[a], 32); v[c] += v[d]; v[b] = turned(v[b] ^ v[c], 24); \\
        v[a] += v[b] + m[y]; v[d] = turned(v[d] ^ v[a], 16); v[c] += v[d]; v[b] = turned(v[b] ^ v[c], 63);
    static uint64_t weight_of_block(const uint64_t *m, uint64_t size) {
        uint64_t v[16], first = BLAKE_IV[0] ^ 0x01010000 ^ 8;
        memcpy(v, BLAKE_IV, 64);
        memcpy(v + 8, BLAKE_IV, 64);
        v[0] = first;
        v[12] ^= size;
        v[14] = ~v[14];
        #pragma GCC unroll 12
        for (int round = 0; round < 12; round++) {
            const uint8_t *s = BLAKE_SIGMA[round % 10];
            BLAKE_G(0, 4, 8, 12, s[0], s[1])
            BLAKE_G(1, 5, 9, 13, s[2], s[3])
            BLAKE_G(2, 6, 10, 14, s[4], s[5])
            BLAKE_G(3, 7, 11, 15, s[6], s[7])
            BLAKE_G(0, 5, 10, 15, s[8], s[9])
            BLAKE_G(1, 6, 11, 12, s[10], s[11])
            BLAKE_G(2, 7, 8, 13, s[12], s[13])
            BLAKE_G(3, 4, 9, 14, s[14], s[15])
        }
        return __builtin_bswap64(first ^ v[0] ^ v[8]);
    }
    """
    uint64_t weight_of_block(const uint64_t *, uint64_t) noexcept

cdef bint LITTLE = sys.byteorder == "little"
