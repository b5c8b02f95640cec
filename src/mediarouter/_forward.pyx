"""Forwarding: layer gate, rewriting, encryption, for every consumer of a packet.

    passage_init   once a packet: parse the payload, find the header extensions
    forward        for each consumer, for each packet: offer
    offer          which packets a consumer is sent, and in what place of its stream
    emit           draft the consumer's packet, or hold it for its turn where it is one too many (`_pace_queue`);
                   egress_send encrypts and queues what was drafted for one consumer
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from mediarouter._balance cimport (
    LEFT_ABOVE_LAYER,
    LEFT_EMPTY,
    LEFT_LATE,
    LEFT_NO_KEY_FRAME,
    LEFT_NO_MEMORY,
    LEFT_NOT_READY,
    LEFT_OTHER_ENCODING,
    LEFT_PAUSED,
    CopyLeft,
)
from mediarouter._cache cimport CachedPacket, packet_cache_find
from mediarouter._egress cimport PAD_MAX, egress_draft, egress_ready, egress_relieve, egress_send
from mediarouter._events cimport EVENT_LAYERS, event_put
from mediarouter._key_frames cimport key_frame_ask
from mediarouter._layers cimport (
    LAYER_SEND,
    LAYER_SKIP,
    LAYER_SWITCH,
    LayerVerdict,
    layers_judge,
    layers_reset,
    layers_update_target,
    layers_wants_key_frame,
)
from mediarouter._pace_queue cimport pace_queue_due_us, pace_queue_hold
from mediarouter._plane cimport (
    BLOCK_SIZE,
    FRONT_MAX,
    HEADER_MAX,
    PACKET_OVERHEAD,
    SEND_AUDIO,
    SEND_ENHANCEMENT,
    SEND_VIDEO,
    Consumer,
    Downlink,
    Draft,
    Encoding,
    Plane,
    Producer,
    SendClass,
    Transport,
    plane_touch_downlink,
    plane_touch_wanted,
)
from mediarouter._recv_stream cimport RecvStream, recv_stream_timestamp_at
from mediarouter._rtp cimport (
    EXT_ABS_SEND_TIME,
    EXT_MID,
    EXT_NONE,
    EXT_REPAIRED_RID,
    EXT_RID,
    EXT_TRANSPORT_CC,
    EXT_TRANSPORT_CC_02,
    ExtensionWriter,
    RtpView,
    abs_send_time,
    extension_writer_add,
    extension_writer_finish,
    extension_writer_init,
    rtp_parse,
    rtp_write_header,
    timestamp_diff,
    write_u16,
    write_u24,
)
from mediarouter._send_stream cimport (
    SendRun,
    SendStream,
    newest_run,
    send_stream_extend,
    send_stream_is_newer,
    send_stream_place,
    send_stream_skip,
    send_stream_switch,
)
from mediarouter._srtp cimport SrtpContext
from mediarouter._timers cimport timer_arm
from mediarouter.codecs._codec cimport CODEC_OPAQUE, PayloadInfo, PayloadPatch

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void *memory) nogil

cdef enum:
    CACHE_LINE = 64
    EXTENSION_BIT = 0x10
    TRANSPORT_HEAD = 192           # bytes of a transport that every packet needs
    KEY_HEAD = 512                 # of a session's keys; the rest comes in order, and the processor foresees that
    TIMELINE_TOLERANCE_S = 2       # a timestamp further from the clock's estimate is not believed
    REPORT_AFTER_SWITCH_US = 50000  # a viewer needs the new line of timestamps soon, or lips part from voice
    PADDING_BIT = 0x20
    PADDING_SIZE = 1               # of a packet that only fills a place
    PROBE_PADDING_SIZE = 224       # of one that only probes the network: the largest multiple of 32 that a byte tells

# padding alone, its size in its last byte
cdef uint8_t padding[224]
padding[223] = PROBE_PADDING_SIZE


cdef void passage_init(Passage *passage, const RtpView *view, Encoding *encoding, int64_t seq) noexcept nogil:
    cdef Producer *producer = encoding.producer
    cdef const uint8_t *kind_of = producer.transport.extension_kind
    cdef int element_id, kind
    passage.view = view
    passage.encoding = encoding
    passage.seq = seq
    passage.extension_count = 0
    passage.wide = False
    memset(&passage.info, 0, sizeof(PayloadInfo))
    if producer.codec.parse != NULL and view.payload_size:
        producer.codec.parse(&passage.info, view.data + view.payload_offset, view.payload_size)
    for element_id in range(1, 15):
        if not view.located & (1 << element_id):
            continue
        kind = kind_of[element_id]
        if kind in (EXT_NONE, EXT_MID, EXT_RID, EXT_REPAIRED_RID, EXT_ABS_SEND_TIME, EXT_TRANSPORT_CC,
                    EXT_TRANSPORT_CC_02):
            continue
        passage.kinds[passage.extension_count] = <uint8_t>kind
        passage.values[passage.extension_count] = view.data + view.element_offset[element_id]
        passage.sizes[passage.extension_count] = view.element_size[element_id]
        passage.extension_count += 1
        if view.element_size[element_id] > 16:
            passage.wide = True


cdef void forward(Plane *plane, const Passage *passages, int count, int64_t now_us) noexcept nogil:
    cdef Producer *producer
    cdef int i, k
    if count == 0:
        return
    producer = passages[0].encoding.producer
    plane.balance.offered += <uint64_t>count
    plane.balance.due += <uint64_t>count * <uint64_t>producer.consumer_count
    for i in range(producer.consumer_count):
        look_ahead(producer, i)
        for k in range(count):
            if offer(plane, producer.consumers[i], &passages[k], now_us):
                plane.balance.again -= <uint64_t>(count - 1 - k)
                break              # it caught up with all that came
        egress_send(plane, producer.consumers[i].transport)
        egress_relieve(plane)


cdef inline void look_ahead(const Producer *producer, int at) noexcept nogil:
    # The rows of receivers are anywhere in memory. Let those of the next ones come while this one's packets are made:
    # each step follows a pointer that the step before it has brought.
    cdef const Consumer *consumer
    if at + 3 < producer.consumer_count:
        consumer = producer.consumers[at + 3]
        fetch(consumer, <const uint8_t *>&consumer.stream.resends[0] - <const uint8_t *>consumer)
    if at + 2 < producer.consumer_count:
        consumer = producer.consumers[at + 2]
        fetch(consumer.transport, TRANSPORT_HEAD)
        fetch(consumer.stream.runs, CACHE_LINE)
    if at + 1 < producer.consumer_count:
        consumer = producer.consumers[at + 1]
        if consumer.transport.outbound != NULL:
            fetch(consumer.transport.outbound, sizeof(SrtpContext))
            fetch(consumer.transport.outbound.session, KEY_HEAD)


cdef inline void fetch(const void *memory, size_t size) noexcept nogil:
    cdef size_t at = 0
    while at < size:
        prefetch(<const uint8_t *>memory + at)
        at += CACHE_LINE


# True: the consumer entered here, and was sent what came behind this packet too
cdef bint offer(Plane *plane, Consumer *consumer, const Passage *passage, int64_t now_us) noexcept nogil:
    cdef SendStream *stream = &consumer.stream
    cdef int encoding = passage.encoding.index
    cdef bint new_picture
    cdef LayerVerdict verdict
    if consumer.paused or not egress_ready(consumer.transport):
        leave(plane, LEFT_PAUSED if consumer.paused else LEFT_NOT_READY)
        layers_reset(&consumer.layers)
        return False
    if encoding != consumer.layers.current_spatial and encoding != consumer.layers.target_spatial:
        offer_late(plane, consumer, passage, LEFT_OTHER_ENCODING, now_us)
        return False
    if encoding == consumer.layers.current_spatial and not send_stream_is_newer(stream, encoding, passage.seq):
        offer_late(plane, consumer, passage, LEFT_LATE, now_us)
        return False
    new_picture = timestamp_diff(passage.view.timestamp, stream.newest_source_timestamp) != 0
    if passage.view.payload_size == 0:
        # padding: it leaves no trace
        leave(plane, LEFT_EMPTY)
        if encoding == consumer.layers.current_spatial:
            send_stream_skip(stream, passage.seq, False)
        return False
    verdict = layers_judge(&consumer.layers, encoding, &passage.info,
                           passage.encoding.producer.codec.kind != CODEC_OPAQUE, new_picture)
    if verdict == LAYER_SEND:
        emit_newest(plane, consumer, passage, now_us)
    elif verdict == LAYER_SKIP:
        leave(plane, LEFT_ABOVE_LAYER)
        send_stream_skip(stream, passage.seq, new_picture and stream.has_picture_id)
        stream.newest_source_timestamp = passage.view.timestamp
    elif verdict == LAYER_SWITCH:
        return enter(plane, consumer, passage, now_us)
    else:
        key_frame_ask(plane, passage.encoding, now_us)
        offer_late(plane, consumer, passage, LEFT_NO_KEY_FRAME, now_us)
    return False


cdef inline void leave(Plane *plane, CopyLeft reason) noexcept nogil:
    plane.balance.left[<int>reason] += 1


cdef void offer_late(Plane *plane, Consumer *consumer, const Passage *passage, CopyLeft reason,
                     int64_t now_us) noexcept nogil:
    # older than what was sent last: it goes out only where its place was kept
    cdef int encoding = passage.encoding.index
    cdef const SendRun *run = send_stream_place(&consumer.stream, encoding, passage.seq)
    if run == NULL:
        leave(plane, reason)
        return
    # without RTX a place is filled once and for all, since it may be asked for again under the same index
    if passage.view.payload_size == 0 or (
            consumer.rtx_ssrc != 0 and encoding == consumer.layers.current_spatial and
            passage.info.temporal_layer > consumer.layers.current_temporal):
        emit_padding(plane, consumer, passage, run, now_us)
    else:
        emit(plane, consumer, passage, run, False, False, now_us)


cdef bint enter(Plane *plane, Consumer *consumer, const Passage *passage, int64_t now_us) noexcept nogil:
    # first packet of a key frame of the target: begin a run, then send what came before its first packet did
    cdef SendStream *stream = &consumer.stream
    cdef uint32_t timestamp = entry_timestamp(consumer, passage, now_us)
    cdef bint has_id = passage.info.picture_id_bits != 0
    cdef bint has_tl0 = passage.info.tl0_offset != 0
    if not send_stream_switch(stream, passage.encoding.index, passage.seq, passage.view.timestamp, timestamp,
                              passage.info.picture_id if has_id else -1, passage.info.tl0 if has_tl0 else -1):
        leave(plane, LEFT_NO_MEMORY)
        layers_reset(&consumer.layers)
        return False
    consumer.told_sender_report = False
    if consumer.transport.reports_timer.deadline_us > now_us + REPORT_AFTER_SWITCH_US:
        timer_arm(plane.timers, &consumer.transport.reports_timer, now_us + REPORT_AFTER_SWITCH_US)
    emit_newest(plane, consumer, passage, now_us)
    if passage.encoding.producer.is_video:
        event_put(&plane.events, EVENT_LAYERS, consumer.handle, consumer.layers.current_spatial,
                  consumer.layers.current_temporal, NULL, 0)
        catch_up(plane, consumer, passage.encoding, passage.seq, now_us)
        return True
    return False


cdef void catch_up(Plane *plane, Consumer *consumer, Encoding *encoding, int64_t entry_seq,
                   int64_t now_us) noexcept nogil:
    cdef const CachedPacket *packet
    cdef RtpView view
    cdef Passage passage
    cdef int64_t seq
    for seq in range(entry_seq + 1, encoding.stream.newest_seq + 1):
        packet = packet_cache_find(encoding.cache, seq, now_us)
        if packet != NULL and rtp_parse(&view, packet.data, packet.size) == 0:
            passage_init(&passage, &view, encoding, seq)
            plane.balance.again += 1
            offer(plane, consumer, &passage, now_us)


cdef uint32_t entry_timestamp(Consumer *consumer, const Passage *passage, int64_t now_us) noexcept nogil:
    # The outgoing timeline must go on as if there had been one source. Sender reports tell exactly how two sources'
    # clocks relate (RFC 3550 6.4.1); while one is missing, the time since the last packet has to do.
    cdef SendStream *stream = &consumer.stream
    cdef Producer *producer = passage.encoding.producer
    cdef uint32_t source = passage.view.timestamp
    cdef uint32_t expected, mapped
    cdef const SendRun *run
    cdef const RecvStream *old
    if not stream.started:
        return source
    run = newest_run(stream)
    old = &producer.encodings[run.encoding].stream
    expected = stream.newest_timestamp + <uint32_t>(
        (now_us - stream.newest_sent_us) * <int64_t>producer.clock_rate // 1000000)
    mapped = expected
    if run.encoding == passage.encoding.index:
        mapped = source + run.timestamp_offset - stream.timestamp_extra
    elif old.sr_ntp and passage.encoding.stream.sr_ntp:
        mapped = recv_stream_timestamp_at(old, ntp_at(&passage.encoding.stream, source))
        mapped += run.timestamp_offset - stream.timestamp_extra
    if abs_i32(timestamp_diff(mapped, expected)) > <int32_t>(TIMELINE_TOLERANCE_S * producer.clock_rate):
        mapped = expected
    stream.timestamp_extra = 0
    if timestamp_diff(mapped, stream.newest_timestamp) <= 0:
        stream.timestamp_extra = stream.newest_timestamp + 1 - mapped
    return mapped + stream.timestamp_extra


cdef inline int32_t abs_i32(int32_t value) noexcept nogil:
    return -value if value < 0 else value


cdef inline uint64_t ntp_at(const RecvStream *stream, uint32_t timestamp) noexcept nogil:
    cdef int64_t ticks = timestamp_diff(timestamp, stream.sr_rtp_timestamp)
    return stream.sr_ntp + <uint64_t>((ticks << 32) // <int64_t>stream.clock_rate)


cdef void emit_newest(Plane *plane, Consumer *consumer, const Passage *passage, int64_t now_us) noexcept nogil:
    cdef SendStream *stream = &consumer.stream
    cdef const SendRun *run = newest_run(stream)
    send_stream_extend(stream, passage.seq)
    stream.frame_complete = passage.view.marker
    stream.newest_source_timestamp = passage.view.timestamp
    stream.newest_timestamp = passage.view.timestamp + run.timestamp_offset
    stream.newest_sent_us = now_us
    if stream.has_picture_id:
        stream.newest_picture_id = (passage.info.picture_id + run.picture_id_offset) & 0x7FFF
        stream.newest_tl0 = <uint8_t>(passage.info.tl0 + run.tl0_offset)
    emit(plane, consumer, passage, run, False, False, now_us)


cdef bint hold(Plane *plane, const Consumer *consumer, const Passage *passage, const SendRun *run, bint again,
               int64_t now_us) noexcept nogil:
    cdef Downlink *downlink = consumer.transport.downlink
    if not pace_queue_hold(&downlink.pace, consumer.handle, <uint16_t>(passage.seq + run.seq_offset),
                           passage.view.size + PACKET_OVERHEAD, again, now_us):
        return False
    plane.balance.held += not again
    if not downlink.pace_timer.armed:
        timer_arm(plane.timers, &downlink.pace_timer, pace_queue_due_us(&downlink.pace, now_us))
    return True


cdef void emit(Plane *plane, Consumer *consumer, const Passage *passage, const SendRun *run, bint again, bint at_once,
               int64_t now_us) noexcept nogil:
    cdef const RtpView *view = passage.view
    cdef bint rtx = again and consumer.rtx_ssrc != 0
    cdef uint16_t seq = <uint16_t>(passage.seq + run.seq_offset)
    cdef Draft *draft
    # audio never waits
    if not at_once and consumer.transport.downlink != NULL and passage.encoding.cache != NULL and hold(
            plane, consumer, passage, run, again, now_us):
        return
    draft = egress_draft(plane, consumer.transport)
    if rtx:
        rtp_write_header(draft.header, HEADER_MAX, view.marker, consumer.rtx_payload_type, consumer.rtx_seq,
                         view.timestamp + run.timestamp_offset, consumer.rtx_ssrc)
        consumer.rtx_seq += 1
    else:
        rtp_write_header(draft.header, HEADER_MAX, view.marker, consumer.payload_type, seq,
                         view.timestamp + run.timestamp_offset, consumer.ssrc)
    draft.header_size = 12 + write_extensions(draft.header, consumer, passage, now_us)
    number_draft(plane, draft, consumer, now_us)
    draft.payload = view.data + view.payload_offset
    draft.payload_size = view.payload_size
    draft.front_size = 0
    draft.send_class = class_of(passage)
    # Without RTX a packet is resent under its old index, so it must be the same to the byte, and it is not padded then.
    # What is in the slab has room behind it, unless it had padding of its own.
    draft.paddable = (consumer.rtx_ssrc != 0 and passage.encoding.cache != NULL and view.padding_size == 0
                      and view.size + PAD_MAX <= BLOCK_SIZE)
    if rtx:
        write_u16(draft.front, seq)
        draft.front_size = 2
    if (passage.info.picture_id_bits and passage.encoding.producer.codec.rewrite != NULL
            and (run.picture_id_offset or run.tl0_offset)):
        rewrite_front(draft, passage, run)
    consumer.bytes += draft.header_size + draft.front_size + draft.payload_size
    if again:
        consumer.resent += 1
        plane.balance.resent += 1
        return
    consumer.stream.packets += 1
    consumer.stream.octets += view.payload_size
    plane.packets_forwarded += 1


cdef inline void number_draft(Plane *plane, Draft *draft, const Consumer *consumer, int64_t now_us) noexcept nogil:
    # the number that its extensions have just been given; where reports name streams, only the history knows it
    cdef Transport *transport = consumer.transport
    cdef bint numbered = consumer.extension_id[<int>EXT_TRANSPORT_CC] != 0
    if not numbered and transport.downlink != NULL and transport.downlink.by_stream:
        transport.next_transport_seq += 1
        numbered = True
    draft.transport_seq = <uint16_t>(transport.next_transport_seq - 1) if numbered else -1
    plane.sending_us = now_us


cdef inline SendClass class_of(const Passage *passage) noexcept nogil:
    if not passage.encoding.producer.is_video:
        return SEND_AUDIO
    if passage.info.temporal_layer > 0 or passage.info.spatial_layer > 0:
        return SEND_ENHANCEMENT
    return SEND_VIDEO


cdef void rewrite_front(Draft *draft, const Passage *passage, const SendRun *run) noexcept nogil:
    # the payload in the slab is everybody's: the descriptor, with this receiver's numbers, goes before the rest of it
    cdef PayloadPatch patch
    cdef uint8_t *front = draft.front + draft.front_size
    cdef int size = passage.info.descriptor_size
    patch.picture_id = (passage.info.picture_id + run.picture_id_offset) & 0x7FFF
    patch.tl0 = <uint8_t>(passage.info.tl0 + run.tl0_offset)
    if size > FRONT_MAX - draft.front_size or size > draft.payload_size:
        return
    memcpy(front, draft.payload, size)
    passage.encoding.producer.codec.rewrite(front, &passage.info, &patch)
    draft.front_size += size
    draft.payload += size
    draft.payload_size -= size


cdef int write_extensions(uint8_t *out, Consumer *consumer, const Passage *passage, int64_t now_us) noexcept nogil:
    cdef ExtensionWriter writer
    cdef int i, element_id
    cdef bint two_byte = consumer.two_byte or (passage.wide and consumer.mixed)
    if two_byte == consumer.two_byte:
        memcpy(out + 12, consumer.extensions, sizeof(consumer.extensions))
        write_own_values(out, consumer, now_us)
        if passage.extension_count == 0:
            out[0] |= consumer.extension_bit
            return consumer.extension_size
        extension_writer_init(&writer, out, HEADER_MAX, two_byte)
        writer.position = consumer.extension_end
    else:
        extension_writer_init(&writer, out, HEADER_MAX, two_byte)
        write_own_extensions(&writer, consumer, now_us)
    for i in range(passage.extension_count):
        element_id = consumer.extension_id[passage.kinds[i]]
        if element_id and (two_byte or passage.sizes[i] <= 16):
            extension_writer_add(&writer, element_id, passage.values[i], passage.sizes[i])
    return extension_writer_finish(&writer)


cdef inline void write_own_values(uint8_t *out, Consumer *consumer, int64_t now_us) noexcept nogil:
    if consumer.send_time_at:
        write_u24(out + consumer.send_time_at, abs_send_time(now_us))
    if consumer.transport_seq_at:
        write_u16(out + consumer.transport_seq_at, consumer.transport.next_transport_seq)
        consumer.transport.next_transport_seq += 1


cdef void write_own_extensions(ExtensionWriter *writer, Consumer *consumer, int64_t now_us) noexcept nogil:
    cdef uint8_t value[4]
    if consumer.extension_id[<int>EXT_MID] and consumer.mid_size:
        extension_writer_add(writer, consumer.extension_id[<int>EXT_MID], consumer.mid, consumer.mid_size)
    if consumer.extension_id[<int>EXT_ABS_SEND_TIME]:
        write_u24(value, abs_send_time(now_us))
        extension_writer_add(writer, consumer.extension_id[<int>EXT_ABS_SEND_TIME], value, 3)
    if consumer.extension_id[<int>EXT_TRANSPORT_CC]:
        write_u16(value, consumer.transport.next_transport_seq)
        consumer.transport.next_transport_seq += 1
        extension_writer_add(writer, consumer.extension_id[<int>EXT_TRANSPORT_CC], value, 2)


cdef void forward_prepare(Consumer *consumer) noexcept nogil:
    cdef uint8_t packet[64]
    cdef uint8_t value[4]
    cdef ExtensionWriter writer
    cdef int send_time_id, transport_seq_id
    if consumer.rtx_ssrc == 0 and consumer.producer.is_video:
        # one SRTP index must not encrypt two packets: no stamp may differ when it is resent
        consumer.extension_id[<int>EXT_ABS_SEND_TIME] = 0
        consumer.extension_id[<int>EXT_TRANSPORT_CC] = 0
    send_time_id = consumer.extension_id[<int>EXT_ABS_SEND_TIME]
    transport_seq_id = consumer.extension_id[<int>EXT_TRANSPORT_CC]
    memset(packet, 0, sizeof(packet))
    memset(value, 0, sizeof(value))
    consumer.send_time_at = consumer.transport_seq_at = 0
    extension_writer_init(&writer, packet, sizeof(packet), consumer.two_byte)
    if consumer.extension_id[<int>EXT_MID] and consumer.mid_size:
        extension_writer_add(&writer, consumer.extension_id[<int>EXT_MID], consumer.mid, consumer.mid_size)
    if send_time_id and extension_writer_add(&writer, send_time_id, value, 3):
        consumer.send_time_at = <uint8_t>(writer.position - 3)
    if transport_seq_id and extension_writer_add(&writer, transport_seq_id, value, 2):
        consumer.transport_seq_at = <uint8_t>(writer.position - 2)
    consumer.extension_end = <uint8_t>writer.position
    consumer.extension_size = <uint8_t>extension_writer_finish(&writer)
    consumer.extension_bit = packet[0] & EXTENSION_BIT
    memcpy(consumer.extensions, packet + 12, sizeof(consumer.extensions))


cdef void emit_padding(Plane *plane, Consumer *consumer, const Passage *passage, const SendRun *run,
                       int64_t now_us) noexcept nogil:
    # A place was kept for a packet that turned out to be of a layer we do not send. Fill it, or the viewer would ask
    # for it again and again.
    cdef Draft *draft = egress_draft(plane, consumer.transport)
    plane.balance.filled += 1
    rtp_write_header(draft.header, HEADER_MAX, False, consumer.payload_type, <uint16_t>(passage.seq + run.seq_offset),
                     passage.view.timestamp + run.timestamp_offset, consumer.ssrc)
    finish_padding(plane, draft, consumer, now_us)
    draft.front[0] = PADDING_SIZE
    draft.front_size = PADDING_SIZE
    draft.payload = draft.front
    draft.payload_size = 0


cdef int forward_padding(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil:
    cdef Draft *draft
    if consumer.rtx_ssrc == 0:
        return 0
    draft = egress_draft(plane, consumer.transport)
    rtp_write_header(draft.header, HEADER_MAX, False, consumer.rtx_payload_type, consumer.rtx_seq,
                     consumer.stream.newest_timestamp, consumer.rtx_ssrc)
    consumer.rtx_seq += 1
    finish_padding(plane, draft, consumer, now_us)
    draft.front_size = 0
    draft.payload = padding
    draft.payload_size = PROBE_PADDING_SIZE
    consumer.bytes += draft.header_size + PROBE_PADDING_SIZE
    plane.balance.padding += 1
    return draft.header_size + PROBE_PADDING_SIZE + PACKET_OVERHEAD


cdef void finish_padding(Plane *plane, Draft *draft, Consumer *consumer, int64_t now_us) noexcept nogil:
    # a packet of padding alone (RFC 3550 section 5.1)
    cdef Passage empty
    empty.extension_count = 0
    empty.wide = False
    draft.header_size = 12 + write_extensions(draft.header, consumer, &empty, now_us)
    number_draft(plane, draft, consumer, now_us)
    draft.header[0] |= PADDING_BIT
    draft.send_class = SEND_ENHANCEMENT
    draft.paddable = False


cdef bint forward_cached(Plane *plane, Consumer *consumer, const SendRun *run, const CachedPacket *packet, bint again,
                         bint at_once, int64_t now_us) noexcept nogil:
    cdef RtpView view
    cdef Passage passage
    if rtp_parse(&view, packet.data, packet.size) != 0 or view.payload_size == 0:
        return False
    passage_init(&passage, &view, &consumer.producer.encodings[run.encoding], packet.seq)
    emit(plane, consumer, &passage, run, again, at_once, now_us)
    return True


cdef void consumer_retarget(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil:
    consumer_aim(plane, consumer, now_us)
    plane_touch_downlink(plane, consumer.transport, now_us)
    plane_touch_wanted(plane, consumer.producer)


cdef void consumer_aim(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil:
    cdef Producer *producer = consumer.producer
    layers_update_target(&consumer.layers, producer.alive)
    if consumer.paused or producer.paused or not egress_ready(consumer.transport):
        return
    if producer.codec.kind != CODEC_OPAQUE and layers_wants_key_frame(&consumer.layers):
        key_frame_ask(plane, &producer.encodings[consumer.layers.target_spatial], now_us)
