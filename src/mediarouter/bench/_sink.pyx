"""Subscribers of a benchmark, in one thread without the GIL: they drain their sockets, decrypt and check everything.

Each is a socket with its own keys. A packet counts when it can be decrypted, its number follows the one before, and the
checksum in its payload holds. As clients do, they answer with receiver reports, transport-wide feedback and
connectivity checks.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from mediarouter._messages cimport MSG_DONTWAIT, iovec, mmsghdr, recvmmsg, send
from mediarouter._rtcp cimport ReportBlock, rtcp_write_rr
from mediarouter._rtp cimport (
    PACKET_RTCP,
    PACKET_RTP,
    PACKET_STUN,
    RtpView,
    packet_kind,
    read_u16,
    rtp_extension,
    rtp_parse,
)
from mediarouter._srtp cimport (
    SrtpContext,
    SrtpProfile,
    srtp_context_free,
    srtp_context_new,
    srtp_context_protect_rtcp,
    srtp_context_unprotect,
    srtp_context_unprotect_rtcp,
)
from mediarouter.bench._checks cimport CheckAnswerer, check_answer, check_answerer_init
from mediarouter.bench._clock cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_now_ns, sleep_exactly
from mediarouter.bench._traffic cimport Stamp, read_payload
from mediarouter.congestion._twcc cimport (
    TwccRecord,
    twcc_record_free,
    twcc_record_new,
    twcc_record_packet,
    twcc_record_write,
)

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event *event)
    int epoll_wait(int epoll_fd, epoll_event *events, int count, int timeout_ms)
    int EPOLLIN, EPOLL_CTL_ADD

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    BATCH = 64
    SLOT = 2048
    STREAMS_MAX = 256              # streams one subscriber gets
    EVENTS = 256
    LATENCY_STEPS = 50000          # microseconds, one each; the last holds all above
    TICK_NS = 10000000
    FEEDBACK_TICKS = 10            # each subscriber speaks every so many ticks
    REPORT_TICKS = 100
    CHECK_TICKS = 400


cdef struct Stream:
    uint32_t ssrc
    uint16_t next_seq
    uint64_t packets
    uint64_t lost                  # numbers that were jumped over
    uint64_t disordered            # numbers at or behind the newest
    uint32_t highest


cdef struct Subscriber:
    int fd
    SrtpContext *inbound
    SrtpContext *outbound
    TwccRecord *twcc
    Stream *streams
    int stream_count
    uint8_t check[256]
    int check_size
    CheckAnswerer answerer


@cython.final
cdef class Sink:
    """The subscribers.

    Args:
        vp8: payloads stand behind a VP8 descriptor.
        transport_cc_id: of the header extension; 0: no feedback.
        encrypted: packets are SRTP; else they are only counted, with their bytes (the floor's receivers).
    """
    cdef Subscriber *subscribers
    cdef readonly int count
    cdef int capacity
    cdef bint vp8, encrypted
    cdef int transport_cc_id
    cdef int epoll_fd
    cdef mmsghdr messages[64]
    cdef iovec pieces[64]
    cdef uint8_t buffers[64][2048]
    cdef uint32_t latency[50000]
    cdef volatile bint stopping
    cdef volatile bint fresh       # forget what was counted
    cdef uint64_t packets, octets, padding, refused, damaged, rtcp, other, feedback, wakeups

    def __cinit__(self, *, bint vp8, int transport_cc_id, bint encrypted=True):
        cdef int i
        self.vp8 = vp8
        self.encrypted = encrypted
        self.transport_cc_id = transport_cc_id
        self.capacity = 20000
        self.subscribers = <Subscriber *>calloc(self.capacity, sizeof(Subscriber))
        self.epoll_fd = epoll_create1(0)
        if self.subscribers == NULL or self.epoll_fd < 0:
            raise MemoryError
        for i in range(BATCH):
            self.pieces[i].iov_base = self.buffers[i]
            self.pieces[i].iov_len = SLOT
            self.messages[i].msg_hdr.msg_iov = &self.pieces[i]
            self.messages[i].msg_hdr.msg_iovlen = 1

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            srtp_context_free(self.subscribers[i].inbound)
            srtp_context_free(self.subscribers[i].outbound)
            twcc_record_free(self.subscribers[i].twcc)
            free(self.subscribers[i].streams)
        free(self.subscribers)
        close(self.epoll_fd)

    def add(self, int fd, int profile, bytes local_key, bytes remote_key, bytes check, bytes password=b""):
        """One more subscriber: a connected UDP socket, its keys, a check that renews consent, and the client's own ICE
        password, by which the router's checks are answered."""
        cdef Subscriber *subscriber = &self.subscribers[self.count]
        cdef epoll_event event
        if self.count == self.capacity or len(check) > 256:
            raise ValueError("too many subscribers, or too long a check")
        memset(subscriber, 0, sizeof(Subscriber))
        subscriber.fd = fd
        subscriber.streams = <Stream *>calloc(STREAMS_MAX, sizeof(Stream))
        subscriber.twcc = twcc_record_new()
        if self.encrypted:
            subscriber.outbound = srtp_context_new(<SrtpProfile>profile, local_key, <int>len(local_key), False)
            subscriber.inbound = srtp_context_new(<SrtpProfile>profile, remote_key, <int>len(remote_key), True)
        memcpy(subscriber.check, <const char *>check, len(check))
        subscriber.check_size = <int>len(check)
        check_answerer_init(&subscriber.answerer, fd, password, <int>len(password))
        event.events = <uint32_t>EPOLLIN
        event.data.u64 = <uint64_t>self.count
        epoll_ctl(self.epoll_fd, EPOLL_CTL_ADD, fd, &event)
        self.count += 1

    def run(self):
        """Receive until `stop()`; the GIL is not held. It can be run again."""
        self.stopping = False
        with nogil:
            run_sink(self)

    def stop(self):
        """Let `run` return."""
        self.stopping = True

    def reset(self):
        """Count anew from the next packet on."""
        self.fresh = True

    def figures(self):
        """What was received since the last reset.

        Returns:
            packets and octets that were checked through; padding (packets without a payload); refused (no
            decryption), damaged (checksum), lost and disordered numbers; streams; rtcp packets; latency quantiles from
            a packet's first sending to its arrival.
        """
        cdef uint64_t lost = 0
        cdef uint64_t disordered = 0
        cdef uint64_t streams = 0
        cdef int i, k
        for i in range(self.count):
            for k in range(self.subscribers[i].stream_count):
                lost += self.subscribers[i].streams[k].lost
                disordered += self.subscribers[i].streams[k].disordered
                streams += 1
        return {
            "packets": self.packets, "octets": self.octets, "padding": self.padding, "refused": self.refused,
            "damaged": self.damaged, "lost": lost, "disordered": disordered, "streams": streams, "rtcp": self.rtcp,
            "other": self.other,
            "feedback": self.feedback, "wakeups": self.wakeups,
            "latency_us": {name: self.quantile(share) for name, share in
                           (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))},
        }

    cdef quantile(self, double share):
        cdef uint64_t total = 0
        cdef uint64_t seen = 0
        cdef int i
        for i in range(LATENCY_STEPS):
            total += self.latency[i]
        for i in range(LATENCY_STEPS):
            seen += self.latency[i]
            if seen and seen >= share * total:
                return i
        return 0


