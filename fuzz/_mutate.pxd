# Inputs made of other inputs: what a corpus holds is cut, spliced, overwritten and put together anew.
from fuzz._dice cimport Dice
from libc.stdint cimport uint8_t

cdef enum:
    INPUT_MAX = 4096               # bytes; every buffer that is mutated in place has this room
    CORPUS_MAX = 2048

cdef struct Entry:
    uint8_t *data
    int size

cdef struct Corpus:
    Entry entries[CORPUS_MAX]
    int given                      # those that the target brought come first, what was found on the way behind
    int count

cdef bint corpus_add(Corpus *corpus, const uint8_t *data, int size) noexcept nogil     # a copy; False: no room
cdef void corpus_release(Corpus *corpus) noexcept nogil
cdef const Entry *corpus_pick(const Corpus *corpus, Dice *dice) noexcept nogil         # NULL: it is empty
# An entry of the corpus, changed in one to sixteen ways, into `out`; its size
cdef int mutate(uint8_t *out, const Entry *base, const Corpus *corpus, Dice *dice) noexcept nogil
