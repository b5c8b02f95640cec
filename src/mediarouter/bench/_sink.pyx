"""Subscribers of a benchmark, in one thread without the GIL: they drain their sockets, decrypt and check everything.

Each is a socket with its own keys. A packet counts when it can be decrypted, its number follows the one before, and the
checksum in its payload holds. As clients do, they answer with receiver reports, transport-wide feedback and
connectivity checks.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset
from mediarouter._messages cimport (
    CMSG_DATA,
    CMSG_FIRSTHDR,
    CMSG_NXTHDR,
    MSG_DONTWAIT,
    SCM_TIMESTAMPNS,
    SO_RXQ_OVFL,
    SOL_SOCKET,
    cmsghdr,
    iovec,
    mmsghdr,
    msghdr,
    recvmmsg,
    send,
)
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
from mediarouter.bench._clock cimport (
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    RECEIVING_PRIORITY,
    clock_now_ns,
    go_early,
    sleep_exactly,
)
from mediarouter.bench._histogram cimport STEPS, Histogram, histogram_add, histogram_clear, histogram_quantile
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

cdef extern from "<sys/socket.h>" nogil:
    int setsockopt(int fd, int level, int name, const void *value, unsigned int size)
    int SO_TIMESTAMPNS

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec

cdef enum:
    BATCH = 64
    SLOT = 2048
    STREAMS_MAX = 1024             # streams one subscriber gets
    INDEX_SIZE = 4096              # of them by SSRC, a power of two
    CONTROL_ROOM = 64
    EVENTS = 256
    TICK_NS = 10000000
    FEEDBACK_TICKS = 10            # each subscriber speaks every so many ticks
    REPORT_TICKS = 100
    CHECK_TICKS = 400


cdef enum Kind:                    # what travelled
    KIND_VIDEO = 0
    KIND_AUDIO = 1
    KIND_DIRECT = 2                # past the router: what the loopback itself takes
    KINDS = 3


QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))


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
    int stream_capacity
    uint16_t *index                # place of a stream + 1, by its SSRC
    uint32_t overflow              # the kernel's count of what found no room
    bint direct
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
        audio_payload_type: what has this one is audio, and without a descriptor.
    """
    cdef Subscriber *subscribers
    cdef readonly int count
    cdef int capacity
    cdef bint vp8, encrypted
    cdef int transport_cc_id, audio_payload_type
    cdef int epoll_fd
    cdef mmsghdr messages[64]
    cdef iovec pieces[64]
    cdef uint8_t buffers[64][2048]
    cdef uint8_t controls[64][64]
    cdef Histogram travel[3]       # by Kind
    cdef volatile bint stopping
    cdef int64_t tick              # of all runs
    cdef volatile bint fresh       # forget what was counted
    cdef uint64_t packets, octets, padding, refused, damaged, rtcp, other, feedback, wakeups, overrun

    def __cinit__(self, *, bint vp8, int transport_cc_id, bint encrypted=True, int audio_payload_type=-1):
        cdef int i
        self.audio_payload_type = audio_payload_type
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
            self.messages[i].msg_hdr.msg_control = self.controls[i]
            self.messages[i].msg_hdr.msg_controllen = CONTROL_ROOM

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            srtp_context_free(self.subscribers[i].inbound)
            srtp_context_free(self.subscribers[i].outbound)
            twcc_record_free(self.subscribers[i].twcc)
            free(self.subscribers[i].streams)
            free(self.subscribers[i].index)
        free(self.subscribers)
        close(self.epoll_fd)

    def add(self, int fd, int profile, bytes local_key, bytes remote_key, bytes check, bytes password=b"", *,
            bint direct=False):
        """One more subscriber: a connected UDP socket, its keys, and a check that renews consent.

        Args:
            password: the client's own ICE password, by which the router's checks are answered.
            direct: what it gets comes straight from a source; it says nothing, and is counted apart.
        """
        cdef Subscriber *subscriber = &self.subscribers[self.count]
        cdef epoll_event event
        cdef int on = 1
        if self.count == self.capacity or len(check) > 256:
            raise ValueError("too many subscribers, or too long a check")
        memset(subscriber, 0, sizeof(Subscriber))
        subscriber.fd = fd
        subscriber.direct = direct
        subscriber.index = <uint16_t *>calloc(INDEX_SIZE, sizeof(uint16_t))
        subscriber.twcc = twcc_record_new()
        if self.encrypted:
            subscriber.outbound = srtp_context_new(<SrtpProfile>profile, local_key, <int>len(local_key), False)
            subscriber.inbound = srtp_context_new(<SrtpProfile>profile, remote_key, <int>len(remote_key), True)
        memcpy(subscriber.check, <const char *>check, len(check))
        subscriber.check_size = <int>len(check)
        if subscriber.index == NULL or subscriber.twcc == NULL:
            raise MemoryError
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on))
        setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on))
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
            decryption), damaged (checksum), lost and disordered numbers; streams, and how many brought something
            (`flowing`); rtcp packets; packets that found no room in a subscriber's socket (`overrun`, also among the
            lost); quantiles of the time from a packet's first sending to its arrival in the kernel, for video, audio,
            both, and what came direct.
        """
        cdef uint64_t lost = 0
        cdef uint64_t disordered = 0
        cdef uint64_t streams = 0
        cdef uint64_t flowing = 0
        cdef const Stream *stream
        cdef int i, k
        for i in range(self.count):
            for k in range(self.subscribers[i].stream_count):
                stream = &self.subscribers[i].streams[k]
                lost += stream.lost
                disordered += stream.disordered
                flowing += stream.packets > 0
                streams += not self.subscribers[i].direct
        return {
            "packets": self.packets, "octets": self.octets, "padding": self.padding,
            "refused": self.refused, "damaged": self.damaged,
            "lost": lost, "disordered": disordered, "streams": streams, "flowing": flowing, "rtcp": self.rtcp,
            "other": self.other, "feedback": self.feedback, "wakeups": self.wakeups, "overrun": self.overrun,
            "latency_us": self.quantiles((KIND_VIDEO, KIND_AUDIO)), "video_us": self.quantiles((KIND_VIDEO,)),
            "audio_us": self.quantiles((KIND_AUDIO,)), "direct_us": self.quantiles((KIND_DIRECT,)),
        }

    cdef dict quantiles(self, tuple kinds):
        cdef Histogram *together = <Histogram *>calloc(1, sizeof(Histogram))
        cdef int kind, i
        if together == NULL:
            raise MemoryError
        for kind in kinds:
            together.total += self.travel[kind].total
            for i in range(STEPS):
                together.counts[i] += self.travel[kind].counts[i]
        found = {name: histogram_quantile(together, share) for name, share in QUANTILES}
        found["count"] = together.total
        free(together)
        return found


cdef void run_sink(Sink sink) noexcept nogil:
    cdef epoll_event events[EVENTS]
    cdef int64_t next_ns = clock_now_ns(CLOCK_MONOTONIC)
    cdef int i, count
    sleep_exactly()
    go_early(RECEIVING_PRIORITY)
    for i in range(sink.count):    # it may have been long since the last run
        send_check(&sink.subscribers[i])
    while not sink.stopping:
        if sink.fresh:
            forget(sink)
        count = epoll_wait(sink.epoll_fd, events, EVENTS, 5)
        sink.wakeups += 1
        for i in range(count):
            drain(sink, &sink.subscribers[events[i].data.u64])
        while clock_now_ns(CLOCK_MONOTONIC) > next_ns:
            speak(sink, sink.tick)
            next_ns += TICK_NS
            sink.tick += 1


cdef void forget(Sink sink) noexcept nogil:
    cdef int i, k
    sink.fresh = False
    sink.packets = sink.octets = sink.padding = sink.refused = sink.damaged = sink.rtcp = sink.other = 0
    sink.feedback = sink.wakeups = sink.overrun = 0
    for i in range(KINDS):
        histogram_clear(&sink.travel[i])
    for i in range(sink.count):
        for k in range(sink.subscribers[i].stream_count):
            sink.subscribers[i].streams[k].lost = 0
            sink.subscribers[i].streams[k].disordered = 0
            sink.subscribers[i].streams[k].packets = 0


cdef void drain(Sink sink, Subscriber *subscriber) noexcept nogil:
    cdef int i, count
    cdef int64_t arrival_ns
    while True:
        count = recvmmsg(subscriber.fd, sink.messages, BATCH, MSG_DONTWAIT, NULL)
        for i in range(count):
            arrival_ns = read_controls(sink, subscriber, &sink.messages[i].msg_hdr)
            sink.messages[i].msg_hdr.msg_controllen = CONTROL_ROOM
            take(sink, subscriber, sink.buffers[i], <int>sink.messages[i].msg_len, arrival_ns)
        if count < BATCH:
            return


cdef int64_t read_controls(Sink sink, Subscriber *subscriber, msghdr *header) noexcept nogil:
    # when the kernel got it; the clock of now where it does not say
    cdef cmsghdr *control = CMSG_FIRSTHDR(header)
    cdef int64_t arrival_ns = 0
    cdef timespec stamp
    cdef uint32_t overflow
    while control != NULL:
        if control.cmsg_level == SOL_SOCKET and control.cmsg_type == SCM_TIMESTAMPNS:
            memcpy(&stamp, CMSG_DATA(control), sizeof(stamp))
            arrival_ns = <int64_t>stamp.tv_sec * 1000000000 + stamp.tv_nsec
        elif control.cmsg_level == SOL_SOCKET and control.cmsg_type == SO_RXQ_OVFL:
            memcpy(&overflow, CMSG_DATA(control), sizeof(overflow))
            sink.overrun += <uint32_t>(overflow - subscriber.overflow)
            subscriber.overflow = overflow
        control = CMSG_NXTHDR(header, control)
    return arrival_ns if arrival_ns else clock_now_ns(CLOCK_REALTIME)


cdef void take(Sink sink, Subscriber *subscriber, uint8_t *data, int size, int64_t arrival_ns) noexcept nogil:
    cdef int kind
    if not sink.encrypted:
        sink.packets += 1
        sink.octets += <uint64_t>size
        return
    kind = packet_kind(data, size)
    if kind == PACKET_RTP:
        take_rtp(sink, subscriber, data, size, arrival_ns)
    elif kind == PACKET_RTCP:
        if srtp_context_unprotect_rtcp(subscriber.inbound, data, size) > 0:
            sink.rtcp += 1
        else:
            sink.refused += 1
    elif kind == PACKET_STUN:
        check_answer(&subscriber.answerer, subscriber.fd, data, size)
    else:
        sink.other += 1


cdef void take_rtp(Sink sink, Subscriber *subscriber, uint8_t *data, int size, int64_t arrival_ns) noexcept nogil:
    cdef RtpView view
    cdef Stamp stamp
    cdef const uint8_t *value
    cdef int value_size = 0
    cdef bint audio
    size = srtp_context_unprotect(subscriber.inbound, data, size)
    if size < 0 or rtp_parse(&view, data, size) != 0:
        sink.refused += 1
        return
    if sink.transport_cc_id:
        value = rtp_extension(&view, sink.transport_cc_id, &value_size)
        if value != NULL and value_size >= 2:
            twcc_record_packet(subscriber.twcc, read_u16(value), arrival_ns // 1000)
    count_number(stream_of(subscriber, view.ssrc, view.seq), view.seq)
    if view.payload_size == 0:
        sink.padding += 1
        return
    audio = not sink.vp8 or view.payload_type == sink.audio_payload_type
    if not read_payload(view.data + view.payload_offset, view.payload_size, not audio, &stamp):
        sink.damaged += 1
        return
    if subscriber.direct:
        histogram_add(&sink.travel[<int>KIND_DIRECT], arrival_ns - stamp.sent_ns)
        return
    sink.packets += 1
    sink.octets += <uint64_t>size
    histogram_add(&sink.travel[<int>KIND_AUDIO if audio else <int>KIND_VIDEO], arrival_ns - stamp.sent_ns)


cdef Stream *stream_of(Subscriber *subscriber, uint32_t ssrc, uint16_t seq) noexcept nogil:
    # NULL: more than can be kept
    cdef uint32_t slot = ssrc * <uint32_t>0x9E3779B1
    cdef Stream *grown
    slot = (slot >> 16) & (INDEX_SIZE - 1)
    while subscriber.index[slot]:
        if subscriber.streams[subscriber.index[slot] - 1].ssrc == ssrc:
            return &subscriber.streams[subscriber.index[slot] - 1]
        slot = (slot + 1) & (INDEX_SIZE - 1)
    if subscriber.stream_count == subscriber.stream_capacity:
        if subscriber.stream_count == STREAMS_MAX:
            return NULL
        subscriber.stream_capacity = 2 * subscriber.stream_capacity if subscriber.stream_capacity else 4
        grown = <Stream *>realloc(subscriber.streams, <size_t>subscriber.stream_capacity * sizeof(Stream))
        if grown == NULL:
            return NULL
        subscriber.streams = grown
    memset(&subscriber.streams[subscriber.stream_count], 0, sizeof(Stream))
    subscriber.streams[subscriber.stream_count].ssrc = ssrc
    subscriber.streams[subscriber.stream_count].next_seq = seq
    subscriber.stream_count += 1
    subscriber.index[slot] = <uint16_t>subscriber.stream_count
    return &subscriber.streams[subscriber.stream_count - 1]


cdef void count_number(Stream *stream, uint16_t seq) noexcept nogil:
    cdef uint16_t ahead
    if stream == NULL:
        return
    ahead = seq - stream.next_seq
    stream.packets += 1
    if ahead < 32768:
        stream.lost += ahead
        stream.next_seq = seq + 1
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
        if subscriber.direct:
            continue
        if (i + tick) % CHECK_TICKS == 0:
            send_check(subscriber)
        if (i + tick) % REPORT_TICKS == 0:
            report(subscriber, out)
        if sink.transport_cc_id and (i + tick) % FEEDBACK_TICKS == 0:
            size = twcc_record_write(subscriber.twcc, out, 1200, 1, first_ssrc(subscriber), now_us)
            if size > 0:
                size = srtp_context_protect_rtcp(subscriber.outbound, out, size)
                send(subscriber.fd, out, <size_t>size, MSG_DONTWAIT)
                sink.feedback += 1


cdef void send_check(const Subscriber *subscriber) noexcept nogil:
    if not subscriber.direct and subscriber.check_size:
        send(subscriber.fd, subscriber.check, <size_t>subscriber.check_size, MSG_DONTWAIT)


cdef uint32_t first_ssrc(const Subscriber *subscriber) noexcept nogil:
    return subscriber.streams[0].ssrc if subscriber.stream_count else 0


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
