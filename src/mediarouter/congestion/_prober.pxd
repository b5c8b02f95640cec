# The schedule inside probe clusters, for whoever sends; `_prober.pyx` tells how.
from libc.stdint cimport int32_t, int64_t
from mediarouter.congestion._probe_controller cimport ProbeCluster

cdef enum:
    PROBER_PENDING = 5             # clusters under way and waiting

cdef struct ProberCluster:
    ProbeCluster probe
    int64_t started_us             # -1: waits
    int64_t bunch_us               # when a packet last left as it was due
    int64_t sent_bytes
    int32_t sent_packets

cdef struct Prober:
    ProberCluster pending[PROBER_PENDING]
    int32_t first
    int32_t count
    int64_t free_us                # the cluster before lasts until then
    int64_t dropped                # clusters not sent to their end

cdef void prober_init(Prober *p) noexcept nogil
# Send this cluster, after those before it; the oldest makes room
cdef void prober_begin(Prober *p, const ProbeCluster *probe) noexcept nogil
# Id of the cluster that what is sent now belongs to, media as well; 0: none. Ask for the bytes due first.
cdef int prober_cluster(const Prober *p) noexcept nogil
# When the next bunch is due; -1: none is
cdef int64_t prober_next_us(const Prober *p) noexcept nogil
# Bytes to send now at least, in one packet or more; 0: none. Drops what is too late.
cdef int prober_bytes_due(Prober *p, int64_t now_us) noexcept nogil
# A packet of the cluster under way went out
cdef void prober_sent(Prober *p, int size_bytes, int64_t now_us) noexcept nogil