cdef void run_sink(Sink sink) noexcept nogil:
    cdef epoll_event events[EVENTS]
    cdef int64_t tick = 0
    cdef int64_t begun_ns = clock_now_ns(CLOCK_MONOTONIC)
    cdef int i, count
    sleep_exactly()
    while not sink.stopping:
        if sink.fresh:
            forget(sink)
        count = epoll_wait(sink.epoll_fd, events, EVENTS, 5)
        sink.wakeups += 1
        for i in range(count):
            drain(sink, &sink.subscribers[events[i].data.u64])
        while clock_now_ns(CLOCK_MONOTONIC) - begun_ns > tick * TICK_NS:
            speak(sink, tick)
            tick += 1


cdef void forget(Sink sink) noexcept nogil:
    cdef int i, k
    sink.fresh = False
    sink.packets = sink.octets = sink.padding = sink.refused = sink.damaged = sink.rtcp = sink.other = 0
    sink.feedback = sink.wakeups = 0
    memset(sink.latency, 0, sizeof(sink.latency))
    for i in range(sink.count):
        for k in range(sink.subscribers[i].stream_count):
            sink.subscribers[i].streams[k].lost = 0
            sink.subscribers[i].streams[k].disordered = 0


cdef void drain(Sink sink, Subscriber *subscriber) noexcept nogil:
    cdef int i, count, size
    cdef uint8_t *data
    while True:
        count = recvmmsg(subscriber.fd, sink.messages, BATCH, MSG_DONTWAIT, NULL)
        if count <= 0:
            return
        for i in range(count):
            data = sink.buffers[i]
            size = <int>sink.messages[i].msg_len
            if not sink.encrypted:
                sink.packets += 1
                sink.octets += <uint64_t>size
            elif packet_kind(data, size) == PACKET_RTP:
                take_rtp(sink, subscriber, data, size)
            elif packet_kind(data, size) == PACKET_RTCP:
                if srtp_context_unprotect_rtcp(subscriber.inbound, data, size) > 0:
                    sink.rtcp += 1
                else:
                    sink.refused += 1
            elif packet_kind(data, size) == PACKET_STUN:
                check_answer(&subscriber.answerer, subscriber.fd, data, size)
            else:
                sink.other += 1
        if count < BATCH:
            return


