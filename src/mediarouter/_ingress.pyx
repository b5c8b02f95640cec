"""Incoming datagrams: STUN is answered, DTLS goes up to Python, RTP and RTCP are decrypted, placed and passed on."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memmove, memset
from mediarouter._address cimport Address
from mediarouter._cache cimport packet_cache_find, packet_cache_insert
from mediarouter._drop cimport (
    DROP_DTLS_EARLY,
    DROP_EVENT_RING_FULL,
    DROP_NOT_WEBRTC,
    DROP_PRODUCER_PAUSED,
    DROP_RTP_DUPLICATE,
    DROP_RTP_PAYLOAD_TYPE,
    DROP_RTP_UNKNOWN_SSRC,
    DROP_RTX_EMPTY,
    DROP_RTX_UNKNOWN,
    DROP_SRTP_NO_KEYS,
    DROP_STUN_UNKNOWN_UFRAG,
    DROP_TOO_LARGE,
    DROP_UNKNOWN_ADDRESS,
)
from mediarouter._egress cimport egress_to
from mediarouter._events cimport EVENT_DTLS, EVENT_ENCODING_SEEN, EVENT_ICE_RESTARTED, EVENT_ICE_SELECTED, event_put
from mediarouter._feedback cimport feedback_handle_rtcp
from mediarouter._forward cimport Passage, forward, passage_init
from mediarouter._gather cimport gather_packet
from mediarouter._layer_rates cimport layer_rates_count
from mediarouter._ice cimport (
    ICE_NEW_PAIR,
    ICE_PAIR_REMOVED,
    ICE_RESPOND,
    ICE_RESTARTED,
    ICE_SELECTED,
    IceCredentials,
    ice_handle_request,
    ice_has_consent,
)
from mediarouter._key_frames cimport key_frame_arrived
from mediarouter._lookup cimport SsrcEntry, address_table_find, address_table_put, ssrc_table_find, ssrc_table_put
from mediarouter._pipe_out cimport PIPE_JUMPED, PIPE_RECOVERED, pipe_pass_on
from mediarouter._plane cimport (
    DATAGRAM_MAX,
    PACKET_OVERHEAD,
    ROLE_MEDIA,
    ROLE_RTX,
    Encoding,
    Plane,
    Producer,
    Transport,
    count_drop,
    plane_forget_address,
    plane_forget_history,
    plane_restart_encoding,
)
from mediarouter._recv_stream cimport RECV_RESET, recv_stream_handle_packet
from mediarouter._reports cimport (
    reports_begin,
    reports_saw_packet,
    reports_schedule_nack,
    reports_schedule_twcc,
)
from mediarouter._rtp cimport (
    EXT_AUDIO_LEVEL,
    EXT_MID,
    EXT_REPAIRED_RID,
    EXT_RID,
    EXT_TRANSPORT_CC,
    EXT_TRANSPORT_CC_02,
    PACKET_DTLS,
    PACKET_RTCP,
    PACKET_RTP,
    PACKET_STUN,
    PacketKind,
    RtpView,
    packet_kind,
    read_u16,
    rtp_parse,
    seq_unwrap,
    write_u16,
    write_u32,
)
from mediarouter._srtp cimport srtp_context_unprotect, srtp_context_unprotect_rtcp
from mediarouter._stun cimport StunMessage, stun_parse, stun_peek_ufrag
from mediarouter._timers cimport timer_arm_coarsely
from mediarouter.congestion._ccfb cimport ccfb_record_packet
from mediarouter.congestion._twcc cimport twcc_record_packet, twcc_record_request

cdef enum:
    UFRAG_SLOT_SIZE = 4            # the first letters of our ufrags are the transport's slot, base 32
    CONSENT_INTERVAL_US = 500000
    REBIND_INTERVAL_US = 1000000   # an encoding changes its SSRC no more often
    RTX_HEADER_SIZE = 2            # original sequence number (RFC 4588 section 4)


cdef void ingress_handle(Plane *plane, uint8_t *data, int size, const Address *source, int64_t now_us) noexcept nogil:
    cdef PacketKind kind = packet_kind(data, size)
    cdef Transport *transport
    if kind == PACKET_STUN:
        handle_stun(plane, data, size, source, now_us)
        return
    transport = <Transport *>address_table_find(&plane.addresses, source)
    if transport == NULL:
        count_drop(plane, DROP_UNKNOWN_ADDRESS)
    elif kind == PACKET_RTP:
        handle_rtp(plane, transport, data, size, now_us)
    elif kind == PACKET_RTCP:
        handle_rtcp(plane, transport, data, size, now_us)
    elif kind == PACKET_DTLS:
        handle_dtls(plane, transport, data, size)
    else:
        count_drop(plane, DROP_NOT_WEBRTC)


cdef inline int letter_value(uint8_t letter) noexcept nogil:
    # RFC 4648 base 32; -1: not a letter of it
    if 65 <= letter <= 90:
        return letter - 65
    if 50 <= letter <= 55:
        return letter - 24
    return -1


cdef inline bint owns_ufrag(const IceCredentials *credentials, const uint8_t *ufrag, int size) noexcept nogil:
    return size > 0 and credentials.ufrag_size == size and memcmp(credentials.ufrag, ufrag, size) == 0


cdef Transport *transport_of_ufrag(const Plane *plane, const uint8_t *ufrag, int size) noexcept nogil:
    cdef uint32_t slot = 0
    cdef Transport *transport
    cdef int i, value
    if size < UFRAG_SLOT_SIZE:
        return NULL
    for i in range(UFRAG_SLOT_SIZE):
        value = letter_value(ufrag[i])
        if value < 0:
            return NULL
        slot = slot * 32 + <uint32_t>value
    if slot >= plane.transport_slots or plane.transports[slot] == NULL:
        return NULL
    transport = plane.transports[slot]
    if owns_ufrag(&transport.ice.local, ufrag, size) or owns_ufrag(&transport.ice.previous, ufrag, size):
        return transport
    return NULL


cdef void handle_stun(Plane *plane, const uint8_t *data, int size, const Address *source,
                      int64_t now_us) noexcept nogil:
    cdef StunMessage message
    cdef uint8_t response[256]
    cdef int response_size = 0
    cdef const uint8_t *ufrag
    cdef Address removed
    cdef Transport *transport
    cdef int outcome = stun_peek_ufrag(data, size, &ufrag)
    if outcome < 0:
        count_drop(plane, outcome)
        return
    transport = transport_of_ufrag(plane, ufrag, outcome)
    if transport == NULL:
        count_drop(plane, DROP_STUN_UNKNOWN_UFRAG)
        return
    outcome = stun_parse(&message, data, size)
    if outcome == 0:
        outcome = ice_handle_request(&transport.ice, &message, source, now_us, response, sizeof(response),
                                     &response_size, &removed)
    if outcome < 0:
        count_drop(plane, outcome)
        return
    if outcome & ICE_PAIR_REMOVED:
        plane_forget_address(plane, transport, &removed)
    if outcome & ICE_NEW_PAIR:
        address_table_put(&plane.addresses, source, transport)
    if outcome & ICE_RESPOND:
        egress_to(plane, source, response, response_size)
    if outcome & ICE_RESTARTED:
        event_put(&plane.events, EVENT_ICE_RESTARTED, transport.handle, 0, 0, NULL, 0)
    note_consent(plane, transport, outcome, now_us)


cdef void note_consent(Plane *plane, Transport *transport, int outcome, int64_t now_us) noexcept nogil:
    cdef bint back = not transport.consent and ice_has_consent(&transport.ice, now_us)
    if not back and not outcome & ICE_SELECTED:
        return
    transport.consent = True
    event_put(&plane.events, EVENT_ICE_SELECTED, transport.handle, 0, 0,
              <const uint8_t *>&transport.ice.pairs[transport.ice.selected].remote, sizeof(Address))
    if not transport.consent_timer.armed:
        timer_arm_coarsely(plane.timers, &transport.consent_timer, now_us + CONSENT_INTERVAL_US)
    if back and transport.outbound != NULL:
        reports_begin(plane, transport, now_us)


cdef void handle_dtls(Plane *plane, Transport *transport, const uint8_t *data, int size) noexcept nogil:
    if not transport.dtls_wanted:
        count_drop(plane, DROP_DTLS_EARLY)
    elif not event_put(&plane.events, EVENT_DTLS, transport.handle, 0, 0, data, size):
        count_drop(plane, DROP_EVENT_RING_FULL)


cdef void handle_rtcp(Plane *plane, Transport *transport, uint8_t *data, int size, int64_t now_us) noexcept nogil:
    if transport.inbound == NULL:
        count_drop(plane, DROP_SRTP_NO_KEYS)
        return
    size = srtp_context_unprotect_rtcp(transport.inbound, data, size)
    if size < 0:
        count_drop(plane, size)
    else:
        feedback_handle_rtcp(plane, transport, data, size, now_us)


cdef void handle_rtp(Plane *plane, Transport *transport, uint8_t *data, int size, int64_t now_us) noexcept nogil:
    cdef RtpView view
    cdef int result
    plane.packets_in += 1
    if transport.inbound == NULL:
        count_drop(plane, DROP_SRTP_NO_KEYS)
        return
    if size > DATAGRAM_MAX:
        count_drop(plane, DROP_TOO_LARGE)
        return
    size = srtp_context_unprotect(transport.inbound, data, size)
    if size < 0:
        count_drop(plane, size)
        return
    result = rtp_parse(&view, data, size)
    if result == 0:
        transport.packets_received += 1
        transport.bytes_received += size
        record_arrival(plane, transport, &view, now_us)
        result = take(plane, transport, &view, now_us)
    if result < 0:
        count_drop(plane, result)


cdef inline void record_arrival(Plane *plane, Transport *transport, const RtpView *view,
                                int64_t now_us) noexcept nogil:
    cdef int element_id, kind
    cdef const uint8_t *value
    if transport.ccfb != NULL:
        ccfb_record_packet(transport.ccfb, view.ssrc, view.seq, view.size + PACKET_OVERHEAD, 0, now_us)
        if not transport.twcc_timer.armed:
            reports_schedule_twcc(plane, transport)
    for element_id in range(1, 15):
        if not view.located & (1 << element_id) or view.element_size[element_id] < 2:
            continue
        kind = transport.extension_kind[element_id]
        if kind not in (EXT_TRANSPORT_CC, EXT_TRANSPORT_CC_02):
            continue
        value = view.data + view.element_offset[element_id]
        twcc_record_packet(transport.twcc, read_u16(value), now_us)
        transport.last_media_ssrc = view.ssrc
        if kind == EXT_TRANSPORT_CC_02:
            twcc_record_request(transport.twcc, read_u16(value),
                                read_u16(value + 2) if view.element_size[element_id] >= 4 else 0, now_us)
            reports_schedule_twcc(plane, transport)
        elif not transport.twcc_timer.armed:
            reports_schedule_twcc(plane, transport)
        return


cdef int take(Plane *plane, Transport *transport, RtpView *view, int64_t now_us) noexcept nogil:
    # to the encoding the SSRC belongs to; a Drop code when there is none
    cdef const SsrcEntry *entry = ssrc_table_find(&transport.received, view.ssrc)
    cdef Encoding *encoding
    cdef int result
    if entry == NULL:
        result = bind(plane, transport, view, now_us)
        if result < 0:
            return result
        entry = ssrc_table_find(&transport.received, view.ssrc)
        if entry == NULL:
            return DROP_RTP_UNKNOWN_SSRC
    encoding = <Encoding *>entry.owner
    if entry.role == ROLE_RTX:
        result = unwrap_rtx(encoding, view)
        return result if result < 0 else ingress_take_media(plane, encoding, view, True, now_us, now_us)
    return ingress_take_media(plane, encoding, view, False, now_us, now_us)


cdef int unwrap_rtx(const Encoding *encoding, RtpView *view) noexcept nogil:
    # RFC 4588 section 4: the original's number stands before its payload, the rest of the header is its own but for
    # SSRC, number and payload type
    cdef uint8_t *data = view.data
    cdef uint16_t seq
    if view.payload_type != encoding.producer.rtx_payload_type:
        return DROP_RTP_PAYLOAD_TYPE
    if view.payload_size < RTX_HEADER_SIZE:
        return DROP_RTX_EMPTY
    if encoding.stream.ssrc == 0:
        return DROP_RTX_UNKNOWN
    seq = read_u16(data + view.payload_offset)
    memmove(data + RTX_HEADER_SIZE, data, view.payload_offset)
    data += RTX_HEADER_SIZE
    data[1] = (data[1] & 0x80) | encoding.producer.payload_type
    write_u16(data + 2, seq)
    write_u32(data + 8, encoding.stream.ssrc)
    return rtp_parse(view, data, view.size - RTX_HEADER_SIZE)


cdef int ingress_take_media(Plane *plane, Encoding *encoding, const RtpView *view, bint recovered, int64_t arrival_us,
                            int64_t now_us) noexcept nogil:
    cdef Producer *producer = encoding.producer
    cdef Passage passage
    cdef int64_t seq
    cdef int outcome, result
    if view.payload_type != producer.payload_type:
        return DROP_RTP_PAYLOAD_TYPE
    if encoding.cache != NULL and encoding.stream.newest_seq >= 0:
        seq = seq_unwrap(encoding.stream.newest_seq, view.seq)
        if packet_cache_find(encoding.cache, seq, now_us) != NULL:
            return DROP_RTP_DUPLICATE
    outcome = recv_stream_handle_packet(&encoding.stream, view.seq, view.timestamp, view.payload_size, recovered,
                                        arrival_us, &seq)
    if outcome < 0:
        return outcome
    if outcome == RECV_RESET:
        plane_forget_history(plane, encoding)      # the stream itself has begun anew with this packet
    if encoding.cache != NULL:
        result = packet_cache_insert(encoding.cache, seq, view.data, view.size, now_us)
        if result < 0:
            return result
        reports_schedule_nack(plane, encoding)
    plane.balance.accepted += 1
    reports_saw_packet(plane, encoding, now_us)
    if producer.tap_count:
        pipe_pass_on(plane, encoding, view.data, view.size, (PIPE_RECOVERED if recovered else 0) |
                     (PIPE_JUMPED if outcome == RECV_RESET else 0),
                     encoding.cache != NULL and not (view.marker or recovered), arrival_us)
    if producer.paused:
        return DROP_PRODUCER_PAUSED
    passage_init(&passage, view, encoding, seq)
    layer_rates_count(encoding, passage.info.temporal_layer, view.size + PACKET_OVERHEAD)
    if passage.info.key_frame and passage.info.frame_start:
        key_frame_arrived(plane, encoding, seq)
    if encoding.cache != NULL:
        gather_packet(plane, encoding, seq, not (view.marker or recovered), now_us)
        return 0
    if not producer.is_video:
        note_audio_level(producer, &passage)
    forward(plane, &passage, 1, now_us)
    return 0


cdef inline void note_audio_level(Producer *producer, const Passage *passage) noexcept nogil:
    cdef int i
    for i in range(passage.extension_count):
        if passage.kinds[i] == EXT_AUDIO_LEVEL and passage.sizes[i] >= 1:
            producer.audio_level = passage.values[i][0] & 0x7F


cdef struct Labels:                # who a packet says it is (RFC 8852, RFC 9143)
    const uint8_t *mid
    const uint8_t *rid
    const uint8_t *repaired_rid
    int mid_size
    int rid_size
    int repaired_rid_size


cdef void read_labels(Labels *labels, const Transport *transport, const RtpView *view) noexcept nogil:
    cdef int element_id, kind
    cdef const uint8_t *value
    memset(labels, 0, sizeof(Labels))
    for element_id in range(1, 15):
        if not view.located & (1 << element_id):
            continue
        kind = transport.extension_kind[element_id]
        value = view.data + view.element_offset[element_id]
        if kind == EXT_MID:
            labels.mid = value
            labels.mid_size = view.element_size[element_id]
        elif kind == EXT_RID:
            labels.rid = value
            labels.rid_size = view.element_size[element_id]
        elif kind == EXT_REPAIRED_RID:
            labels.repaired_rid = value
            labels.repaired_rid_size = view.element_size[element_id]


cdef Producer *labelled_producer(const Transport *transport, const Labels *labels,
                                 const RtpView *view) noexcept nogil:
    # RFC 8843 section 9.2: by MID; without one by a payload type that only one producer uses
    cdef Producer *producer
    cdef Producer *found = NULL
    cdef int i
    for i in range(transport.producer_count):
        producer = transport.producers[i]
        if labels.mid != NULL:
            if producer.mid_size == labels.mid_size and memcmp(producer.mid, labels.mid, labels.mid_size) == 0:
                return producer
        elif view.payload_type in (producer.payload_type, producer.rtx_payload_type):
            if found != NULL:
                return NULL
            found = producer
    return found


cdef Encoding *labelled_encoding(Producer *producer, const uint8_t *rid, int rid_size) noexcept nogil:
    cdef int i
    if rid == NULL:
        return &producer.encodings[0] if producer.encoding_count == 1 else NULL
    for i in range(producer.encoding_count):
        if producer.encodings[i].rid_size == rid_size and memcmp(producer.encodings[i].rid, rid, rid_size) == 0:
            return &producer.encodings[i]
    return NULL


cdef int bind(Plane *plane, Transport *transport, const RtpView *view, int64_t now_us) noexcept nogil:
    # an SSRC that nobody signalled: its packet must say whose it is
    cdef Labels labels
    cdef Producer *producer
    cdef Encoding *encoding
    read_labels(&labels, transport, view)
    producer = labelled_producer(transport, &labels, view)
    if producer == NULL:
        return DROP_RTP_UNKNOWN_SSRC
    if view.payload_type == producer.rtx_payload_type:
        encoding = labelled_encoding(producer, labels.repaired_rid, labels.repaired_rid_size)
        return bind_rtx(transport, encoding, view.ssrc) if encoding != NULL else DROP_RTX_UNKNOWN
    if view.payload_type != producer.payload_type:
        return DROP_RTP_PAYLOAD_TYPE
    encoding = labelled_encoding(producer, labels.rid, labels.rid_size)
    if encoding == NULL:
        return DROP_RTP_UNKNOWN_SSRC
    if encoding.stream.ssrc and now_us - encoding.bound_at_us < REBIND_INTERVAL_US:
        return DROP_RTP_UNKNOWN_SSRC
    plane_restart_encoding(plane, encoding, view.ssrc)
    encoding.bound_at_us = now_us
    if not ssrc_table_put(&transport.received, view.ssrc, ROLE_MEDIA, encoding):
        return DROP_RTP_UNKNOWN_SSRC
    event_put(&plane.events, EVENT_ENCODING_SEEN, producer.handle, encoding.index, view.ssrc, NULL, 0)
    return 0


cdef int bind_rtx(Transport *transport, Encoding *encoding, uint32_t ssrc) noexcept nogil:
    if encoding.rtx_ssrc:
        return DROP_RTX_UNKNOWN    # one retransmission stream an encoding; a new one comes with a new media SSRC
    if not ssrc_table_put(&transport.received, ssrc, ROLE_RTX, encoding):
        return DROP_RTX_UNKNOWN
    encoding.rtx_ssrc = ssrc
    return 0
