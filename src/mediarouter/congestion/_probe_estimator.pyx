"""The rate that a probe cluster found, from when its packets left and when they arrived.

Theory of operation
A cluster is a short run of packets sent at a known rate. Between the instant the first one left and the instant the
last one left, all but the last were sent; between the first and the last arrival, all but the first came through the
link. Each of the two sums over its time is a rate. What leaves, or arrives, at one and the same instant is one lump:
the whole lump is left out, since bunches of packets leave in one turn of the sender.

The smaller rate is the result. If the link gave out less than 90 % of what went in, the probe has found its capacity,
and the result is 95 % of that, so that the queue which the probe left can drain. Arriving more than twice as fast as
sent cannot be, unless the receiver let packets wait: there is no result. There is none, too, until 80 % of the packets
and bytes of the cluster are in, and none over more than a second.

No result is above the rate that the cluster was to be sent at. While the last packets are missing, media that left
before its turn may look like more; and arrival times come from the receiver, who may lie. Clusters are few and fixed in
number; one is forgotten when a packet arrives more than a second after its last one, or when eight newer ones were
begun. The figures are those of probe_bitrate_estimator in libwebrtc, which leaves out one packet where several have one
time, and knows no rate.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset

cdef enum:
    RECEIVED_PERCENT = 80
    HISTORY_US = 1000000
    SPAN_MAX_US = 1000000
    FASTER_MAX = 2                 # times as fast as sent: more is not plausible
    FOUND_PERCENT = 90             # of the rate of sending: less came through, the link is full
    USED_PERCENT = 95              # of a link that was found full
    PACKETS_MAX = 65535
    MICROBITS_PER_BYTE = 8000000


cdef void probe_estimator_init(ProbeEstimator *p) noexcept nogil:
    memset(p, 0, sizeof(ProbeEstimator))


cdef ProbeSums *find(ProbeEstimator *p, int cluster) noexcept nogil:
    cdef int i
    if not 1 <= cluster <= 255:
        return NULL
    for i in range(PROBE_CLUSTERS):
        if p.clusters[i].cluster == cluster:
            return &p.clusters[i]
    return NULL


cdef void probe_estimator_begin(ProbeEstimator *p, int cluster, int64_t rate_bps, int packets,
                                int bytes) noexcept nogil:
    cdef ProbeSums *sums = find(p, cluster)
    if not 1 <= cluster <= 255:
        return
    if sums == NULL:
        sums = &p.clusters[p.next]
        p.next = (p.next + 1) % PROBE_CLUSTERS
    memset(sums, 0, sizeof(ProbeSums))
    sums.cluster = cluster
    sums.rate_bps = max(rate_bps, 0)
    sums.packets_wanted = max(packets, 1)
    sums.bytes_wanted = max(bytes, 1)


cdef void forget_old(ProbeEstimator *p, int64_t arrival_us) noexcept nogil:
    cdef int i
    for i in range(PROBE_CLUSTERS):
        if p.clusters[i].packets > 0 and arrival_us - p.clusters[i].last_arrival_us > HISTORY_US:
            p.clusters[i].cluster = 0


cdef void add(ProbeSums *sums, int64_t send_us, int64_t arrival_us, int size_bytes) noexcept nogil:
    cdef bint first = sums.packets == 0
    if first or send_us > sums.last_send_us:
        sums.last_send_us = send_us
        sums.last_send_bytes = 0
    if first or arrival_us < sums.first_arrival_us:
        sums.first_arrival_us = arrival_us
        sums.first_arrival_bytes = 0
    sums.first_send_us = send_us if first else min(sums.first_send_us, send_us)
    sums.last_arrival_us = arrival_us if first else max(sums.last_arrival_us, arrival_us)
    if send_us == sums.last_send_us:
        sums.last_send_bytes += size_bytes
    if arrival_us == sums.first_arrival_us:
        sums.first_arrival_bytes += size_bytes
    sums.size_bytes += size_bytes
    sums.packets += 1


cdef int64_t measured_bps(const ProbeSums *sums) noexcept nogil:
    cdef int64_t send_span_us = sums.last_send_us - sums.first_send_us
    cdef int64_t arrival_span_us = sums.last_arrival_us - sums.first_arrival_us
    cdef int64_t send_bps, arrival_bps
    if sums.packets < sums.packets_wanted * RECEIVED_PERCENT // 100:
        return -1
    if sums.size_bytes < <int64_t>sums.bytes_wanted * RECEIVED_PERCENT // 100:
        return -1
    if not (0 < send_span_us <= SPAN_MAX_US and 0 < arrival_span_us <= SPAN_MAX_US):
        return -1
    send_bps = (sums.size_bytes - sums.last_send_bytes) * MICROBITS_PER_BYTE // send_span_us
    arrival_bps = (sums.size_bytes - sums.first_arrival_bytes) * MICROBITS_PER_BYTE // arrival_span_us
    if arrival_bps > FASTER_MAX * send_bps:
        return -1
    if arrival_bps * 100 < send_bps * FOUND_PERCENT:
        send_bps = arrival_bps * USED_PERCENT // 100
    return min(min(send_bps, arrival_bps), sums.rate_bps)


cdef int64_t probe_estimator_packet(ProbeEstimator *p, int cluster, int64_t send_us, int64_t arrival_us,
                                    int size_bytes) noexcept nogil:
    cdef ProbeSums *sums
    forget_old(p, arrival_us)
    sums = find(p, cluster)
    if sums == NULL or size_bytes <= 0 or sums.packets == PACKETS_MAX:
        return -1
    add(sums, send_us, arrival_us, size_bytes)
    return measured_bps(sums)


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class ProbeMeter:
    """Measures probe clusters, eight at a time, by their received packets."""
    cdef ProbeEstimator estimator

    def __cinit__(self):
        probe_estimator_init(&self.estimator)

    def begin(self, int cluster, int64_t rate_bps, int packets, int size_bytes):
        """Expect the packets of a cluster; what was known of one with this id is forgotten.

        Args:
            cluster: 1..255.
            rate_bps: the rate it is to be sent at, bit/s, above 0; no result is above that.
            packets: that it is to have, at least; 1..10000.
            size_bytes: that it is to have, at least; 1..2**30.

        Raises:
            ValueError: a figure is out of range.
        """
        if not 1 <= cluster <= 255:
            raise ValueError("cluster must be 1..255")
        if not 0 < rate_bps <= 2_000_000_000 or not 0 < packets <= 10_000 or not 0 < size_bytes <= 1 << 30:
            raise ValueError("rate, packets and bytes must be above 0, and in range")
        probe_estimator_begin(&self.estimator, cluster, rate_bps, packets, size_bytes)

    def on_packet(self, int cluster, int64_t send_us, int64_t arrival_us, int size_bytes):
        """Take in one received packet of a cluster; each one once.

        Args:
            cluster: any number; of one that is not known, nothing is counted.
            send_us: when it left, microseconds of the sender's clock, -2**60..2**60.
            arrival_us: when it arrived, microseconds of the receiver's clock, -2**60..2**60.
            size_bytes: 1..65535.

        Returns:
            The rate measured by now in bit/s, or None.

        Raises:
            ValueError: a time or the size is out of range.
        """
        cdef int64_t bps
        if not (-TIME_MAX_US < send_us < TIME_MAX_US and -TIME_MAX_US < arrival_us < TIME_MAX_US):
            raise ValueError("time out of range")
        if not 1 <= size_bytes <= 65535:
            raise ValueError("size must be 1..65535 bytes")
        bps = probe_estimator_packet(&self.estimator, cluster, send_us, arrival_us, size_bytes)
        return None if bps < 0 else bps