cdef void take_rtp(Sink sink, Subscriber *subscriber, uint8_t *data, int size) noexcept nogil:
    cdef RtpView view
    cdef Stamp stamp
    cdef const uint8_t *value
    cdef int value_size = 0
    cdef int64_t now_ns = clock_now_ns(CLOCK_REALTIME)
    cdef int64_t spent_us
    size = srtp_context_unprotect(subscriber.inbound, data, size)
    if size < 0 or rtp_parse(&view, data, size) != 0:
        sink.refused += 1
        return
    if sink.transport_cc_id:
        value = rtp_extension(&view, sink.transport_cc_id, &value_size)
        if value != NULL and value_size >= 2:
            twcc_record_packet(subscriber.twcc, read_u16(value), now_ns // 1000)
    place(subscriber, &view)
    if view.payload_size == 0:
        sink.padding += 1
        return
    if not read_payload(view.data + view.payload_offset, view.payload_size, sink.vp8, &stamp):
        sink.damaged += 1
        return
    sink.packets += 1
    sink.octets += <uint64_t>size
    spent_us = (now_ns - stamp.sent_ns) // 1000
    spent_us = 0 if spent_us < 0 else spent_us
    sink.latency[spent_us if spent_us < LATENCY_STEPS else LATENCY_STEPS - 1] += 1


cdef void place(Subscriber *subscriber, const RtpView *view) noexcept nogil:
    cdef Stream *stream = NULL
    cdef int i
    for i in range(subscriber.stream_count):
        if subscriber.streams[i].ssrc == view.ssrc:
            stream = &subscriber.streams[i]
            break
    if stream == NULL:
        if subscriber.stream_count == STREAMS_MAX:
            return
        stream = &subscriber.streams[subscriber.stream_count]
        subscriber.stream_count += 1
        stream.ssrc = view.ssrc
        stream.next_seq = view.seq
    cdef uint16_t ahead = view.seq - stream.next_seq
    stream.packets += 1
    if ahead < 32768:
        stream.lost += ahead
        stream.next_seq = view.seq + 1
        stream.highest = stream.next_seq
    else:
        stream.disordered += 1


cdef void speak(Sink sink, int64_t tick) noexcept nogil:
    # one in FEEDBACK_TICKS subscribers sends feedback in a tick, and so on: never all at once
    cdef uint8_t out[1500]
    cdef Subscriber *subscriber
    cdef int64_t now_us = clock_now_ns(CLOCK_REALTIME) // 1000
    cdef int i, size
    if not sink.encrypted:
        return
    for i in range(sink.count):
        subscriber = &sink.subscribers[i]
        if (i + tick) % CHECK_TICKS == 0:
            send(subscriber.fd, subscriber.check, <size_t>subscriber.check_size, MSG_DONTWAIT)
        if (i + tick) % REPORT_TICKS == 0:
            report(subscriber, out)
        if sink.transport_cc_id and (i + tick) % FEEDBACK_TICKS == 0:
            size = twcc_record_write(subscriber.twcc, out, 1200, 1, subscriber.streams[0].ssrc, now_us)
            if size > 0:
                size = srtp_context_protect_rtcp(subscriber.outbound, out, size)
                send(subscriber.fd, out, <size_t>size, MSG_DONTWAIT)
                sink.feedback += 1


cdef void report(Subscriber *subscriber, uint8_t *out) noexcept nogil:
    cdef ReportBlock blocks[24]
    cdef int count = subscriber.stream_count if subscriber.stream_count < 24 else 24
    cdef int i, size
    memset(blocks, 0, sizeof(blocks))
    for i in range(count):
        blocks[i].ssrc = subscriber.streams[i].ssrc
        blocks[i].highest_seq = subscriber.streams[i].highest
    size = rtcp_write_rr(out, 1200, 1, blocks, count)
    if size > 0:
        size = srtp_context_protect_rtcp(subscriber.outbound, out, size)
        send(subscriber.fd, out, <size_t>size, MSG_DONTWAIT)
