"""What the clients of a meeting send, made in advance: SRTP, SRTCP and connectivity checks in virtual time.

Every publisher sends a frame of VP8 thirty times a second: a burst of packets whose sizes differ by a byte, as browsers
do, with MID, abs-send-time and transport-wide numbers. Every subscriber gets every packet and answers as libwebrtc
does: transport-wide feedback, receiver reports, connectivity checks. Nobody speaks at the same time as another.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, qsort, realloc
from libc.string cimport memcpy, memset
from mediarouter._address cimport address_set
from mediarouter._rtcp cimport (
    ReportBlock,
    SenderInfo,
    rtcp_write_rr,
    rtcp_write_sdes_cname,
    rtcp_write_sr,
)
from mediarouter._rtp cimport (
    PACKET_RTCP,
    PACKET_RTP,
    ExtensionWriter,
    PacketKind,
    abs_send_time,
    extension_writer_add,
    extension_writer_finish,
    extension_writer_init,
    packet_kind,
    rtp_write_header,
    write_u16,
    write_u24,
)
from mediarouter._srtp cimport (
    SrtpProfile,
    srtp_context_free,
    srtp_context_new,
    srtp_context_protect,
    srtp_context_protect_rtcp,
)
from mediarouter._transport_feedback cimport (
    TwccWriter,
    twcc_tick,
    twcc_writer_add_received,
    twcc_writer_finish,
    twcc_writer_init,
)
from mediarouter.bench._traffic cimport PAYLOAD_MIN, VP8_DESCRIPTOR_SIZE, write_payload

cdef enum:
    PACKET_ROOM = 2048
    CLIENTS_MAX = 65535
    FRAMES_A_SECOND = 30
    GATHER_US = 1000               # within that time a frame is whole, so that it leaves as one
    REPORT_INTERVAL_US = 1000000   # libwebrtc's for video
    FEEDBACK_INTERVAL_US = 100000  # libwebrtc's, unless feedback would be a large part of what flows
    CHECK_INTERVAL_US = 2500000    # libwebrtc's on a connection that stands
    WAY_US = 20000                 # from router to subscriber
    SPACING_US = 120               # between packets of a frame as they arrive there
    FEEDBACK_SIZE = 1200
    BLOCKS_MAX = 24
    TRAILER_ROOM = 32              # what encryption adds

PAYLOAD_TYPE = 96
MID = b"0"
MID_ID, SEND_TIME_ID, TRANSPORT_CC_ID = 4, 2, 3
MEDIA_SSRC = 1000                  # of the first publisher; the next has the next
COPY_SSRC = 200000                 # of the copy of the first publisher that each subscriber gets
FIRST_SEQ = 500                    # of that copy

cdef uint8_t payload_type = PAYLOAD_TYPE
cdef int mid_id = MID_ID
cdef int send_time_id = SEND_TIME_ID
cdef int transport_cc_id = TRANSPORT_CC_ID
cdef uint32_t media_ssrc = MEDIA_SSRC
cdef uint32_t copy_ssrc = COPY_SSRC
cdef uint32_t first_seq = FIRST_SEQ


@cython.final
cdef class Recording:
    """The datagrams of a meeting's clients.

    Args:
        publishers, subscribers: how many; together at most 65,535.
        payload_size: bytes of a packet's payload; every other packet has one less.
        packets_per_frame: packets of a burst, at most 32, all within a millisecond.
        gap_us: between the packets of a burst.

    Raises:
        ValueError: what cannot be.
    """
    def __cinit__(self, *, int publishers, int subscribers, int payload_size=1080, int packets_per_frame=6,
                  int gap_us=50):
        if publishers < 1 or subscribers < 0 or publishers + subscribers > CLIENTS_MAX:
            raise ValueError(f"{publishers} publishers and {subscribers} subscribers")
        if not PAYLOAD_MIN + VP8_DESCRIPTOR_SIZE + 2 <= payload_size <= PACKET_ROOM - 600:
            raise ValueError(f"payloads of {payload_size} bytes")
        if not 1 <= packets_per_frame <= 32 or gap_us < 1 or (packets_per_frame - 1) * gap_us >= GATHER_US:
            raise ValueError("frames of 1 to 32 packets within a millisecond")
        self.publishers = publishers
        self.subscribers = subscribers
        self.payload_size = payload_size
        self.packets_per_frame = packets_per_frame
        self.gap_us = gap_us
        self.clients = <Client *>calloc(publishers + subscribers, sizeof(Client))
        if self.clients == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        for i in range(self.client_count):
            srtp_context_free(self.clients[i].outbound)
        free(self.clients)
        free(self.memory)
        free(self.datagrams)

    def address(self, int client):
        """Where a client sends from, (ip, port); publishers are the first clients, from 0."""
        return f"10.0.{client >> 8 & 0xFF}.{client & 0xFF}", 5000

    def add(self, int profile, bytes key, bytes check):
        """The next client: its master key and salt for what it sends, and its connectivity check.

        Raises:
            ValueError: there are enough, the key does not fit the profile, or the check is above 256 bytes.
        """
        cdef Client *client = &self.clients[self.client_count]
        cdef int64_t phase
        cdef uint8_t ip[4]
        if self.client_count == self.publishers + self.subscribers or len(check) > 256:
            raise ValueError("too many clients, or too long a check")
        client.outbound = srtp_context_new(<SrtpProfile>profile, key, <int>len(key), False)
        if client.outbound == NULL:
            raise ValueError("the key does not fit the profile")
        ip[0], ip[1] = 10, 0
        ip[2], ip[3] = <uint8_t>(self.client_count >> 8), <uint8_t>self.client_count
        address_set(&client.address, ip, 4, 5000)
        memcpy(client.check, <const char *>check, len(check))
        client.check_size = <int>len(check)
        # spread over their intervals, so that any stretch of time has its share of each
        phase = self.client_count * 1000000 // (self.publishers + self.subscribers)
        client.next_report_us = REPORT_INTERVAL_US * phase // 1000000
        client.next_check_us = CHECK_INTERVAL_US * phase // 1000000
        client.next_feedback_us = FEEDBACK_INTERVAL_US * phase // 1000000
        self.client_count += 1

    def record(self, int64_t duration_us):
        """Make what is sent in the next `duration_us` microseconds of the meeting.

        Raises:
            ValueError: clients are missing, or time would go back.
            MemoryError: no room; what was made stays.
        """
        cdef bint done
        if self.client_count < self.publishers + self.subscribers:
            raise ValueError("clients are missing")
        if duration_us < 0:
            raise ValueError(f"{duration_us} us")
        with nogil:
            done = record_until(self, self.until_us + duration_us)
        if not done:
            raise MemoryError

    @property
    def duration_us(self):
        """What is recorded, microseconds from the begin."""
        return self.until_us

    def __len__(self):
        return self.count          # datagrams

    def datagram(self, size_t index):
        """One of them: (microseconds from the begin, client, bytes). What was played is no longer what it was.

        Raises:
            IndexError: there are fewer.
        """
        cdef Datagram *datagram
        if index >= self.count:
            raise IndexError(f"datagram {index} of {self.count}")
        datagram = &self.datagrams[index]
        return datagram.at_us, datagram.client, bytes((<char *>self.memory + datagram.offset)[:datagram.size])


cdef bint record_until(Recording recording, int64_t until_us) noexcept nogil:
    cdef size_t first = recording.count
    cdef int i
    cdef bint done = True
    for i in range(recording.publishers):
        done = done and send_frames(recording, i, until_us)
    for i in range(recording.client_count):
        done = done and send_checks(recording, i, until_us) and send_reports(recording, i, until_us)
    for i in range(recording.publishers, recording.client_count):
        done = done and send_feedback(recording, i, until_us)
    recording.until_us = until_us
    if recording.count > first:
        qsort(&recording.datagrams[first], recording.count - first, sizeof(Datagram), by_time)
    for i in range(<int>(recording.count - first)):
        encrypt(recording, &recording.datagrams[first + i])
    return done


cdef void encrypt(Recording recording, Datagram *datagram) noexcept nogil:
    # in the order of sending: a receiver minds a number that comes much later than its neighbours (RFC 3711 3.3.2)
    cdef Client *client = &recording.clients[datagram.client]
    cdef uint8_t *data = recording.memory + datagram.offset
    cdef PacketKind kind = packet_kind(data, datagram.size)
    if kind == PACKET_RTP:
        datagram.size = srtp_context_protect(client.outbound, data, datagram.size)
    elif kind == PACKET_RTCP:
        datagram.size = srtp_context_protect_rtcp(client.outbound, data, datagram.size)


cdef int by_time(const void *a, const void *b) noexcept nogil:
    cdef const Datagram *one = <const Datagram *>a
    cdef const Datagram *other = <const Datagram *>b
    if one.at_us != other.at_us:
        return -1 if one.at_us < other.at_us else 1
    return -1 if one.number < other.number else 1


cdef uint8_t *reserve(Recording recording) noexcept nogil:
    # room for one more datagram; NULL: no memory
    cdef size_t capacity
    cdef void *grown
    if recording.count == recording.datagram_capacity:
        capacity = recording.datagram_capacity * 2 + 1024
        grown = realloc(recording.datagrams, capacity * sizeof(Datagram))
        if grown == NULL:
            return NULL
        recording.datagrams = <Datagram *>grown
        recording.datagram_capacity = capacity
    if recording.used + PACKET_ROOM > recording.capacity:
        capacity = recording.capacity * 2 + 65536
        grown = realloc(recording.memory, capacity)
        if grown == NULL:
            return NULL
        recording.memory = <uint8_t *>grown
        recording.capacity = capacity
    return recording.memory + recording.used


cdef void keep(Recording recording, int client, int64_t at_us, int size) noexcept nogil:
    cdef Datagram *datagram = &recording.datagrams[recording.count]
    datagram.at_us = at_us
    datagram.offset = recording.used
    datagram.number = <uint32_t>recording.count
    datagram.client = <uint32_t>client
    datagram.size = size
    recording.count += 1
    recording.used += (<size_t>(size + TRAILER_ROOM) + 15) & ~<size_t>15


# ---- publishers

cdef inline int64_t begin_us(Recording recording, int64_t frame, int publisher) noexcept nogil:
    # publishers take turns
    return ((frame * recording.publishers + publisher) * 1000000) // (FRAMES_A_SECOND * recording.publishers)


cdef bint send_frames(Recording recording, int index, int64_t until_us) noexcept nogil:
    cdef Client *client = &recording.clients[index]
    cdef int64_t at_us
    while True:
        at_us = begin_us(recording, client.frame, index) + client.packet * recording.gap_us
        if at_us >= until_us:
            return True
        if not send_packet(recording, index, at_us):
            return False
        client.packet += 1
        if client.packet == recording.packets_per_frame:
            client.packet = 0
            client.frame += 1


cdef bint send_packet(Recording recording, int index, int64_t at_us) noexcept nogil:
    cdef Client *client = &recording.clients[index]
    cdef uint8_t *out = reserve(recording)
    cdef int place = client.packet
    cdef int payload_size = recording.payload_size - (place & 1)
    cdef bint last = place == recording.packets_per_frame - 1
    cdef int64_t number = client.frame * recording.packets_per_frame + place
    cdef int size
    if out == NULL:
        return False
    rtp_write_header(out, 12, last, payload_type, <uint16_t>number,
                     <uint32_t>(client.frame * (90000 // FRAMES_A_SECOND)), media_ssrc + <uint32_t>index)
    size = 12 + write_extensions(out, <uint16_t>number, at_us)
    memset(out + size, 0x5A, payload_size)
    write_payload(out + size, payload_size, True, place == 0, client.frame == 0, client.frame & 0x7FFF,
                  <uint32_t>index, <uint32_t>number, at_us * 1000)
    keep(recording, index, at_us, size + payload_size)
    return True


cdef int write_extensions(uint8_t *out, uint16_t transport_seq, int64_t at_us) noexcept nogil:
    cdef ExtensionWriter writer
    cdef uint8_t value[4]
    extension_writer_init(&writer, out, 64, False)
    value[0] = 48                  # MID
    extension_writer_add(&writer, mid_id, value, 1)
    write_u24(value, abs_send_time(at_us))
    extension_writer_add(&writer, send_time_id, value, 3)
    write_u16(value, transport_seq)
    extension_writer_add(&writer, transport_cc_id, value, 2)
    return extension_writer_finish(&writer)


# ---- all clients

cdef bint send_checks(Recording recording, int index, int64_t until_us) noexcept nogil:
    cdef Client *client = &recording.clients[index]
    cdef uint8_t *out
    while client.next_check_us < until_us:
        out = reserve(recording)
        if out == NULL:
            return False
        memcpy(out, client.check, client.check_size)
        keep(recording, index, client.next_check_us, client.check_size)
        client.next_check_us += CHECK_INTERVAL_US
    return True


cdef bint send_reports(Recording recording, int index, int64_t until_us) noexcept nogil:
    cdef Client *client = &recording.clients[index]
    cdef uint8_t *out
    cdef int size
    while client.next_report_us < until_us:
        out = reserve(recording)
        if out == NULL:
            return False
        if index < recording.publishers:
            size = write_sender_report(out, recording, index, client.next_report_us)
        else:
            size = write_receiver_report(out, recording, client.next_report_us)
        size += rtcp_write_sdes_cname(out + size, PACKET_ROOM // 2 - size, 1, "a-client", 8)
        keep(recording, index, client.next_report_us, size)
        client.next_report_us += REPORT_INTERVAL_US
    return True


cdef int write_sender_report(uint8_t *out, Recording recording, int index, int64_t at_us) noexcept nogil:
    cdef SenderInfo info
    cdef int64_t frames = at_us * FRAMES_A_SECOND // 1000000
    info.ssrc = media_ssrc + <uint32_t>index
    info.ntp = (<uint64_t>at_us << 32) // 1000000
    info.rtp_timestamp = <uint32_t>(at_us * 9 // 100)
    info.packets = <uint32_t>(frames * recording.packets_per_frame)
    info.octets = info.packets * <uint32_t>recording.payload_size
    return rtcp_write_sr(out, PACKET_ROOM // 2, &info, NULL, 0)


cdef int write_receiver_report(uint8_t *out, Recording recording, int64_t at_us) noexcept nogil:
    cdef ReportBlock blocks[BLOCKS_MAX]
    cdef int64_t frames = (at_us - WAY_US) * FRAMES_A_SECOND // 1000000
    cdef int i
    cdef int count = recording.publishers if recording.publishers < BLOCKS_MAX else BLOCKS_MAX
    memset(blocks, 0, sizeof(blocks))
    for i in range(count):
        blocks[i].ssrc = copy_ssrc + <uint32_t>i
        blocks[i].highest_seq = first_seq + <uint32_t>((frames if frames > 0 else 0) * recording.packets_per_frame)
    return rtcp_write_rr(out, PACKET_ROOM // 2, 1, blocks, count)


# ---- subscribers

# When the last packet of a frame reaches a subscriber; frames of all publishers counted through
cdef inline int64_t arrival_us(Recording recording, int64_t frame) noexcept nogil:
    return (begin_us(recording, frame // recording.publishers, <int>(frame % recording.publishers)) + WAY_US
            + (recording.packets_per_frame - 1) * (recording.gap_us + SPACING_US))


cdef bint send_feedback(Recording recording, int index, int64_t until_us) noexcept nogil:
    cdef Client *client = &recording.clients[index]
    cdef uint8_t *out
    while client.next_feedback_us < until_us:
        while arrival_us(recording, client.frame) <= client.next_feedback_us:
            out = reserve(recording)
            if out == NULL:
                return False
            keep(recording, index, client.next_feedback_us, write_feedback(out, recording, client))
        client.next_feedback_us += FEEDBACK_INTERVAL_US
    return True


cdef int write_feedback(uint8_t *out, Recording recording, Client *client) noexcept nogil:
    # whole frames, as many as came and one datagram holds
    cdef TwccWriter writer
    cdef int64_t last_us
    cdef int i
    cdef int count = recording.packets_per_frame
    cdef uint16_t base = <uint16_t>(client.frame * count)
    twcc_writer_init(&writer, out, FEEDBACK_SIZE, base)
    while True:
        last_us = arrival_us(recording, client.frame)
        if last_us > client.next_feedback_us or writer.count + count > 512:
            break
        for i in range(count):
            twcc_writer_add_received(&writer, twcc_tick(last_us - (count - 1 - i) * SPACING_US))
        client.frame += 1
    client.feedback_count += 1
    return twcc_writer_finish(&writer, 1, copy_ssrc, <uint8_t>(client.feedback_count - 1))
