# The cap that a receiver sets by REMB. Sans-IO.
from libc.stdint cimport int64_t

cdef struct ReceiverLimit:
    int64_t limit_bps              # -1: none
    int64_t since_us               # when it was told last
    int64_t expires_us             # after so long without being told again; 0: never

cdef void receiver_limit_init(ReceiverLimit *r, int64_t expires_us) noexcept nogil
# A REMB came: how the limit moved, -1 down, 0 not at all, 1 up. 0 bit/s lifts it.
cdef int receiver_limit_set(ReceiverLimit *r, int64_t bps, int64_t now_us) noexcept nogil
# Time passed: 1 when the limit was lifted because it was not told again, else 0
cdef int receiver_limit_poll(ReceiverLimit *r, int64_t now_us) noexcept nogil
# When it expires; -1: it does not
cdef int64_t receiver_limit_deadline_us(const ReceiverLimit *r) noexcept nogil

# What is left of a target; the limit counts as min_bps where it is below
cdef inline int64_t receiver_limit_cap(const ReceiverLimit *r, int64_t target_bps, int64_t min_bps) noexcept nogil:
    return min(target_bps, max(r.limit_bps, min_bps)) if r.limit_bps >= 0 else target_bps
