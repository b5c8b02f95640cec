"""The estimator of the send side, whole: what one viewer's network carries.

Theory of operation
Each packet is noted as it leaves. A report tells which arrived, and when; what it tells anew goes to four judges:
    throughput      how much arrived lately, which bounds what the others may believe
    delay           a queue that grows means more than the link carries: down at once, up slowly
    loss            loss that grows with the rate sent means the same where queues are short
    probes          what a short burst at a chosen rate achieved: the only one that finds room nobody uses yet
The target is the least of what delay, loss and the receiver allow. A probe lifts the delay's estimate, never cuts it
deeper than congestion would. Where feedback stops coming, the target falls by itself (`_feedback_watch`).

All reports of one datagram are taken in before one update. Time comes from the caller, and nothing is done between two
calls: `send_side_deadline_us` tells when the next one is due. The cost is bounded: more than 200 reports a second, five
times what any client sends, are refused, and of a report no more than the history holds is looked at.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
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
from mediarouter._timers cimport timer_earlier
from mediarouter.congestion._aimd cimport aimd_set_estimate, aimd_set_limits, aimd_set_rtt
from mediarouter.congestion._alr cimport alr_init, alr_sent, alr_set_estimate
from mediarouter.congestion._ccfb_index cimport (
    CCFB_STREAMS_MAX,
    ccfb_index_add,
    ccfb_index_init,
    ccfb_stream_t,
)
from mediarouter.congestion._ccfb_match cimport feedback_match_ccfb
from mediarouter.congestion._delay_based cimport (
    DelayResult,
    delay_based_init,
    delay_based_packet,
    delay_based_update,
)
from mediarouter.congestion._feedback_match cimport OUTCOMES_MAX, Outcome, feedback_match_init, feedback_match_twcc
from mediarouter.congestion._feedback_watch cimport (
    FEEDBACK_BACKING_OFF,
    FEEDBACK_FINE,
    feedback_watch_deadline_us,
    feedback_watch_factor,
    feedback_watch_init,
    feedback_watch_poll,
    feedback_watch_report,
    feedback_watch_sent,
)
from mediarouter.congestion._loss_based cimport (
    LOSS_DECREASING,
    LOSS_DELAY_LIMITED,
    LossBased,
    loss_based_forget,
    loss_based_init,
    loss_based_packet,
    loss_based_set_acked,
    loss_based_set_estimate,
    loss_based_set_limits,
    loss_based_set_parameters,
    loss_based_update,
)
from mediarouter.congestion._loss_parameters cimport LossParameters, loss_parameters_init
from mediarouter.congestion._probe_controller cimport (
    LIMITED_BY_DELAY,
    LIMITED_BY_LOSS,
    LIMITED_BY_LOSS_INCREASING,
    LIMITED_BY_OVERUSE,
    LIMITED_BY_RTT,
    ProbeCluster,
    probe_controller_deadline_us,
    probe_controller_dropped,
    probe_controller_init,
    probe_controller_poll,
    probe_controller_result,
    probe_controller_set_alr,
    probe_controller_set_demand,
    probe_controller_set_estimate,
)
from mediarouter.congestion._probe_estimator cimport (
    probe_estimator_begin,
    probe_estimator_init,
    probe_estimator_packet,
)
from mediarouter.congestion._queue_delay cimport queue_delay_add, queue_delay_init
from mediarouter.congestion._recent_rate cimport recent_rate_add, recent_rate_bps, recent_rate_init
from mediarouter.congestion._receiver_limit cimport (
    receiver_limit_cap,
    receiver_limit_deadline_us,
    receiver_limit_init,
    receiver_limit_poll,
    receiver_limit_set,
)
from mediarouter.congestion._send_history cimport send_history_add, send_history_init
from mediarouter.congestion._throughput cimport throughput_add, throughput_bps, throughput_init
from mediarouter.congestion._trendline cimport USAGE_NORMAL, USAGE_OVER

from typing import NamedTuple

cdef enum:
    REPORTS_PER_SECOND = 200
    REPORT = 1000000               # one report, in millionths
    BURST = 20                     # reports that may come at once
    FORMAT_TWCC = 15
    FORMAT_REMB = 15
    DRAIN_US = 1000000             # the queue shall be empty after so long
    JAMMED_US = 60000              # all packets of a report waited so long, and ...
    JAMMED_MORE_US = 30000         # ... so much longer than those of the last
    JAMMED_PACKETS = 3

cdef double LOSS_BORNE = 0.1


cdef void send_side_init(SendSide *side, int64_t start_bps, int64_t min_bps, int64_t max_bps,
                         int64_t now_us) noexcept nogil:
    memset(side, 0, sizeof(SendSide))
    side.min_bps = min_bps
    side.max_bps = max_bps
    side.target_bps = side.uncapped_bps = start_bps
    side.acked_bps = side.rtt_us = side.probe_bps = side.jammed_bps = -1
    side.usage = USAGE_NORMAL
    side.refill_us = now_us
    side.reports_left = BURST * REPORT
    alr_init(&side.alr, start_bps)
    delay_based_init(&side.delay, start_bps, min_bps, max_bps)
    throughput_init(&side.throughput)
    loss_based_init(&side.loss, start_bps, min_bps, max_bps)
    bear_loss(&side.loss)
    probe_estimator_init(&side.probe_estimator)
    probe_controller_init(&side.probe_controller, start_bps, min_bps, max_bps, now_us)
    queue_delay_init(&side.queue)
    recent_rate_init(&side.recent)
    feedback_watch_init(&side.watch)
    receiver_limit_init(&side.limit, 0)
    feedback_match_init(&side.match)
    send_history_init(&side.history)
    ccfb_index_init(&side.by_stream)


cdef void bear_loss(LossBased *loss) noexcept nogil:
    # A radio link loses a tenth of what it carries without being full, and video with RTX bears that. The reference's
    # twentieth holds such viewers below 2 Mbit/s.
    cdef LossParameters parameters
    loss_parameters_init(&parameters)
    parameters.bound_loss_offset = LOSS_BORNE
    parameters.inherent_loss_offset = LOSS_BORNE
    loss_based_set_parameters(loss, &parameters)


cdef void send_side_sent(SendSide *side, uint16_t seq, int size_bytes, int cluster, int64_t now_us) noexcept nogil:
    send_history_add(&side.history, seq, size_bytes, cluster, now_us)
    alr_sent(&side.alr, size_bytes, now_us)
    feedback_watch_sent(&side.watch, now_us)


cdef void send_side_name(SendSide *side, int stream, uint16_t seq) noexcept nogil:
    ccfb_index_add(&side.by_stream, stream, seq, side.history.newest)


# ---- reports

cdef bint may_report(SendSide *side, int64_t now_us) noexcept nogil:
    if now_us > side.refill_us:
        side.reports_left = min(side.reports_left + min(now_us - side.refill_us, <int64_t>1000000) * REPORTS_PER_SECOND,
                                <int64_t>(BURST * REPORT))
        side.refill_us = now_us
    if side.reports_left < REPORT:
        side.refused += 1
        return False
    side.reports_left -= REPORT
    return True


cdef int send_side_report(SendSide *side, const uint8_t *data, int size, int64_t now_us) noexcept nogil:
    cdef Outcome outcomes[OUTCOMES_MAX]
    cdef int lost, count
    if not may_report(side, now_us):
        return 0
    count = feedback_match_twcc(&side.match, &side.history, data, size, outcomes, &lost)
    if count >= 0:
        take_in(side, outcomes, lost, count, now_us)
    return count


cdef int send_side_report_ccfb(SendSide *side, ccfb_stream_t stream_of, const void *table, const uint8_t *data,
                               int size, int64_t now_us) noexcept nogil:
    cdef Outcome outcomes[OUTCOMES_MAX]
    cdef int lost, count
    if not may_report(side, now_us):
        return 0
    count = feedback_match_ccfb(&side.match, &side.history, &side.by_stream, stream_of, table, data, size, outcomes,
                                &lost)
    if count >= 0:
        take_in(side, outcomes, lost, count, now_us)
    return count


cdef void take_in(SendSide *side, const Outcome *outcomes, int lost, int count, int64_t now_us) noexcept nogil:
    cdef int i
    for i in range(lost):
        loss_based_packet(&side.loss, <uint32_t>outcomes[i].number, outcomes[i].send_us, outcomes[i].size_bytes, False)
    for i in range(lost, count):
        take_received(side, &outcomes[i], now_us)
    if count > lost:
        measure_rtt(side, outcomes + lost, count - lost, now_us)
        notice_jam(side, outcomes + lost, count - lost)
    side.reported = True


cdef void take_received(SendSide *side, const Outcome *packet, int64_t now_us) noexcept nogil:
    cdef int64_t rate_bps
    throughput_add(&side.throughput, packet.send_us, packet.arrival_us, packet.size_bytes)
    delay_based_packet(&side.delay, packet.send_us, packet.arrival_us, now_us, packet.size_bytes)
    loss_based_packet(&side.loss, <uint32_t>packet.number, packet.send_us, packet.size_bytes, True)
    queue_delay_add(&side.queue, packet.send_us, packet.arrival_us)
    recent_rate_add(&side.recent, packet.arrival_us, packet.size_bytes)
    if packet.cluster:
        rate_bps = probe_estimator_packet(&side.probe_estimator, packet.cluster, packet.send_us, packet.arrival_us,
                                          packet.size_bytes)
        if rate_bps >= 0:
            side.probe_bps = rate_bps
            probe_controller_result(&side.probe_controller, packet.cluster, rate_bps, now_us)


cdef void measure_rtt(SendSide *side, const Outcome *received, int count, int64_t now_us) noexcept nogil:
    # a report waits for the last packet it tells of: what that one took is the network's, and the report's way back
    cdef int64_t newest_us = received[count - 1].arrival_us
    cdef int64_t least_us = now_us - received[count - 1].send_us
    cdef int64_t rtt_us
    cdef int i
    for i in range(count - 1):
        rtt_us = now_us - received[i].send_us - (newest_us - received[i].arrival_us)
        if 0 < rtt_us < least_us:
            least_us = rtt_us
    side.rtt_us = least_us if side.rtt_us < 0 else side.rtt_us + (least_us - side.rtt_us) // 8
    aimd_set_rtt(&side.delay.aimd, side.rtt_us)
    feedback_watch_report(&side.watch, now_us, least_us)


cdef void notice_jam(SendSide *side, const Outcome *received, int count) noexcept nogil:
    # The trend needs some hundred milliseconds to be sure. Meanwhile the streams need not go on as they are: where a
    # whole report waited much longer than the one before, its packets came one behind the other, as fast as the link is.
    cdef const Outcome *last = &received[count - 1]
    cdef int64_t path_us = last.arrival_us - last.send_us - side.queue.queue_us
    cdef int64_t waited_us = last.arrival_us - last.send_us
    cdef int64_t span_us = last.arrival_us - received[0].arrival_us
    cdef int64_t bytes = 0
    cdef int i
    for i in range(1, count):
        bytes += received[i].size_bytes
    for i in range(count):
        waited_us = min(waited_us, received[i].arrival_us - received[i].send_us)
    waited_us -= path_us
    if waited_us < side.waited_us or waited_us < JAMMED_US:
        side.jammed_bps = -1
    elif count >= JAMMED_PACKETS and span_us > 0 and waited_us - side.waited_us >= JAMMED_MORE_US:
        side.jammed_bps = bytes * 8 * 1000000 // span_us * 85 // 100
    side.waited_us = waited_us


# ---- the target

cdef bint send_side_update(SendSide *side, int64_t now_us) noexcept nogil:
    cdef DelayResult delay
    cdef bint in_alr = side.alr.since_us >= 0
    cdef int64_t probe_bps = side.probe_bps
    if not side.reported:
        return cap_anew(side, now_us)
    side.reported = side.capped = False
    side.probe_bps = -1
    side.acked_bps = throughput_bps(&side.throughput)
    if probe_bps >= 0 and side.acked_bps > 0:
        # a probe that went badly never cuts deeper than congestion would
        probe_bps = max(probe_bps, min(side.target_bps, side.acked_bps * 85 // 100))
    probe_controller_set_alr(&side.probe_controller, side.alr.since_us, now_us)
    delay_based_update(&side.delay, proven_bps(side), probe_bps, in_alr, now_us, &delay)
    side.usage = delay.usage
    if delay.updated and delay.usage == USAGE_OVER and delay.target_bps < side.target_bps // 2:
        # what was lost when more than twice as much was sent is explained, and says nothing about what is sent now
        loss_based_forget(&side.loss, delay.target_bps, now_us)
    if delay.probe:
        loss_based_set_estimate(&side.loss, delay.target_bps)
    if delay.recovered_from_overuse:
        probe_controller_dropped(&side.probe_controller, now_us)
    loss_based_set_acked(&side.loss, side.acked_bps)
    return set_target(side, loss_based_update(&side.loss, delay.target_bps, in_alr, now_us), now_us)


cdef int64_t proven_bps(const SendSide *side) noexcept nogil:
    # while a queue stands, the last moments tell better than the last second
    cdef int64_t recent_bps = -1
    if side.delay.line.usage == USAGE_OVER and side.acked_bps >= 0:
        recent_bps = recent_rate_bps(&side.recent)
    return recent_bps if recent_bps >= 0 else side.acked_bps


cdef bint set_target(SendSide *side, int64_t bps, int64_t now_us) noexcept nogil:
    cdef int64_t before_bps = side.target_bps
    side.uncapped_bps = bps
    bps = receiver_limit_cap(&side.limit, bps, side.min_bps)
    side.target_bps = max(side.min_bps, min(bps, side.max_bps))
    probe_controller_set_estimate(&side.probe_controller, side.target_bps, limited_by(side, now_us), now_us)
    alr_set_estimate(&side.alr, side.target_bps)
    return side.target_bps != before_bps


cdef bint cap_anew(SendSide *side, int64_t now_us) noexcept nogil:
    # the receiver's limit moved and nothing else did
    if not side.capped:
        return False
    side.capped = False
    return set_target(side, side.uncapped_bps, now_us)


cdef int limited_by(SendSide *side, int64_t now_us) noexcept nogil:
    if feedback_watch_poll(&side.watch, now_us) != FEEDBACK_FINE:
        return LIMITED_BY_RTT
    if side.usage != USAGE_NORMAL:
        return LIMITED_BY_OVERUSE
    if side.loss.state == LOSS_DELAY_LIMITED:
        return LIMITED_BY_DELAY
    # A rise from a loss is to be proven by packets, and whoever sends little has none: a probe proves it too
    if side.loss.state == LOSS_DECREASING and side.alr.since_us < 0:
        return LIMITED_BY_LOSS
    return LIMITED_BY_LOSS_INCREASING


cdef void send_side_set_receiver_limit(SendSide *side, int64_t bps, int64_t now_us) noexcept nogil:
    if receiver_limit_set(&side.limit, bps, now_us):
        side.capped = True


cdef bint send_side_set_limits(SendSide *side, int64_t min_bps, int64_t max_bps, int64_t now_us) noexcept nogil:
    side.min_bps = min_bps
    side.max_bps = max_bps
    aimd_set_limits(&side.delay.aimd, min_bps, max_bps)
    loss_based_set_limits(&side.loss, min_bps, max_bps)
    # not by probe_controller_set_bounds, which would fire a burst at the new limit: demand alone asks for probes
    side.probe_controller.min_bps = min_bps
    side.probe_controller.max_bps = max_bps
    return set_target(side, side.uncapped_bps, now_us)


cdef void send_side_set_demand(SendSide *side, int64_t demand_bps, int64_t in_use_bps, int64_t now_us) noexcept nogil:
    probe_controller_set_demand(&side.probe_controller, demand_bps, in_use_bps, now_us)


# ---- time

cdef bint send_side_poll(SendSide *side, int64_t now_us) noexcept nogil:
    cdef bint changed = False
    cdef int64_t bps
    if receiver_limit_poll(&side.limit, now_us):
        side.capped = True
    changed = send_side_update(side, now_us)
    # a client may agree to give feedback and never do so: then the start is all that is known
    if side.match.reports and feedback_watch_poll(&side.watch, now_us) >= FEEDBACK_BACKING_OFF:
        bps = <int64_t>(<double>side.target_bps * feedback_watch_factor(&side.watch, now_us))
        if bps < side.target_bps:
            bps = max(bps, side.min_bps)
            aimd_set_estimate(&side.delay.aimd, bps, now_us)
            loss_based_set_estimate(&side.loss, bps)
            changed = set_target(side, bps, now_us) or changed
    return changed


cdef bint send_side_poll_probe(SendSide *side, int64_t now_us, ProbeCluster *cluster) noexcept nogil:
    if not probe_controller_poll(&side.probe_controller, now_us, cluster):
        return False
    side.probes += 1
    probe_estimator_begin(&side.probe_estimator, cluster.id, cluster.rate_bps, cluster.packets, cluster.bytes)
    return True


cdef int64_t send_side_deadline_us(const SendSide *side, int64_t now_us) noexcept nogil:
    cdef int64_t due_us = feedback_watch_deadline_us(&side.watch, now_us)
    due_us = timer_earlier(due_us, probe_controller_deadline_us(&side.probe_controller))
    return timer_earlier(due_us, receiver_limit_deadline_us(&side.limit))


cdef int64_t send_side_budget_bps(const SendSide *side) noexcept nogil:
    # what waits in the queue, in bits over a second, is bits a second
    cdef int64_t drain_bps
    cdef int64_t bps = side.target_bps
    if side.jammed_bps >= 0:
        bps = min(bps, side.jammed_bps)
    if side.queue.queue_us <= 0 or side.acked_bps <= 0:
        return max(side.min_bps, bps)
    drain_bps = min(side.queue.queue_us, <int64_t>DRAIN_US) * min(side.acked_bps, bps) // DRAIN_US
    return max(side.min_bps, bps - drain_bps)


cdef int64_t send_side_pacing_bps(const SendSide *side) noexcept nogil:
    return side.target_bps * 5 // 2


# ---- the Python face

cdef int64_t RATE_MAX_BPS = 1000000000
cdef int64_t TIME_MAX_US = <int64_t>1 << 60


cdef int check_limits(int64_t start_bps, int64_t min_bps, int64_t max_bps) except -1:
    if not 1000 <= min_bps <= start_bps <= max_bps <= RATE_MAX_BPS:
        raise ValueError(f"rates must be 1,000 <= min <= start <= max <= 1,000,000,000 bit/s, not "
                         f"{min_bps}, {start_bps}, {max_bps}")
    return 0


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
