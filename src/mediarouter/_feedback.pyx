"""Incoming RTCP; every packet of a compound is taken by itself, what was not negotiated is ignored."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._cache cimport CachedPacket, packet_cache_find
from mediarouter._congestion_feedback cimport FORMAT_CCFB
from mediarouter._downlink cimport downlink_limit, downlink_report, downlink_update
from mediarouter._egress cimport egress_ready, egress_send
from mediarouter._events cimport EVENT_BYE, event_put
from mediarouter._forward cimport forward_cached
from mediarouter._key_frames cimport key_frame_ask
from mediarouter._layers cimport LAYER_NONE
from mediarouter._lookup cimport SsrcEntry, ssrc_table_find
from mediarouter._pipe_out cimport pipe_tell_stream
from mediarouter._plane cimport (
    PACKET_OVERHEAD,
    ROLE_CONSUMER,
    ROLE_MEDIA,
    Consumer,
    Downlink,
    Encoding,
    Plane,
    Producer,
    Transport,
    count_drop,
)
from mediarouter._recv_stream cimport recv_stream_awaits, recv_stream_handle_sender_report
from mediarouter._rtcp cimport (
    RTCP_BYE,
    RTCP_PSFB,
    RTCP_RR,
    RTCP_RTPFB,
    RTCP_SR,
    ReportBlock,
    RtcpReader,
    RtcpView,
    SenderInfo,
    rtcp_feedback_ssrcs,
    rtcp_next,
    rtcp_read_bye,
    rtcp_read_fir,
    rtcp_read_nack,
    rtcp_read_remb,
    rtcp_read_report,
    rtcp_read_sender_info,
    rtcp_reader_init,
    rtcp_report_count,
)
from mediarouter._send_stream cimport SendRun, send_stream_is_past, send_stream_may_resend, send_stream_trace
from mediarouter._timers cimport timer_arm
from mediarouter.congestion._resend_budget cimport resend_budget_has, resend_budget_take
from mediarouter.congestion._twcc cimport TwccFeedback, TwccStatus, twcc_parse

cdef enum:
    FEEDBACK_NACK = 1              # formats of transport feedback (RFC 4585 6.2)
    FEEDBACK_TWCC = 15
    FEEDBACK_PLI = 1               # formats of payload feedback (RFC 4585 6.3, RFC 5104 4.3)
    FEEDBACK_FIR = 4
    FEEDBACK_APPLICATION = 15      # REMB
    NACKS_MAX = 512                # sequence numbers taken of one packet
    STATUSES_MAX = 1024
    DEFAULT_RTT_US = 100000
    LIMIT_MAX_BPS = 1000000000     # a REMB above is no limit


cdef void feedback_handle_rtcp(Plane *plane, Transport *transport, const uint8_t *data, int size,
                               int64_t now_us) noexcept nogil:
    cdef RtcpReader reader
    cdef RtcpView view
    cdef int result
    rtcp_reader_init(&reader, data, size)
    while True:
        result = rtcp_next(&reader, &view)
        if result == 0:
            break
        if result < 0:
            count_drop(plane, result)
            break
        result = 0
        if view.packet_type == RTCP_SR:
            result = handle_sender_report(plane, transport, &view, now_us)
        elif view.packet_type == RTCP_RR:
            result = handle_reports(transport, &view, now_us)
        elif view.packet_type == RTCP_RTPFB:
            result = handle_transport_feedback(plane, transport, &view, now_us)
        elif view.packet_type == RTCP_PSFB:
            result = handle_payload_feedback(plane, transport, &view, now_us)
        elif view.packet_type == RTCP_BYE:
            result = handle_bye(plane, transport, &view)
        if result < 0:
            count_drop(plane, result)
    if transport.downlink != NULL:
        downlink_update(plane, transport, now_us)


cdef inline Encoding *encoding_of(const Transport *transport, uint32_t ssrc) noexcept nogil:
    cdef const SsrcEntry *entry = ssrc_table_find(&transport.received, ssrc)
    return <Encoding *>entry.owner if entry != NULL and entry.role == ROLE_MEDIA else NULL


cdef inline Consumer *consumer_of(const Transport *transport, uint32_t ssrc) noexcept nogil:
    cdef const SsrcEntry *entry = ssrc_table_find(&transport.sent, ssrc)
    return <Consumer *>entry.owner if entry != NULL and entry.role == ROLE_CONSUMER else NULL


cdef int handle_sender_report(Plane *plane, Transport *transport, const RtcpView *view,
                              int64_t now_us) noexcept nogil:
    cdef SenderInfo info
    cdef Encoding *encoding
    cdef int result = rtcp_read_sender_info(view, &info)
    if result < 0:
        return result
    encoding = encoding_of(transport, info.ssrc)
    if encoding != NULL:
        feedback_sender_report(plane, encoding, &info, now_us, now_us)
    return handle_reports(transport, view, now_us)


cdef void feedback_sender_report(Plane *plane, Encoding *encoding, const SenderInfo *info, int64_t arrival_us,
                                 int64_t now_us) noexcept nogil:
    recv_stream_handle_sender_report(&encoding.stream, info, arrival_us)
    hurry_reports(plane, encoding.producer, now_us)
    if encoding.producer.tap_count:
        pipe_tell_stream(plane, encoding)


cdef void hurry_reports(Plane *plane, Producer *producer, int64_t now_us) noexcept nogil:
    # viewers that wait for the first report of this source get theirs now, since their lip sync waits for it
    cdef Consumer *consumer
    cdef int i
    for i in range(producer.consumer_count):
        consumer = producer.consumers[i]
        if not consumer.told_sender_report and consumer.transport.reports_timer.armed:
            timer_arm(plane.timers, &consumer.transport.reports_timer, now_us)


cdef int handle_reports(Transport *transport, const RtcpView *view, int64_t now_us) noexcept nogil:
    cdef ReportBlock block
    cdef Consumer *consumer
    cdef int i, result
    for i in range(rtcp_report_count(view)):
        result = rtcp_read_report(view, i, &block)
        if result < 0:
            return result
        consumer = consumer_of(transport, block.ssrc)
        if consumer != NULL:
            consumer.fraction_lost = block.fraction_lost
            consumer.lost = <uint32_t>block.cumulative_lost if block.cumulative_lost > 0 else 0
            measure_rtt(consumer, &block, now_us)
    return 0


cdef void measure_rtt(Consumer *consumer, const ReportBlock *block, int64_t now_us) noexcept nogil:
    # RFC 3550 6.4.1. Our sender reports carry the publisher's clock, so the time they left is looked up.
    cdef int i
    cdef int64_t rtt_us
    for i in range(2):
        if block.last_sr and consumer.reports[i].ntp_middle == block.last_sr:
            rtt_us = now_us - consumer.reports[i].sent_us - (<int64_t>block.delay_since_last_sr * 1000000 >> 16)
            consumer.rtt_us = rtt_us if rtt_us > 1 else 1
            return


cdef int handle_transport_feedback(Plane *plane, Transport *transport, const RtcpView *view,
                                   int64_t now_us) noexcept nogil:
    if view.count == FEEDBACK_NACK:
        return handle_nack(plane, transport, view, now_us)
    if view.count == FEEDBACK_TWCC:
        return handle_twcc(transport, view, now_us)
    if view.count == FORMAT_CCFB and transport.downlink != NULL and transport.downlink.by_stream:
        return downlink_report(transport, view, now_us)
    return 0


cdef int handle_nack(Plane *plane, Transport *transport, const RtcpView *view, int64_t now_us) noexcept nogil:
    cdef uint16_t seqs[NACKS_MAX]
    cdef uint32_t sender, media
    cdef Consumer *consumer
    cdef int i, count
    cdef int result = rtcp_feedback_ssrcs(view, &sender, &media)
    if result < 0:
        return result
    count = rtcp_read_nack(view, seqs, NACKS_MAX)
    if count < 0:
        return count
    consumer = consumer_of(transport, media)
    if consumer == NULL or not consumer.producer.is_video or not egress_ready(transport):
        return 0
    consumer.nacked += count
    for i in range(count):
        answer_nack(plane, consumer, seqs[i], now_us)
    egress_send(plane, transport)
    return 0


cdef void answer_nack(Plane *plane, Consumer *consumer, uint16_t seq, int64_t now_us) noexcept nogil:
    cdef int64_t source_seq
    cdef int64_t rtt_us = consumer.rtt_us if consumer.rtt_us else DEFAULT_RTT_US
    cdef const CachedPacket *packet
    cdef const Encoding *encoding
    cdef const SendRun *run = send_stream_trace(&consumer.stream, seq, &source_seq)
    if run == NULL or consumer.paused:
        consumer.missed += 1
        return
    if send_stream_is_past(&consumer.stream, seq):
        # a narrow link has better to do: what it lost of the larger picture would delay the key frame of the smaller
        consumer.refused += 1
        return
    encoding = &consumer.producer.encodings[run.encoding]
    packet = packet_cache_find(encoding.cache, source_seq, now_us)
    if packet == NULL and recv_stream_awaits(&encoding.stream, source_seq):
        consumer.awaited += 1
    elif packet == NULL:
        consumer.missed += 1
    elif (run.encoding == consumer.resend_encoding and source_seq < consumer.resend_from
          or not may_afford(consumer.transport, packet.size, now_us)
          or not send_stream_may_resend(&consumer.stream, seq, rtt_us, now_us)):
        consumer.refused += 1
    else:
        if consumer.transport.downlink != NULL:
            resend_budget_take(&consumer.transport.downlink.resends, packet.size + PACKET_OVERHEAD)
        if not forward_cached(plane, consumer, run, packet, True, False, now_us):
            consumer.missed += 1


cdef inline bint may_afford(Transport *transport, int size, int64_t now_us) noexcept nogil:
    # asked before the number counts as sent again: else what the bucket refuses would be refused later too
    cdef Downlink *downlink = transport.downlink
    return downlink == NULL or resend_budget_has(&downlink.resends, downlink.side.target_bps, size + PACKET_OVERHEAD,
                                                 now_us)


cdef int handle_twcc(Transport *transport, const RtcpView *view, int64_t now_us) noexcept nogil:
    cdef TwccFeedback feedback
    cdef TwccStatus statuses[STATUSES_MAX]
    cdef int i
    cdef int count
    if transport.downlink != NULL:
        return 0 if transport.downlink.by_stream else downlink_report(transport, view, now_us)
    count = twcc_parse(view.data, view.size, &feedback, statuses, STATUSES_MAX)
    for i in range(count):
        if statuses[i].received:
            transport.twcc_received += 1
        else:
            transport.twcc_lost += 1
    return count


cdef int handle_payload_feedback(Plane *plane, Transport *transport, const RtcpView *view,
                                 int64_t now_us) noexcept nogil:
    cdef uint32_t sender, media
    cdef uint64_t remb_bps
    cdef int result = rtcp_feedback_ssrcs(view, &sender, &media)
    if result < 0:
        return result
    if view.count == FEEDBACK_PLI:
        ask_for_viewer(plane, consumer_of(transport, media), now_us)
    elif view.count == FEEDBACK_FIR:
        return handle_fir(plane, transport, view, now_us)
    elif view.count == FEEDBACK_APPLICATION:
        result = rtcp_read_remb(view, &remb_bps)
        if result == 1:
            transport.remb_bps = remb_bps
            if transport.downlink != NULL:
                downlink_limit(transport, <int64_t>min(remb_bps, <uint64_t>LIMIT_MAX_BPS), now_us)
    return result


cdef int handle_fir(Plane *plane, Transport *transport, const RtcpView *view, int64_t now_us) noexcept nogil:
    # RFC 5104 4.3.1: the same command number is the same command, repeated
    cdef uint32_t ssrc
    cdef uint8_t command_seq
    cdef Consumer *consumer
    cdef int index = 0
    cdef int result
    while True:
        result = rtcp_read_fir(view, index, &ssrc, &command_seq)
        if result <= 0:
            return result
        index += 1
        consumer = consumer_of(transport, ssrc)
        if consumer != NULL and consumer.fir_seq != command_seq:
            consumer.fir_seq = command_seq
            ask_for_viewer(plane, consumer, now_us)


cdef void ask_for_viewer(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil:
    if consumer == NULL or not consumer.producer.is_video:
        return
    consumer.key_frame_requests += 1
    consumer.awaits_key_frame = True
    if consumer.layers.current_spatial != LAYER_NONE:
        key_frame_ask(plane, &consumer.producer.encodings[consumer.layers.current_spatial], now_us)


cdef int handle_bye(Plane *plane, Transport *transport, const RtcpView *view) noexcept nogil:
    cdef uint32_t ssrc
    cdef Encoding *encoding
    cdef int index = 0
    cdef int result
    while True:
        result = rtcp_read_bye(view, index, &ssrc)
        if result <= 0:
            return result
        index += 1
        encoding = encoding_of(transport, ssrc)
        if encoding != NULL:
            event_put(&plane.events, EVENT_BYE, encoding.producer.handle, encoding.index, 0, NULL, 0)
