# The limit that the delay of a path puts on its rate: inter arrival, trend line and rate control in one.
from libc.stdint cimport int64_t
from mediarouter.congestion._aimd cimport Aimd
from mediarouter.congestion._inter_arrival cimport InterArrival
from mediarouter.congestion._trendline cimport Trendline

cdef struct DelayBased:
    InterArrival ia
    Trendline line
    Aimd aimd                      # its round trip and limits are set there
    int64_t heard_us               # when feedback came last; long ago: never
    bint heard                     # packets since the last update
    bint recovered                 # a queue has emptied since then

cdef struct DelayResult:
    int64_t target_bps             # -1: no estimate yet
    bint updated                   # there is one, and it was looked at anew
    bint probe                     # a probe's rate was taken
    bint recovered_from_overuse    # the queue has emptied: a good moment for a probe
    int usage                      # as in _trendline

# No estimate to begin with where `start_bps` is -1
cdef void delay_based_init(DelayBased *d, int64_t start_bps, int64_t min_bps, int64_t max_bps) noexcept nogil
# A received packet, in order of sending numbers
cdef void delay_based_packet(DelayBased *d, int64_t send_us, int64_t arrival_us, int64_t now_us,
                             int size_bytes) noexcept nogil
# once a report, after its packets. probe_bps: -1 none
cdef void delay_based_update(DelayBased *d, int64_t acked_bps, int64_t probe_bps, bint in_alr, int64_t now_us,
                             DelayResult *result) noexcept nogil
