"""`SendSideEstimator`: the estimator of the send side (`_estimator`) for who brings a transport of their own."""

cimport cython
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from mediarouter._congestion_feedback cimport FORMAT_CCFB
from mediarouter._lookup cimport SsrcEntry, SsrcTable, ssrc_table_find, ssrc_table_put, ssrc_table_release
from mediarouter._rtcp cimport (
    RTCP_PSFB,
    RTCP_RTPFB,
    RtcpReader,
    RtcpView,
    rtcp_next,
    rtcp_read_remb,
    rtcp_reader_init,
)
from mediarouter.congestion._ccfb_index cimport CCFB_STREAMS_MAX
from mediarouter.congestion._estimator cimport (
    MAX_BPS,
    MIN_BPS,
    START_BPS,
    SendSide,
    check_limits,
    send_side_budget_bps,
    send_side_deadline_us,
    send_side_init,
    send_side_name,
    send_side_pacing_bps,
    send_side_poll,
    send_side_poll_probe,
    send_side_report,
    send_side_report_ccfb,
    send_side_sent,
    send_side_set_demand,
    send_side_set_limits,
    send_side_set_receiver_limit,
    send_side_shown_bps,
    send_side_update,
)
from mediarouter.congestion._probe_controller cimport ProbeCluster

from typing import NamedTuple

cdef enum:
    FORMAT_TWCC = 15
    FORMAT_REMB = 15

cdef int64_t RATE_MAX_BPS = 1000000000
cdef int64_t TIME_MAX_US = <int64_t>1 << 60


cdef int stream_known(const void *table, uint32_t ssrc) noexcept nogil:
    cdef const SsrcEntry *entry = ssrc_table_find(<const SsrcTable *>table, ssrc)
    return <int><size_t>entry.owner if entry != NULL else -1


