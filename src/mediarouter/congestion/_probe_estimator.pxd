# What probe clusters measured: the rate at which their packets left and arrived; `_probe_estimator.pyx` tells how.
from libc.stdint cimport int32_t, int64_t

cdef enum:
    PROBE_CLUSTERS = 8             # that may be under measurement at a time

cdef struct ProbeSums:             # over the received packets of one cluster
    int64_t rate_bps               # it was to be sent at
    int64_t first_send_us
    int64_t last_send_us
    int64_t first_arrival_us
    int64_t last_arrival_us
    int64_t size_bytes
    int64_t last_send_bytes        # of what went out at last_send_us
    int64_t first_arrival_bytes    # of what came at first_arrival_us
    int32_t packets
    int32_t packets_wanted
    int32_t bytes_wanted
    int32_t cluster                # id, 1..255; 0: free

cdef struct ProbeEstimator:
    ProbeSums clusters[PROBE_CLUSTERS]
    int32_t next                   # the place of the next new cluster

cdef void probe_estimator_init(ProbeEstimator *p) noexcept nogil
# A cluster is about to be sent; the oldest one makes room. Ids outside 1..255 are ignored.
cdef void probe_estimator_begin(ProbeEstimator *p, int cluster, int64_t rate_bps, int packets, int bytes) noexcept nogil
# A packet of a cluster was received: the rate measured by now, or -1 (too little, not plausible, unknown cluster).
# Later packets of a cluster measure it again.
cdef int64_t probe_estimator_packet(ProbeEstimator *p, int cluster, int64_t send_us, int64_t arrival_us,
                                    int size_bytes) noexcept nogil
