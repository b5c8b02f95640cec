# The loop of a fuzz target: mutate, hand over, count. A target is a check in C, and maybe a repair.
from fuzz._dice cimport Dice
from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef struct Tally:                 # of the runs of a parser
    int64_t accepted
    int64_t refused
    int64_t marked                 # bits set in `inputs`
    int64_t shape_count
    bint new_shape                 # since the loop looked last
    uint64_t *inputs               # a bit for each input, by its hash
    uint64_t *shapes               # a bit for each shape, by its hash

# A parser has run on these bytes. `shape` tells accepted inputs of different kinds apart, by what was found in them; an
# input of a new shape joins the corpus. To be called once a run, before the bytes are changed.
cdef void ran(Tally *tally, const uint8_t *data, int size, bint accepted, uint64_t shape) noexcept nogil

# Run a parser on an input and look at what it says, NULL: all is well, else what is not. `data` has exactly `size`
# bytes: one more is behind a red zone of AddressSanitizer, or on a page that nobody may read.
ctypedef const char *(*check_t)(Tally *tally, uint8_t *data, int size) noexcept nogil
# Give a mutated input back what would have it refused at the door (a version, a length, a signature), or leave it as it
# is, by the dice. `data` has room for INPUT_MAX; the new size
ctypedef int (*repair_t)(Dice *dice, uint8_t *data, int size) noexcept nogil

cdef object loop_of(check_t check, repair_t repair, object seeds, object seed, object kept)

# A copy on the heap without a byte of room behind it, for whoever calls to free
cdef uint8_t *exact(const uint8_t *data, int size) noexcept nogil

cdef struct Guard:                 # pages, the last of them closed
    uint8_t *end
    int room

cdef bint guard_open(Guard *guard) noexcept nogil
cdef void guard_close(Guard *guard) noexcept nogil
# A copy whose last byte is the last that may be touched: for code that no sanitizer has been built into
cdef uint8_t *guarded(Guard *guard, const uint8_t *data, int size) noexcept nogil
