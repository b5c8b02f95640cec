# When a sender may send, so that bursts do not fill the network's queue; `_pacer.pyx` tells how.
from libc.stdint cimport int64_t

cdef enum:
    PACER_BURST_US = 5000          # of the rate may leave at once
    PACER_SLICE_US = 5000          # between two looks at what waits
    PACER_WAIT_US = 250000         # so long a packet waits at most
    PACER_PERCENT = 150            # of the estimate is the rate

cdef struct Pacer:
    int64_t rate_bps
    int64_t free_ns                # what was sent has left by then at the rate

cdef void pacer_init(Pacer *p, int64_t rate_bps) noexcept nogil
cdef void pacer_set_rate(Pacer *p, int64_t bps) noexcept nogil
# The rate that suits an estimate
cdef void pacer_set_target(Pacer *p, int64_t target_bps) noexcept nogil
# May a packet leave now, where nothing waits?
cdef bint pacer_is_free(const Pacer *p, int64_t now_us) noexcept nogil
cdef void pacer_sent(Pacer *p, int size_bytes, int64_t now_us) noexcept nogil
# The same for packets that waited, `waiting_bytes` in all of which the first came at `oldest_us`
cdef bint pacer_is_due(const Pacer *p, int64_t oldest_us, int64_t now_us) noexcept nogil
cdef void pacer_sent_waiting(Pacer *p, int size_bytes, int64_t waiting_bytes, int64_t oldest_us,
                             int64_t now_us) noexcept nogil
# When to look again at what waits
cdef int64_t pacer_next_us(const Pacer *p, int64_t oldest_us, int64_t now_us) noexcept nogil
