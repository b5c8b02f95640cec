"""Publishers of a benchmark, in one thread without the GIL: bursts at a steady rate, as browsers send them.

Every frame of every publisher is a burst of packets whose sizes differ by a byte, `gap_us` apart; the publishers'
frames are spread over the frame interval, evenly or by chance, and their bursts may overlap. What the router sends
back is read: a picture loss indication makes the next frame a key frame.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, qsort
from libc.string cimport memcpy, memset
from mediarouter._messages cimport MSG_DONTWAIT, recv, send
from mediarouter._rtcp cimport RTCP_PSFB, RtcpReader, RtcpView, rtcp_next, rtcp_reader_init
from mediarouter._rtp cimport (
    ExtensionWriter,
    PACKET_RTCP,
    PACKET_STUN,
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
    SrtpContext,
    SrtpProfile,
    srtp_context_free,
    srtp_context_new,
    srtp_context_protect,
    srtp_context_unprotect_rtcp,
)
from mediarouter.bench._checks cimport CheckAnswerer, check_answer, check_answerer_init
from mediarouter.bench._clock cimport (
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    SENDING_PRIORITY,
    clock_now_ns,
    go_early,
    sleep_exactly,
    sleep_until_ns,
)
from mediarouter.bench._traffic cimport PAYLOAD_MIN, VP8_DESCRIPTOR_SIZE, write_payload

cdef enum:
    PACKET_ROOM = 2048
    CHECK_INTERVAL_NS = 4000000000
    PLI = 1
    FIRST_PICTURE_ID = 0x1000      # of 15 bits: who writes descriptors anew takes as many bytes as there were
    NAP_LEAST_NS = 20000           # a shorter one is waited for awake


cdef struct Turn:                  # one packet in the order of a frame interval
    int64_t offset_ns              # since the interval began
    int publisher
    int place                      # in its frame


cdef struct Publisher:
    int fd
    SrtpContext *outbound
    SrtpContext *inbound
    uint8_t check[256]             # a connectivity check, for consent
    int check_size
    CheckAnswerer answerer
    int64_t next_check_ns
    uint32_t ssrc
    uint32_t number                # packets sent
    uint32_t timestamp
    uint16_t seq
    uint16_t transport_seq
    uint16_t picture_id
    bint key_wanted
    bint key                       # the frame that is being sent


@cython.final
cdef class Source:
    """The publishers.

    Args:
        vp8: payloads are VP8; else opaque, as audio is.
        payload_type: of what is sent.
        payload_size: bytes of a packet's payload; every other packet has one less.
        packets_per_frame: packets of a burst.
        frames_per_second: of each publisher.
        gap_us: between the packets of a burst.
        clock_rate: of RTP timestamps.
        extensions: (mid, abs-send-time, transport-cc): their ids.
        scattered: frames of different publishers come at random distances, the same in each run.
    """
    cdef Publisher *publishers
    cdef readonly int count
    cdef int limited               # so many of them send
    cdef int capacity
    cdef bint vp8, scattered
    cdef int payload_type, payload_size, packets_per_frame
    cdef int64_t interval_ns, gap_ns
    cdef uint32_t timestamp_step
    cdef int mid_id, send_time_id, transport_cc_id
    cdef volatile bint stopping
    cdef uint64_t sent, failed, key_frames, plis
    cdef int64_t late_ns           # the worst delay of a frame behind its time

    def __cinit__(self, *, bint vp8, int payload_type, int payload_size, int packets_per_frame, int frames_per_second,
                  int gap_us, int clock_rate, extensions, bint scattered=False):
        if payload_size < PAYLOAD_MIN + VP8_DESCRIPTOR_SIZE + 2 or payload_size > PACKET_ROOM - 200:
            raise ValueError(f"payloads of {payload_size} bytes")
        if not 1 <= packets_per_frame <= 64 or gap_us < 0 or not 1 <= frames_per_second <= 1000:
            raise ValueError("frames of 1 to 64 packets, 1 to 1000 times a second")
        self.vp8 = vp8
        self.scattered = scattered
        self.payload_type = payload_type
        self.payload_size = payload_size
        self.packets_per_frame = packets_per_frame
        self.interval_ns = 1000000000 // frames_per_second
        self.gap_ns = gap_us * 1000
        self.timestamp_step = <uint32_t>(clock_rate // frames_per_second)
        self.mid_id, self.send_time_id, self.transport_cc_id = extensions
        self.capacity = 4096
        self.publishers = <Publisher *>calloc(self.capacity, sizeof(Publisher))
        if self.publishers == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            srtp_context_free(self.publishers[i].outbound)
            srtp_context_free(self.publishers[i].inbound)
        free(self.publishers)

    def add(self, int fd, int profile, bytes local_key, bytes remote_key, bytes check, uint32_t ssrc,
            bytes password=b""):
        """One more publisher.

        Args:
            fd: a connected UDP socket; the caller keeps it open.
            check: a connectivity check that renews consent.
            password: the client's own of ICE, by which the router's checks are answered.
        """
        cdef Publisher *publisher = &self.publishers[self.count]
        if self.count == self.capacity or len(check) > 256:
            raise ValueError("too many publishers, or too long a check")
        memset(publisher, 0, sizeof(Publisher))
        publisher.fd = fd
        publisher.outbound = srtp_context_new(<SrtpProfile>profile, local_key, <int>len(local_key), False)
        publisher.inbound = srtp_context_new(<SrtpProfile>profile, remote_key, <int>len(remote_key), True)
        memcpy(publisher.check, <const char *>check, len(check))
        publisher.check_size = <int>len(check)
        check_answerer_init(&publisher.answerer, fd, password, <int>len(password))
        publisher.ssrc = ssrc
        publisher.key_wanted = True
        publisher.picture_id = FIRST_PICTURE_ID
        self.count += 1
        self.limited = self.count

    def limit(self, int count):
        """Let only the first `count` of them send, from the next run on, until one is added.

        Raises:
            ValueError: there are not so many.
        """
        if not 0 <= count <= self.count:
            raise ValueError(f"{count} of {self.count} publishers")
        self.limited = count

    def run(self):
        """Send until `stop()`; the GIL is not held. It can be run again."""
        cdef Turn *turns = <Turn *>calloc(self.count * self.packets_per_frame + 1, sizeof(Turn))
        if turns == NULL:
            raise MemoryError
        self.stopping = False
        with nogil:
            run_source(self, turns)
        free(turns)

    def stop(self):
        """Let `run` return."""
        self.stopping = True

    def figures(self):
        """Packets sent and failed, key frames, requests for them, and how late the latest frame was."""
        return {"sent": self.sent, "failed": self.failed, "key_frames": self.key_frames, "plis": self.plis,
                "late_us": self.late_ns // 1000}

    def reset(self):
        """Count anew."""
        self.sent = self.failed = self.key_frames = self.plis = 0
        self.late_ns = 0


cdef void run_source(Source source, Turn *turns) noexcept nogil:
    cdef int count = order_turns(source, turns)
    cdef int64_t begun_ns, due_ns
    cdef int at = 0
    sleep_exactly()
    go_early(SENDING_PRIORITY)
    begun_ns = clock_now_ns(CLOCK_MONOTONIC) + 1000000
    while not source.stopping and count:
        if turns[at].place == 0:
            read_back(source, &source.publishers[turns[at].publisher])
        due_ns = begun_ns + turns[at].offset_ns
        wait_until(source, due_ns)
        send_in_turn(source, &turns[at])
        at += 1
        if at == count:
            at = 0
            begun_ns += source.interval_ns


cdef int order_turns(Source source, Turn *turns) noexcept nogil:
    cdef int index, place
    cdef int count = 0
    cdef int64_t phase_ns
    for index in range(source.limited):
        phase_ns = source.interval_ns * index // source.limited
        if source.scattered:
            phase_ns = <int64_t>(scatter(<uint64_t>index) % <uint64_t>source.interval_ns)
        for place in range(source.packets_per_frame):
            turns[count].offset_ns = phase_ns + place * source.gap_ns
            turns[count].publisher = index
            turns[count].place = place
            count += 1
    qsort(turns, <size_t>count, sizeof(Turn), compare_turns)
    return count


cdef uint64_t scatter(uint64_t number) noexcept nogil:
    number = (number + 1) * <uint64_t>0x9E3779B97F4A7C15
    number = (number ^ (number >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    number = (number ^ (number >> 27)) * <uint64_t>0x94D049BB133111EB
    return number ^ (number >> 31)


cdef int compare_turns(const void *left, const void *right) noexcept nogil:
    cdef const Turn *a = <const Turn *>left
    cdef const Turn *b = <const Turn *>right
    if a.offset_ns != b.offset_ns:
        return -1 if a.offset_ns < b.offset_ns else 1
    if a.publisher != b.publisher:
        return -1 if a.publisher < b.publisher else 1
    return a.place - b.place


cdef void wait_until(Source source, int64_t due_ns) noexcept nogil:
    cdef int64_t now_ns = clock_now_ns(CLOCK_MONOTONIC)
    if due_ns - now_ns > NAP_LEAST_NS:
        sleep_until_ns(due_ns)
    while now_ns < due_ns:
        now_ns = clock_now_ns(CLOCK_MONOTONIC)
    if now_ns - due_ns > source.late_ns:
        source.late_ns = now_ns - due_ns


cdef void send_in_turn(Source source, const Turn *turn) noexcept nogil:
    cdef Publisher *publisher = &source.publishers[turn.publisher]
    if turn.place == 0:
        publisher.key = publisher.key_wanted
        publisher.key_wanted = False
        publisher.picture_id = (publisher.picture_id + 1) & 0x7FFF
        publisher.timestamp += source.timestamp_step
        source.key_frames += publisher.key
    send_packet(source, publisher, <uint32_t>turn.publisher, turn.place, publisher.key)


cdef void send_packet(Source source, Publisher *publisher, uint32_t index, int place, bint key) noexcept nogil:
    cdef uint8_t packet[PACKET_ROOM]
    cdef ExtensionWriter writer
    cdef uint8_t value[4]
    cdef int payload_size = source.payload_size - (place & 1)
    cdef int64_t now_ns = clock_now_ns(CLOCK_REALTIME)
    cdef bint last = place == source.packets_per_frame - 1
    cdef int size
    rtp_write_header(packet, 12, last, source.payload_type, publisher.seq, publisher.timestamp, publisher.ssrc)
    extension_writer_init(&writer, packet, PACKET_ROOM, False)
    value[0] = 0x30
    extension_writer_add(&writer, source.mid_id, value, 1)
    write_u24(value, abs_send_time(now_ns // 1000))
    extension_writer_add(&writer, source.send_time_id, value, 3)
    write_u16(value, publisher.transport_seq)
    extension_writer_add(&writer, source.transport_cc_id, value, 2)
    size = 12 + extension_writer_finish(&writer)
    write_payload(packet + size, payload_size, source.vp8, place == 0, key, publisher.picture_id, index,
                  publisher.number, now_ns)
    size = srtp_context_protect(publisher.outbound, packet, size + payload_size)
    publisher.seq += 1
    publisher.transport_seq += 1
    publisher.number += 1
    if size > 0 and send(publisher.fd, packet, <size_t>size, MSG_DONTWAIT) == size:
        source.sent += 1
    else:
        source.failed += 1


cdef void read_back(Source source, Publisher *publisher) noexcept nogil:
    cdef uint8_t data[PACKET_ROOM]
    cdef RtcpReader reader
    cdef RtcpView view
    cdef int64_t now_ns = clock_now_ns(CLOCK_MONOTONIC)
    cdef int size
    if now_ns >= publisher.next_check_ns:
        publisher.next_check_ns = now_ns + CHECK_INTERVAL_NS
        send(publisher.fd, publisher.check, <size_t>publisher.check_size, MSG_DONTWAIT)
    while True:
        size = <int>recv(publisher.fd, data, PACKET_ROOM, MSG_DONTWAIT)
        if size <= 0:
            return
        if packet_kind(data, size) == PACKET_STUN:
            check_answer(&publisher.answerer, publisher.fd, data, size)
        if packet_kind(data, size) != PACKET_RTCP:
            continue
        size = srtp_context_unprotect_rtcp(publisher.inbound, data, size)
        if size <= 0:
            continue
        rtcp_reader_init(&reader, data, size)
        while rtcp_next(&reader, &view) == 1:
            if view.packet_type == RTCP_PSFB and view.count == PLI:
                publisher.key_wanted = True
                source.plis += 1
