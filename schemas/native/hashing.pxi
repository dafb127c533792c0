"""A hash of bytes under a secret of the process: nobody outside can choose texts that collide."""

import os

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    static inline uint64_t folded(uint64_t one, uint64_t other) {
        unsigned __int128 product = (unsigned __int128)one * other;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    static uint64_t hashed(const char *text, size_t size, uint64_t seed, uint64_t factor) {
        uint64_t found = seed ^ (uint64_t)size, word;
        for (; size > 8; text += 8, size -= 8) {
            memcpy(&word, text, 8);
            found = folded(found ^ word, factor);
        }
        word = 0;
        memcpy(&word, text, size);
        return folded(folded(found ^ word, factor), seed | 1);
    }
    """
    uint64_t folded(uint64_t one, uint64_t other) noexcept
    uint64_t hashed(const char *text, size_t size, uint64_t seed, uint64_t factor) noexcept

cdef uint64_t SEED = int.from_bytes(os.urandom(8), "little")
cdef uint64_t FACTOR = int.from_bytes(os.urandom(8), "little") | 1