@cython.final
cdef class SendSideEstimator:
    """How much one receiver's network carries, by its feedback about what was sent to it: transport-wide, or RFC 8888.

    Sans-IO: the caller sends, and brings feedback and time, in microseconds of one clock that never goes back. After
    each call the target may have changed; `poll` when it says.

    Args:
        start_bps: the target until the network has told.
        min_bps, max_bps: its limits, 1,000 to 1,000,000,000 bit/s. All rates count what the network carries: IP, UDP,
            SRTP and all.
        now_us: when this begins.

    Raises:
        ValueError: limits out of range or order.
    """
    cdef SendSide side
    cdef int64_t now_us
    cdef SsrcTable streams         # by SSRC: its number, in place of an owner

    def __cinit__(self, int64_t start_bps=START_BPS, int64_t min_bps=MIN_BPS, int64_t max_bps=MAX_BPS,
                  int64_t now_us=0):
        check_limits(start_bps, min_bps, max_bps)
        self.go_on(now_us)
        send_side_init(&self.side, start_bps, min_bps, max_bps, now_us)

    def __dealloc__(self):
        ssrc_table_release(&self.streams)

    cdef int go_on(self, int64_t now_us) except -1:
        if not -TIME_MAX_US < now_us < TIME_MAX_US:
            raise ValueError("time out of range")
        self.now_us = now_us
        return 0

    cdef int stream_of(self, object ssrc) except -1:
        # its number, given when it is first seen
        cdef uint32_t known = ssrc
        cdef const SsrcEntry *entry = ssrc_table_find(&self.streams, known)
        if entry != NULL:
            return <int><size_t>entry.owner
        if self.streams.count == CCFB_STREAMS_MAX:
            raise ValueError("more than 4095 streams")
        if not ssrc_table_put(&self.streams, known, 1, <void *><size_t>self.streams.count):
            raise MemoryError
        return <int>self.streams.count - 1

    def on_packet_sent(self, int64_t seq, int size, int64_t now_us, int probe_cluster=0, *, ssrc=None,
                       int64_t rtp_seq=0):
        """A packet leaves.

        Args:
            seq: its transport-wide number, ascending; the low 16 bits count. Where the receiver reports by RFC 8888 the
                number is not on the wire: any that counts what is sent.
            size: bytes that the network carries for it, 1..65535.
            probe_cluster: the id of the probe that it is part of, 0: of none.
            ssrc, rtp_seq: what reports of RFC 8888 name it by; None: there are none.

        Raises:
            ValueError: size, cluster or time out of range, or more than 4,095 streams.
            OverflowError: an SSRC out of range.
        """
        cdef int64_t newest = self.side.history.newest
        cdef int stream = -1 if ssrc is None else self.stream_of(ssrc)
        if not 0 < size <= 65535:
            raise ValueError(f"size {size} is not in 1..65535")
        if not 0 <= probe_cluster <= 255:
            raise ValueError(f"probe cluster {probe_cluster} is not in 0..255")
        self.go_on(now_us)
        send_side_sent(&self.side, <uint16_t>(seq & 0xFFFF), size, probe_cluster, now_us)
        if stream >= 0 and self.side.history.newest > newest:
            send_side_name(&self.side, stream, <uint16_t>(rtp_seq & 0xFFFF))

    def on_feedback(self, rtcp not None, int64_t now_us):
        """RTCP came, compound or not: transport-wide reports, those of RFC 8888 and REMB are taken in.

        Returns:
            How many packets it told of anew.
        """
        cdef const unsigned char[::1] data = rtcp
        cdef RtcpReader reader
        cdef RtcpView view
        cdef uint64_t limit_bps
        cdef int told
        cdef int total = 0
        self.go_on(now_us)
        if data.shape[0] == 0:
            return 0
        rtcp_reader_init(&reader, &data[0], <int>min(data.shape[0], 65535))
        while rtcp_next(&reader, &view) == 1:
            if view.packet_type == RTCP_RTPFB and view.count == FORMAT_TWCC:
                told = send_side_report(&self.side, view.data, view.size, now_us)
                total += told if told > 0 else 0
            elif view.packet_type == RTCP_RTPFB and view.count == FORMAT_CCFB:
                told = send_side_report_ccfb(&self.side, stream_known, &self.streams, view.data, view.size, now_us)
                total += told if told > 0 else 0
            elif view.packet_type == RTCP_PSFB and view.count == FORMAT_REMB:
                if rtcp_read_remb(&view, &limit_bps) == 1:
                    send_side_set_receiver_limit(&self.side, <int64_t>min(limit_bps, <uint64_t>RATE_MAX_BPS), now_us)
        send_side_update(&self.side, now_us)
        return total

    def set_limits(self, int64_t min_bps, int64_t max_bps):
        """Other limits from now on; the target is within them at once.

        Raises:
            ValueError: not 1,000 <= min_bps <= max_bps <= 1,000,000,000 bit/s.
        """
        check_limits(min_bps, min_bps, max_bps)
        send_side_set_limits(&self.side, min_bps, max_bps, self.now_us)

    def set_demand(self, int64_t bps, int64_t in_use_bps):
        """What whoever sends could use next, and what it uses: probes look for the difference.

        Raises:
            ValueError: not within 0..1,000,000,000 bit/s.
        """
        if not (0 <= bps <= RATE_MAX_BPS and 0 <= in_use_bps <= RATE_MAX_BPS):
            raise ValueError("demand out of range")
        send_side_set_demand(&self.side, bps, in_use_bps, self.now_us)

    def poll(self, int64_t now_us):
        """Do what is due; when to call again, or None: when something has happened."""
        cdef int64_t due_us
        self.go_on(now_us)
        send_side_poll(&self.side, now_us)
        due_us = send_side_deadline_us(&self.side, now_us)
        return None if due_us < 0 else due_us

    def poll_probe(self, int64_t now_us):
        """A probe to send now, or None. Call until None."""
        cdef ProbeCluster cluster
        self.go_on(now_us)
        if not send_side_poll_probe(&self.side, now_us, &cluster):
            return None
        return Probe(cluster.id, cluster.rate_bps, cluster.packets, cluster.bytes)

    @property
    def target_bps(self):
        """What may be sent, bit/s."""
        return self.side.target_bps

    @property
    def budget_bps(self):
        """The target less what empties the network's queue within a second: what to share out among layers."""
        return send_side_budget_bps(&self.side)

    def shown_bps(self, int64_t now_us):
        """What a probe of the last second has shown the network to carry, bit/s; None: none has."""
        cdef int64_t bps
        self.go_on(now_us)
        bps = send_side_shown_bps(&self.side, now_us)
        return None if bps < 0 else bps

    @property
    def pacing_bps(self):
        """How fast bursts may leave, bit/s."""
        return send_side_pacing_bps(&self.side)

    @property
    def rtt_us(self):
        """Round trip of the network, smoothed; None: not known yet."""
        return None if self.side.rtt_us < 0 else self.side.rtt_us

    @property
    def acked_bps(self):
        """What arrived lately; None: not known yet."""
        return None if self.side.acked_bps < 0 else self.side.acked_bps

    @property
    def counters(self):
        """Reports taken, refused for coming too often, and malformed; statuses looked at, about unknown packets and
        streams, and about packets that had arrived already; packets that arrived marked by congestion (ECN, RFC 3168);
        probes begun."""
        return {"reports": self.side.match.reports, "refused": self.side.refused,
                "malformed": self.side.match.malformed, "statuses": self.side.match.statuses,
                "unknown": self.side.match.unknown, "unknown_streams": self.side.match.unknown_streams,
                "repeated": self.side.match.repeated, "congestion_marks": self.side.match.ecn[3],
                "probes": self.side.probes}

    @property
    def memory_size(self):
        """Bytes of all its state."""
        return sizeof(SendSide)


class Probe(NamedTuple):
    """A short burst that shows whether the network carries a rate.

    Attributes:
        id: 1..255, to be given to `on_packet_sent` with each packet of the burst.
        rate_bps: to send at.
        packets, bytes: to send at least.
    """

    id: int
    rate_bps: int
    packets: int
    bytes: int
