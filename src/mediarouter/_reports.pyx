"""Timers of the data plane and the RTCP they send."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._egress cimport egress_ready, egress_reserve, egress_rtcp
from mediarouter._events cimport EVENT_CONSENT_LOST, event_put
from mediarouter._downlink cimport downlink_timer
from mediarouter._forward cimport consumer_retarget
from mediarouter._layer_rates cimport layer_rates_begin, layer_rates_measure, layer_rates_tabulate
from mediarouter._gather cimport gather_expire, gather_take_turns
from mediarouter._ice cimport ice_has_consent
from mediarouter._key_frames cimport key_frame_ask, key_frame_timer
from mediarouter._pace cimport pace_timer
from mediarouter._pipe cimport PipeEnd, pipe_flush
from mediarouter._pipe_out cimport pipe_ask_again
from mediarouter._plane cimport (
    TIMER_CONSENT,
    TIMER_DOWNLINK,
    TIMER_GATHER,
    TIMER_KEY_FRAME,
    TIMER_LIVENESS,
    TIMER_NACK,
    TIMER_PACE,
    TIMER_PIPE,
    TIMER_REPORTS,
    TIMER_TWCC,
    TIMER_WANTED,
    Consumer,
    Encoding,
    Plane,
    Producer,
    Transport,
    plane_touch_wanted,
)
from mediarouter._recv_stream cimport (
    RecvStream,
    recv_stream_nack_deadline_us,
    recv_stream_poll_nacks,
    recv_stream_report,
)
from mediarouter._rtcp cimport (
    ReportBlock,
    SenderInfo,
    rtcp_write_bye,
    rtcp_write_nack,
    rtcp_write_rr,
    rtcp_write_sdes_cname,
    rtcp_write_sr,
)
from mediarouter._send_stream cimport newest_run
from mediarouter._timers cimport Timer, timer_arm, timer_arm_coarsely, timer_cancel, timer_earlier, timer_poll
from mediarouter._uplink_limit cimport uplink_limit_repeat
from mediarouter._wanted cimport wanted_came_back, wanted_timer
from mediarouter.congestion._ccfb cimport ccfb_record_deadline_us, ccfb_record_write
from mediarouter.congestion._twcc cimport twcc_record_deadline_us, twcc_record_write

cdef enum:
    RTCP_SIZE = 1200               # bytes of one compound
    REPORTS_INTERVAL_US = 1000000
    FIRST_REPORT_US = 100000       # soon after the first packet, since lip sync waits for it
    CONSENT_INTERVAL_US = 500000
    LIVENESS_INTERVAL_US = 250000
    SILENT_US = 1000000            # an encoding that paused for so long while others went on is off
    BLOCKS_MAX = 24                # report blocks of one receiver report
    NACKS_MAX = 256


cdef void reports_run_timers(Plane *plane, int64_t now_us) noexcept nogil:
    cdef Timer *timer
    while True:
        timer = timer_poll(plane.timers, now_us)
        if timer == NULL:
            break
        if timer.kind == TIMER_NACK:
            send_nacks(plane, <Encoding *>timer.owner, now_us)
        elif timer.kind == TIMER_GATHER:
            gather_expire(plane, <Encoding *>timer.owner, now_us)
        elif timer.kind == TIMER_TWCC:
            send_twcc(plane, <Transport *>timer.owner, now_us)
        elif timer.kind == TIMER_REPORTS:
            send_reports(plane, <Transport *>timer.owner, now_us)
        elif timer.kind == TIMER_PIPE:
            pipe_flush(<PipeEnd *>timer.owner)
        elif timer.kind == TIMER_KEY_FRAME:
            key_frame_timer(plane, <Encoding *>timer.owner, now_us)
        elif timer.kind == TIMER_CONSENT:
            check_consent(plane, <Transport *>timer.owner, now_us)
        elif timer.kind == TIMER_DOWNLINK:
            downlink_timer(plane, <Transport *>timer.owner, now_us)
        elif timer.kind == TIMER_PACE:
            pace_timer(plane, <Transport *>timer.owner, now_us)
        elif timer.kind == TIMER_LIVENESS:
            check_liveness(plane, <Producer *>timer.owner, now_us)
        elif timer.kind == TIMER_WANTED:
            wanted_timer(plane, <Producer *>timer.owner, now_us)
    gather_take_turns(plane, now_us)


cdef void reports_begin(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef int i
    if not transport.reports_timer.armed:
        timer_arm_coarsely(plane.timers, &transport.reports_timer, now_us + FIRST_REPORT_US)
    for i in range(transport.consumer_count):
        consumer_retarget(plane, transport.consumers[i], now_us)


cdef void reports_saw_packet(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil:
    cdef Producer *producer = encoding.producer
    cdef int i
    if producer.alive & (1u << encoding.index):
        return
    producer.alive |= 1u << encoding.index
    layer_rates_begin(encoding, now_us)
    layer_rates_tabulate(producer)
    wanted_came_back(encoding, now_us)
    for i in range(producer.consumer_count):
        consumer_retarget(plane, producer.consumers[i], now_us)
    if not producer.liveness_timer.armed:
        timer_arm_coarsely(plane.timers, &producer.liveness_timer, now_us + LIVENESS_INTERVAL_US)


cdef void check_liveness(Plane *plane, Producer *producer, int64_t now_us) noexcept nogil:
    # one encoding's silence means something only while others speak: a static screen sends nothing for seconds
    cdef unsigned int alive = producer.alive
    cdef int64_t newest_us = 0
    cdef Encoding *encoding
    cdef int i
    timer_arm_coarsely(plane.timers, &producer.liveness_timer, now_us + LIVENESS_INTERVAL_US)
    for i in range(producer.encoding_count):
        encoding = &producer.encodings[i]
        if encoding.stream.newest_arrival_us > newest_us:
            newest_us = encoding.stream.newest_arrival_us
        layer_rates_measure(encoding, now_us)
    layer_rates_tabulate(producer)
    for i in range(producer.encoding_count):
        encoding = &producer.encodings[i]
        if newest_us - encoding.stream.newest_arrival_us > SILENT_US:
            alive &= ~(1u << i)
    if alive == producer.alive:
        return
    producer.alive = alive
    layer_rates_tabulate(producer)
    for i in range(producer.consumer_count):
        consumer_retarget(plane, producer.consumers[i], now_us)


cdef void check_consent(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef int i
    timer_arm_coarsely(plane.timers, &transport.consent_timer, now_us + CONSENT_INTERVAL_US)
    if transport.consent and not ice_has_consent(&transport.ice, now_us):
        transport.consent = False
        for i in range(transport.consumer_count):
            plane_touch_wanted(plane, transport.consumers[i].producer)
        event_put(&plane.events, EVENT_CONSENT_LOST, transport.handle, 0, 0, NULL, 0)


cdef void reports_schedule_nack(Plane *plane, Encoding *encoding) noexcept nogil:
    cdef int64_t due_us = recv_stream_nack_deadline_us(&encoding.stream)
    if due_us < 0:
        timer_cancel(plane.timers, &encoding.nack_timer)
    elif not encoding.nack_timer.armed or encoding.nack_timer.deadline_us > due_us:
        timer_arm(plane.timers, &encoding.nack_timer, due_us)


cdef void send_nacks(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil:
    cdef uint16_t seqs[NACKS_MAX]
    cdef Transport *transport = encoding.producer.transport
    cdef bint give_up = False
    cdef uint8_t *out
    cdef int count = recv_stream_poll_nacks(&encoding.stream, now_us, seqs, NACKS_MAX, &give_up)
    if give_up:
        key_frame_ask(plane, encoding, now_us)
    if count > 0 and transport.pipe != NULL:
        pipe_ask_again(plane, encoding, seqs, count)
    elif count > 0 and egress_ready(transport):
        out = egress_reserve(plane, RTCP_SIZE)
        if out != NULL:
            egress_rtcp(plane, transport, out, rtcp_write_nack(out, RTCP_SIZE, transport.feedback_ssrc,
                                                               encoding.stream.ssrc, seqs, count))
    reports_schedule_nack(plane, encoding)


cdef void reports_schedule_twcc(Plane *plane, Transport *transport) noexcept nogil:
    cdef int64_t due_us = twcc_record_deadline_us(transport.twcc)
    if transport.ccfb != NULL:
        due_us = timer_earlier(due_us, ccfb_record_deadline_us(transport.ccfb))
    if due_us >= 0 and (not transport.twcc_timer.armed or transport.twcc_timer.deadline_us > due_us):
        timer_arm(plane.timers, &transport.twcc_timer, due_us)


cdef void send_twcc(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef uint8_t *out
    cdef int size
    if not egress_ready(transport):
        return
    while True:
        out = egress_reserve(plane, RTCP_SIZE)
        if out == NULL:
            break
        size = twcc_record_write(transport.twcc, out, RTCP_SIZE, transport.feedback_ssrc,
                                 transport.last_media_ssrc, now_us)
        if size <= 0 and transport.ccfb != NULL:
            size = ccfb_record_write(transport.ccfb, out, RTCP_SIZE, transport.feedback_ssrc, now_us)
        if size <= 0:
            break
        egress_rtcp(plane, transport, out, size)
    reports_schedule_twcc(plane, transport)


cdef void send_reports(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef int i
    timer_arm_coarsely(plane.timers, &transport.reports_timer, now_us + REPORTS_INTERVAL_US)
    if not egress_ready(transport):
        return
    send_receiver_report(plane, transport, now_us)
    uplink_limit_repeat(plane, transport)
    for i in range(transport.consumer_count):
        send_sender_report(plane, transport.consumers[i], now_us)


cdef void send_receiver_report(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil:
    cdef ReportBlock blocks[BLOCKS_MAX]
    cdef Producer *producer
    cdef uint8_t *out
    cdef int i, k, size
    cdef int count = 0
    for i in range(transport.producer_count):
        producer = transport.producers[i]
        for k in range(producer.encoding_count):
            if producer.encodings[k].stream.packets and count < BLOCKS_MAX:
                recv_stream_report(&producer.encodings[k].stream, &blocks[count], now_us)
                count += 1
    if transport.producer_count == 0:
        return
    out = egress_reserve(plane, RTCP_SIZE)
    if out == NULL:
        return
    size = rtcp_write_rr(out, RTCP_SIZE, transport.feedback_ssrc, blocks, count)
    size += rtcp_write_sdes_cname(out + size, RTCP_SIZE - size, transport.feedback_ssrc, transport.cname,
                                  transport.cname_size)
    egress_rtcp(plane, transport, out, size)


cdef void send_sender_report(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil:
    # The publisher's own pair of NTP time and timestamp, moved along its line to now and onto our timeline. So audio
    # and video of one publisher stay on one clock, whatever layer is sent.
    cdef SenderInfo info
    cdef const RecvStream *source
    cdef int64_t age_us
    cdef uint8_t *out
    cdef int size
    if not consumer.stream.started or consumer.paused or consumer.stream.packets == 0:
        return
    source = &consumer.producer.encodings[newest_run(&consumer.stream).encoding].stream
    if source.sr_ntp == 0:
        return
    age_us = now_us - source.sr_arrival_us
    info.ssrc = consumer.ssrc
    info.ntp = source.sr_ntp + <uint64_t>((age_us << 32) // 1000000)
    info.rtp_timestamp = source.sr_rtp_timestamp + newest_run(&consumer.stream).timestamp_offset
    info.rtp_timestamp += <uint32_t>(age_us * <int64_t>consumer.producer.clock_rate // 1000000)
    info.packets = consumer.stream.packets
    info.octets = consumer.stream.octets
    out = egress_reserve(plane, RTCP_SIZE)
    if out == NULL:
        return
    size = rtcp_write_sr(out, RTCP_SIZE, &info, NULL, 0)
    size += rtcp_write_sdes_cname(out + size, RTCP_SIZE - size, consumer.ssrc, consumer.producer.transport.cname,
                                  consumer.producer.transport.cname_size)
    if egress_rtcp(plane, consumer.transport, out, size):
        consumer.reports[1] = consumer.reports[0]
        consumer.reports[0].ntp_middle = <uint32_t>(info.ntp >> 16)
        consumer.reports[0].sent_us = now_us
        consumer.told_sender_report = True


cdef void reports_send_bye(Plane *plane, Transport *transport, unsigned int ssrc,
                           unsigned int rtx_ssrc) noexcept nogil:
    cdef uint32_t ssrcs[2]
    cdef uint8_t *out
    cdef int size
    if not egress_ready(transport):
        return
    out = egress_reserve(plane, RTCP_SIZE)
    if out == NULL:
        return
    ssrcs[0] = ssrc
    ssrcs[1] = rtx_ssrc
    size = rtcp_write_rr(out, RTCP_SIZE, transport.feedback_ssrc, NULL, 0)
    size += rtcp_write_bye(out + size, RTCP_SIZE - size, ssrcs, 2 if rtx_ssrc else 1)
    egress_rtcp(plane, transport, out, size)
