"""The schedule of what is sent inside a probe cluster.

Theory of operation
A cluster leaves in bunches of 2 ms of its rate (200 bytes at least, so that headers stay a small part), since timers
are not better than that. Each is due when all that was sent of the cluster before would have left at its rate, counted
from the first packet: what one bunch was late or large, the next makes good. Media that leaves meanwhile belongs to the
cluster and puts the next bunch off.

A cluster ends when both its packets and its bytes are out, and the last packet left when it was due: what was sent
until then, over the time it took, is no more than the rate, whatever media did (at four times of both it ends all the
same). The next one starts when the rate of the one before has used up its time. One that is more than 10 ms late with a
bunch would measure the sender's own pauses: it is dropped. So is one that is not out within 5 s of when it was made up,
and the oldest of more than five. The figures are those of bitrate_prober in libwebrtc.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset
from mediarouter.congestion._face cimport check_time

cdef enum:
    BUNCH_US = 2000
    BUNCH_LEAST_BYTES = 200
    FLOODED_TIMES = 4              # of what a cluster needs: media is faster than it
    LATE_US = 10000
    TIMEOUT_US = 5000000
    MICROBITS_PER_BYTE = 8000000


cdef void prober_init(Prober *p) noexcept nogil:
    memset(p, 0, sizeof(Prober))


cdef void prober_begin(Prober *p, const ProbeCluster *probe) noexcept nogil:
    cdef ProberCluster *last
    if probe.rate_bps <= 0:
        return
    if p.count == PROBER_PENDING:
        drop(p)
    last = &p.pending[(p.first + p.count) % PROBER_PENDING]
    last.probe = probe[0]
    last.started_us = -1
    last.bunch_us = -1
    last.sent_bytes = 0
    last.sent_packets = 0
    p.count += 1


cdef void end(Prober *p) noexcept nogil:
    p.first = (p.first + 1) % PROBER_PENDING
    p.count -= 1


cdef void drop(Prober *p) noexcept nogil:
    end(p)
    p.dropped += 1


cdef int prober_cluster(const Prober *p) noexcept nogil:
    return p.pending[p.first].probe.id if p.count else 0


cdef int64_t prober_next_us(const Prober *p) noexcept nogil:
    cdef const ProberCluster *now = &p.pending[p.first]
    if p.count == 0:
        return -1
    if now.started_us < 0:
        return max(now.probe.created_us, p.free_us)
    return now.started_us + (now.sent_bytes * MICROBITS_PER_BYTE + now.probe.rate_bps - 1) // now.probe.rate_bps


cdef bint is_too_late(const Prober *p, int64_t now_us) noexcept nogil:
    cdef const ProberCluster *now = &p.pending[p.first]
    if now_us - now.probe.created_us > TIMEOUT_US:
        return True
    return now.started_us >= 0 and now_us - prober_next_us(p) > LATE_US


cdef int prober_bytes_due(Prober *p, int64_t now_us) noexcept nogil:
    cdef ProberCluster *now
    cdef int64_t due_bytes, left_bytes
    while p.count and is_too_late(p, now_us):
        drop(p)
    if p.count == 0 or now_us < prober_next_us(p):
        return 0
    now = &p.pending[p.first]
    due_bytes = max(now.probe.rate_bps * BUNCH_US // MICROBITS_PER_BYTE, <int64_t>BUNCH_LEAST_BYTES)
    left_bytes = max(now.probe.bytes - now.sent_bytes, <int64_t>BUNCH_LEAST_BYTES)
    if now.sent_packets + 1 >= now.probe.packets:
        due_bytes = min(due_bytes, left_bytes)
    return <int>due_bytes


cdef inline bint is_out(const ProberCluster *sent, int times) noexcept nogil:
    return sent.sent_bytes >= <int64_t>times * sent.probe.bytes and sent.sent_packets >= times * sent.probe.packets


cdef void prober_sent(Prober *p, int size_bytes, int64_t now_us) noexcept nogil:
    cdef ProberCluster *now = &p.pending[p.first]
    if p.count == 0 or size_bytes <= 0:
        return
    if now.started_us < 0:
        now.started_us = now_us
    if now_us >= prober_next_us(p):
        now.bunch_us = now_us
    now.sent_bytes += size_bytes
    now.sent_packets += 1
    if (is_out(now, 1) and now.bunch_us == now_us) or is_out(now, FLOODED_TIMES):
        p.free_us = prober_next_us(p)
        end(p)


# ---- the Python face

@cython.final
cdef class ProbeSchedule:
    """Tells a sender when to send how much of the probe clusters given to it; five at most, in turn."""
    cdef Prober prober

    def __cinit__(self):
        prober_init(&self.prober)

    def begin(self, int cluster, int64_t rate_bps, int packets, int size_bytes, int64_t created_us):
        """Send a cluster after those before it; the oldest of more than five is dropped.

        Args:
            cluster: 1..255.
            rate_bps: to send at, bit/s, 1..2e9.
            packets: to send, at least; 1..10000.
            size_bytes: to send, at least; 1..2**30.
            created_us: when it was made up; it is dropped if it is not out within 5 s of that.

        Raises:
            ValueError: a figure is out of range.
        """
        cdef ProbeCluster probe
        check_time(created_us)
        if not 1 <= cluster <= 255:
            raise ValueError("cluster must be 1..255")
        if not 0 < rate_bps <= 2_000_000_000 or not 0 < packets <= 10_000 or not 0 < size_bytes <= 1 << 30:
            raise ValueError("rate, packets and bytes must be above 0, and in range")
        probe.id, probe.rate_bps, probe.packets, probe.bytes = cluster, rate_bps, packets, size_bytes
        probe.created_us = created_us
        probe.kind = 0
        prober_begin(&self.prober, &probe)

    def bytes_due(self, int64_t now_us):
        """Bytes to send now at least, in one packet or more; 0: none. What is too late is dropped.

        Raises:
            ValueError: the time is not within 0..2**60 us.
        """
        check_time(now_us)
        return prober_bytes_due(&self.prober, now_us)

    def on_sent(self, int size_bytes, int64_t now_us):
        """Count a packet that went out while a cluster is under way, media as well.

        Raises:
            ValueError: the size is not within 1..65535 bytes, or the time not within 0..2**60 us.
        """
        check_time(now_us)
        if not 1 <= size_bytes <= 65535:
            raise ValueError("size must be 1..65535 bytes")
        prober_sent(&self.prober, size_bytes, now_us)

    def poll_timeout(self):
        """When the next bunch is due, in microseconds; None: none is."""
        cdef int64_t next_us = prober_next_us(&self.prober)
        return None if next_us < 0 else next_us

    @property
    def cluster(self):
        """The cluster that what is sent now belongs to; 0: none."""
        return prober_cluster(&self.prober)

    @property
    def dropped(self):
        """Clusters that were not sent to their end."""
        return self.prober.dropped
