# What each layer of a producer costs, measured as it comes in, and the table of them that viewers' budgets are shared
# out by. A layer is a pair of an encoding and a temporal layer; its rate is that of all that is sent when it is the
# target.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Encoding, Producer

cdef enum:
    TEMPORAL_MAX = 4               # layers told apart; those above count as the highest

# A packet came in
cdef inline void layer_rates_count(Encoding *encoding, int temporal_layer, int size_bytes) noexcept nogil:
    encoding.temporal_bytes[temporal_layer if temporal_layer < TEMPORAL_MAX else TEMPORAL_MAX - 1] += size_bytes

# The encoding begins, or begins again
cdef void layer_rates_begin(Encoding *encoding, int64_t now_us) noexcept nogil
# Called a few times a second; rates change at most once a second, but for the first one
cdef void layer_rates_measure(Encoding *encoding, int64_t now_us) noexcept nogil
# What an encoding is taken to cost that was not measured yet
cdef int64_t layer_rates_guess_bps(const Producer *producer, int encoding) noexcept nogil
# Renew the producer's table
cdef void layer_rates_tabulate(Producer *producer) noexcept nogil
