"""The floor: what forwarding costs if one does nothing but copy, rewrite twelve bytes, encrypt and send.

One burst of packets of one size, made once; for each destination every packet is copied, its header written, encrypted
with that destination's own key, and the burst leaves by one `sendmsg` that the kernel cuts (UDP_SEGMENT). Bursts come
at the same times as a benchmark's publishers send theirs.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from mediarouter._messages cimport MSG_DONTWAIT, cut_message, iovec, msghdr, sendmsg
from mediarouter._rtp cimport rtp_write_header
from mediarouter._srtp cimport SrtpContext, SrtpProfile, srtp_context_free, srtp_context_new, srtp_context_protect
from mediarouter.bench._clock cimport CLOCK_MONOTONIC, clock_now_ns, sleep_exactly, sleep_until_ns

cdef enum:
    SLOT = 1600
    BURST_MAX = 40


cdef struct Destination:
    SrtpContext *outbound
    uint8_t name[28]
    int name_size
    uint16_t seq


@cython.final
cdef class Floor:
    """Bursts to destinations.

    Args:
        fd: a UDP socket that is not connected.
        profile: of `mediarouter.srtp.Profile`.
        packet_size: bytes of an RTP packet before encryption.
        packets_per_frame: of a burst, at most 40.
        frames_per_second, publishers: as the benchmark's sources have them.
        one_by_one: a system call for each packet.
    """
    cdef Destination *destinations
    cdef readonly int count
    cdef int capacity, fd, profile, packet_size, packets_per_frame, publishers
    cdef int64_t interval_ns
    cdef bint one_by_one
    cdef uint8_t plain[1600]
    cdef uint8_t arena[64000]
    cdef volatile bint stopping
    cdef uint64_t sent, failed

    def __cinit__(self, int fd, *, int profile, int packet_size, int packets_per_frame, int frames_per_second,
                  int publishers=1, bint one_by_one=False):
        if not 1 <= packets_per_frame <= BURST_MAX or packet_size > SLOT - 150 or packet_size < 12:
            raise ValueError("bursts of 1 to 40 packets of 12 to 1450 bytes")
        self.fd = fd
        self.profile = profile
        self.packet_size = packet_size
        self.packets_per_frame = packets_per_frame
        self.publishers = publishers
        self.interval_ns = 1000000000 // frames_per_second
        self.one_by_one = one_by_one
        self.capacity = 20000
        self.destinations = <Destination *>calloc(self.capacity, sizeof(Destination))
        if self.destinations == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            srtp_context_free(self.destinations[i].outbound)
        free(self.destinations)

    def add(self, bytes key, bytes sockaddr):
        """One more destination: its key, and a `struct sockaddr_in` or `sockaddr_in6`."""
        cdef Destination *destination = &self.destinations[self.count]
        if self.count == self.capacity or len(sockaddr) > 28:
            raise ValueError("too many destinations, or no address")
        destination.outbound = srtp_context_new(<SrtpProfile>self.profile, key, <int>len(key), False)
        memcpy(destination.name, <const char *>sockaddr, len(sockaddr))
        destination.name_size = <int>len(sockaddr)
        self.count += 1

    def run(self):
        """Send until `stop()`; the GIL is not held. It can be run again."""
        self.stopping = False
        with nogil:
            run_floor(self)

    def stop(self):
        """Let `run` return."""
        self.stopping = True

    def figures(self):
        """Packets sent and failed."""
        return {"sent": self.sent, "failed": self.failed}


cdef void run_floor(Floor floor) noexcept nogil:
    cdef int64_t begun_ns
    cdef int64_t turn = 0
    cdef int index, i
    sleep_exactly()
    begun_ns = clock_now_ns(CLOCK_MONOTONIC) + 1000000
    while not floor.stopping:
        for index in range(floor.publishers):
            sleep_until_ns(begun_ns + turn * floor.interval_ns + floor.interval_ns * index // floor.publishers)
            for i in range(floor.count):
                send_burst(floor, &floor.destinations[i], <uint32_t>(1000 + index), <uint32_t>turn)
        turn += 1


cdef void send_burst(Floor floor, Destination *destination, uint32_t ssrc, uint32_t timestamp) noexcept nogil:
    cdef int i, size
    cdef int used = 0
    cdef uint8_t *out
    size = 0
    for i in range(floor.packets_per_frame):
        out = floor.arena + used
        memcpy(out, floor.plain, <size_t>floor.packet_size)
        rtp_write_header(out, 12, i == floor.packets_per_frame - 1, 96, destination.seq, timestamp, ssrc)
        destination.seq += 1
        size = srtp_context_protect(destination.outbound, out, floor.packet_size)
        used += size
        if floor.one_by_one:
            send_run(floor, destination, out, size, size)
    if not floor.one_by_one:
        send_run(floor, destination, floor.arena, used, size)


cdef void send_run(Floor floor, Destination *destination, uint8_t *data, int size, int segment) noexcept nogil:
    cdef msghdr message
    cdef iovec piece
    cdef uint8_t room[64]
    memset(&message, 0, sizeof(message))
    piece.iov_base = data
    piece.iov_len = <size_t>size
    message.msg_name = destination.name
    message.msg_namelen = <unsigned int>destination.name_size
    message.msg_iov = &piece
    message.msg_iovlen = 1
    if size > segment:
        cut_message(&message, room, <uint16_t>segment)
    if sendmsg(floor.fd, &message, MSG_DONTWAIT) == size:
        floor.sent += <uint64_t>(size // segment)
    else:
        floor.failed += <uint64_t>(size // segment)
