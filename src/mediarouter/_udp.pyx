"""Batched UDP: recvmmsg in, sendmmsg with UDP_SEGMENT out.

A run of packets to one address leaves as one message that the kernel cuts (generic segmentation offload): all of one
size, the last may be shorter. Where the kernel refuses that (EIO, no checksum offload; EINVAL, an old one), the socket
goes on with one message a packet. Where a socket has no room (EAGAIN), packets wait, and those behind them too.
"""

cimport cython
from libc cimport errno as errno_module
from libc.errno cimport EAGAIN, EINVAL, EIO, ENOBUFS, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from mediarouter._address cimport Address, address_set
from mediarouter._backlog cimport Backlog, backlog_head, backlog_take
from mediarouter._egress cimport outbox_add, outbox_clear, outbox_init, outbox_release
from mediarouter._messages cimport (
    CMSG_DATA,
    CMSG_FIRSTHDR,
    CMSG_NXTHDR,
    MSG_DONTWAIT,
    SCM_TIMESTAMPNS,
    SO_RXQ_OVFL,
    SOL_SOCKET,
    SOL_UDP,
    UDP_GRO,
    cmsghdr,
    cut_message,
    iovec,
    mmsghdr,
    msghdr,
    recvmmsg,
    sendmmsg,
)
from mediarouter._plane cimport Destination, Outbox, OutPacket, SendClass
from mediarouter._udp_queues cimport udp_queues_push, udp_queues_release, udp_queues_turn

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    CONTROL_SIZE = 64
    RECV_SLOT = 65536              # bytes of a message: no UDP datagram is larger, nor a run of them
    SEND_BATCH = 256               # messages one call takes
    SEGMENTS_MAX = 64              # packets of one message (the kernel's UDP_MAX_SEGMENTS of old)
    SEGMENT_BYTES_MAX = 65000
    PIECES_MAX = 2048              # packets of all messages of one call


cdef struct RecvBatch:
    mmsghdr messages[64]
    iovec pieces[64]
    uint8_t names[64][28]
    uint8_t controls[64][64]
    uint8_t buffers[64][65536]     # the kernel may hand over a run of datagrams as one (UDP_GRO)
    uint8_t socket_index
    int64_t arrival_ns


cdef struct Message:               # what a message holds
    const Destination *destination
    int32_t first                  # of its packets, in the outbox
    int packets
    uint16_t size                  # bytes of each of them, but for the last


cdef struct SendBatch:
    int count
    int piece_count
    mmsghdr messages[256]
    Message notes[256]
    iovec pieces[2048]
    uint8_t controls[256][64]


cdef RecvBatch *recv_batch_new() noexcept nogil:
    cdef RecvBatch *batch = <RecvBatch *>calloc(1, sizeof(RecvBatch))
    cdef int i
    if batch == NULL:
        return NULL
    for i in range(RECV_BATCH):
        batch.pieces[i].iov_base = batch.buffers[i]
        batch.pieces[i].iov_len = RECV_SLOT
        batch.messages[i].msg_hdr.msg_iov = &batch.pieces[i]
        batch.messages[i].msg_hdr.msg_iovlen = 1
        batch.messages[i].msg_hdr.msg_name = batch.names[i]
        batch.messages[i].msg_hdr.msg_control = batch.controls[i]
    return batch


cdef void recv_batch_free(RecvBatch *batch) noexcept nogil:
    free(batch)


cdef int udp_receive(UdpSocket *udp, RecvBatch *batch, UdpCounters *counters) noexcept nogil:
    cdef int i, count
    for i in range(RECV_BATCH):
        batch.messages[i].msg_hdr.msg_namelen = 28
        batch.messages[i].msg_hdr.msg_controllen = CONTROL_SIZE
    batch.socket_index = udp.index
    batch.arrival_ns = 0
    count = recvmmsg(udp.fd, batch.messages, RECV_BATCH, MSG_DONTWAIT, NULL)
    if count <= 0:
        return 0
    counters.receive_messages += count
    read_controls(udp, &batch.messages[0].msg_hdr, batch, counters)
    if count > 1:
        read_controls(udp, &batch.messages[count - 1].msg_hdr, NULL, counters)
    return count


cdef void read_controls(UdpSocket *udp, msghdr *header, RecvBatch *batch, UdpCounters *counters) noexcept nogil:
    cdef cmsghdr *control = CMSG_FIRSTHDR(header)
    cdef uint32_t overflow
    cdef timespec stamp
    while control != NULL:
        if control.cmsg_level == SOL_SOCKET and control.cmsg_type == SO_RXQ_OVFL:
            memcpy(&overflow, CMSG_DATA(control), sizeof(overflow))
            counters.kernel_dropped += <uint32_t>(overflow - udp.overflow)
            udp.overflow = overflow
        elif control.cmsg_level == SOL_SOCKET and control.cmsg_type == SCM_TIMESTAMPNS and batch != NULL:
            memcpy(&stamp, CMSG_DATA(control), sizeof(stamp))
            batch.arrival_ns = <int64_t>stamp.tv_sec * 1000000000 + stamp.tv_nsec
        control = CMSG_NXTHDR(header, control)


cdef int segment_size(msghdr *header) noexcept nogil:
    # of the datagrams in a run; 0: it is one datagram
    cdef cmsghdr *control = CMSG_FIRSTHDR(header)
    cdef int size = 0
    while control != NULL:
        if control.cmsg_level == SOL_UDP and control.cmsg_type == UDP_GRO:
            memcpy(&size, CMSG_DATA(control), sizeof(size))
        control = CMSG_NXTHDR(header, control)
    return size


cdef uint8_t *recv_batch_data(RecvBatch *batch, int index, int *size, int *segment, Address *source) noexcept nogil:
    cdef msghdr *header = &batch.messages[index].msg_hdr
    cdef unsigned int name_size = header.msg_namelen
    size[0] = <int>batch.messages[index].msg_len
    segment[0] = segment_size(header)
    if segment[0] <= 0:
        segment[0] = size[0]
    memset(source, 0, sizeof(Address))
    if name_size == 28:
        # flow label and scope are no part of who it is, but a link-local scope is needed to answer: keep them
        memcpy(source.sockaddr, batch.names[index], 28)
        memset(source.sockaddr + 4, 0, 4)
    else:
        name_size = 16
        memcpy(source.sockaddr, batch.names[index], 8)
    source.sockaddr_size = <uint8_t>name_size
    source.socket_index = batch.socket_index
    return batch.buffers[index]


cdef int64_t recv_batch_arrival_ns(const RecvBatch *batch) noexcept nogil:
    return batch.arrival_ns


cdef SendBatch *send_batch_new() noexcept nogil:
    return <SendBatch *>calloc(1, sizeof(SendBatch))


cdef void send_batch_free(SendBatch *batch) noexcept nogil:
    free(batch)


cdef void udp_init(UdpSocket *udp, int fd, int index, uint32_t recv_buffer_size) noexcept nogil:
    memset(udp, 0, sizeof(UdpSocket))
    udp.fd = fd
    udp.index = <uint8_t>index
    udp.gso = True
    udp.recv_buffer_size = recv_buffer_size
    udp.send_many = sendmmsg if fd != NO_SOCKET else send_nowhere


cdef int send_nowhere(int fd, mmsghdr *messages, unsigned int count, int flags) noexcept nogil:
    return <int>count


cdef void udp_release(UdpSocket *udp) noexcept nogil:
    if udp.fd != NO_SOCKET:
        close(udp.fd)
    udp_queues_release(&udp.queues)


cdef void udp_send(UdpSocket *sockets, SendBatch *batch, const Outbox *outbox, UdpCounters *counters) noexcept nogil:
    # messages of one socket are gathered until the batch is full or the socket changes
    cdef int socket_index = -1
    cdef int i
    cdef int32_t at
    cdef const Destination *destination
    batch.count = batch.piece_count = 0
    for i in range(outbox.destination_count):
        destination = &outbox.destinations[i]
        if destination.remote.connection:
            continue
        at = destination.first
        while at >= 0:
            if (destination.remote.socket_index != socket_index or batch.count == SEND_BATCH
                    or batch.piece_count + SEGMENTS_MAX > PIECES_MAX):
                if batch.count:
                    flush(&sockets[socket_index], batch, outbox, counters)
                socket_index = destination.remote.socket_index
            at = add_message(batch, outbox, destination, at, sockets[socket_index].gso)
    if batch.count:
        flush(&sockets[socket_index], batch, outbox, counters)


cdef int32_t add_message(SendBatch *batch, const Outbox *outbox, const Destination *destination, int32_t at,
                         bint gso) noexcept nogil:
    # one message of the packet at `at` and what can follow it; the next packet of the chain
    cdef const OutPacket *packet = &outbox.packets[at]
    cdef Message *message = &batch.notes[batch.count]
    cdef iovec *pieces = &batch.pieces[batch.piece_count]
    cdef uint8_t *data
    cdef int piece = -1
    cdef int total = 0
    message.destination, message.first = destination, at
    message.packets = 0
    message.size = packet.size
    while True:
        data = outbox.arena + packet.offset
        if piece >= 0 and <uint8_t *>pieces[piece].iov_base + pieces[piece].iov_len == data:
            pieces[piece].iov_len += packet.size
        else:
            piece += 1
            pieces[piece].iov_base = data
            pieces[piece].iov_len = packet.size
        total += packet.size
        message.packets += 1
        at = packet.next
        if not gso or at < 0 or packet.size != message.size or message.packets == SEGMENTS_MAX:
            break
        packet = &outbox.packets[at]
        if packet.size > message.size or total + packet.size > SEGMENT_BYTES_MAX:
            break
    address(&batch.messages[batch.count].msg_hdr, &destination.remote, pieces, piece + 1)
    if message.packets > 1:
        cut_message(&batch.messages[batch.count].msg_hdr, batch.controls[batch.count], message.size)
    batch.count += 1
    batch.piece_count += piece + 1
    return at


cdef inline void address(msghdr *header, const Address *remote, iovec *pieces, int count) noexcept nogil:
    header.msg_name = <void *>remote.sockaddr
    header.msg_namelen = remote.sockaddr_size
    header.msg_iov = pieces
    header.msg_iovlen = <size_t>count
    header.msg_control = NULL
    header.msg_controllen = 0


cdef void flush(UdpSocket *udp, SendBatch *batch, const Outbox *outbox, UdpCounters *counters) noexcept nogil:
    cdef int done = 0
    cdef int sent, i
    while done < batch.count and udp.queues.count == 0:
        counters.send_calls += 1
        sent = udp.send_many(udp.fd, &batch.messages[done], batch.count - done, MSG_DONTWAIT)
        if sent > 0:
            for i in range(done, done + sent):
                counters.sent += batch.notes[i].packets
            counters.send_messages += sent
            done += sent
            continue
        if errno == EAGAIN:
            break
        if batch.notes[done].packets > 1 and (errno == EIO or errno == EINVAL):
            udp.gso = False
            wait_for_room(udp, &batch.notes[done], outbox, counters)       # and leave one by one, in their turn
            udp_send_waiting(udp, batch, counters)
        elif errno == ENOBUFS:
            counters.blocked += batch.notes[done].packets                  # of the kernel's memory, not of the socket's
        else:
            counters.failed += batch.notes[done].packets                   # a destination costs its own packets only
        done += 1
    for i in range(done, batch.count):
        wait_for_room(udp, &batch.notes[i], outbox, counters)
    batch.count = batch.piece_count = 0


cdef void wait_for_room(UdpSocket *udp, const Message *message, const Outbox *outbox,
                        UdpCounters *counters) noexcept nogil:
    cdef const OutPacket *packet
    cdef int32_t at = message.first
    cdef int _i
    cdef uint64_t lost
    for _i in range(message.packets):
        packet = &outbox.packets[at]
        counters.queued += 1
        lost = <uint64_t>udp_queues_push(&udp.queues, &message.destination.remote, outbox.arena + packet.offset,
                                         packet.size, <SendClass>packet.send_class)
        counters.blocked += lost
        counters.waiting += 1 - lost
        at = packet.next


cdef void udp_send_waiting(UdpSocket *udp, SendBatch *batch, UdpCounters *counters) noexcept nogil:
    cdef mmsghdr message
    cdef iovec piece
    cdef uint8_t control[CONTROL_SIZE]
    cdef int packets, size
    cdef Backlog *backlog
    memset(&message, 0, sizeof(message))
    while udp.queues.count:
        backlog = &udp.queues.head.backlog
        size = backlog.items[backlog.first].size
        packets = run_of(backlog, udp.gso)
        piece.iov_base = <void *>backlog_head(backlog)
        piece.iov_len = bytes_of(backlog, packets)
        address(&message.msg_hdr, &udp.queues.head.remote, &piece, 1)
        if packets > 1:
            cut_message(&message.msg_hdr, control, <uint16_t>size)
        counters.send_calls += 1
        if udp.send_many(udp.fd, &message, 1, MSG_DONTWAIT) == 1:
            counters.sent += packets
            counters.send_messages += 1
        elif errno == EAGAIN:
            return
        elif packets > 1 and (errno == EIO or errno == EINVAL):
            udp.gso = False
            continue
        elif errno == ENOBUFS:
            counters.blocked += packets
        else:
            counters.failed += packets
        counters.waiting -= <uint64_t>packets
        backlog_take(backlog, <uint32_t>piece.iov_len)
        udp_queues_turn(&udp.queues)


cdef int run_of(const Backlog *backlog, bint gso) noexcept nogil:
    # how many of the first packets one message can take
    cdef uint16_t size = backlog.items[backlog.first].size
    cdef uint32_t at = backlog.first + 1
    cdef int total = size
    while (gso and at < backlog.past and at - backlog.first < SEGMENTS_MAX and backlog.items[at].size <= size
           and total + backlog.items[at].size <= SEGMENT_BYTES_MAX):
        total += backlog.items[at].size
        at += 1
        if backlog.items[at - 1].size < size:
            break                  # the last of a message may be shorter
    return <int>(at - backlog.first)


cdef size_t bytes_of(const Backlog *backlog, int packets) noexcept nogil:
    cdef size_t total = 0
    cdef int i
    for i in range(packets):
        total += backlog.items[backlog.first + i].size
    return total


# ---- the Python face

cdef list script = []              # what the scripted socket says to each call, as UdpFace.send tells
cdef list taken = []


cdef int scripted(int fd, mmsghdr *messages, unsigned int count, int flags) noexcept nogil:
    cdef int said
    with gil:
        said = answer(messages, count)
    if said < 0:
        errno_module.errno = -said
        return -1
    return said


cdef int answer(mmsghdr *messages, unsigned int count) noexcept:
    cdef unsigned int i
    cdef size_t k
    cdef const msghdr *header
    cdef int said = script.pop(0) if script else <int>count
    if said > <int>count:
        said = <int>count
    for i in range(said if said > 0 else 0):
        header = &messages[i].msg_hdr
        data = b"".join([(<char *>header.msg_iov[k].iov_base)[:header.msg_iov[k].iov_len]
                         for k in range(header.msg_iovlen)])
        taken.append(((<uint8_t *>header.msg_name)[3], data, header.msg_controllen > 0))
    return said


@cython.final
cdef class UdpFace:
    """The sending side of a socket, for tests: the kernel is a script."""
    cdef UdpSocket sockets[1]
    cdef SendBatch *batch
    cdef Outbox outbox
    cdef UdpCounters counters

    def __cinit__(self):
        udp_init(&self.sockets[0], NO_SOCKET, 0, 0)
        self.sockets[0].send_many = scripted
        self.batch = send_batch_new()
        if self.batch == NULL or not outbox_init(&self.outbox, 1 << 20):
            raise MemoryError

    def __dealloc__(self):
        udp_release(&self.sockets[0])
        send_batch_free(self.batch)
        outbox_release(&self.outbox)

    def send(self, packets, answers):
        """Send an outbox.

        Args:
            packets: (receiver 0 to 255, data, class), those of one receiver side by side.
            answers: of the kernel, call by call: how many messages it takes, or an error as a negative number. Behind
                the last it takes all.

        Returns:
            the messages that it took: (receiver, data, whether the kernel is to cut it).
        """
        cdef Address remote
        cdef uint8_t ip[4]
        cdef bytes data
        memset(ip, 127, 4)
        outbox_clear(&self.outbox)
        last = None
        for receiver, data, send_class in packets:
            address_set(&remote, ip, 4, <uint16_t>(4096 + <int>receiver))
            memcpy(self.outbox.arena + self.outbox.used, <const char *>data, len(data))
            outbox_add(&self.outbox, &remote, <int>len(data), <SendClass>send_class, receiver == last)
            last = receiver
        script[:] = answers
        taken.clear()
        udp_send(self.sockets, self.batch, &self.outbox, &self.counters)
        return list(taken)

    def room(self, answers=()):
        """The socket has room again: the messages that it took now."""
        script[:] = answers
        taken.clear()
        udp_send_waiting(&self.sockets[0], self.batch, &self.counters)
        return list(taken)

    @property
    def figures(self):
        """Datagrams by what became of them, receivers for which some wait, and whether messages are cut."""
        return {"sent": self.counters.sent, "queued": self.counters.queued, "blocked": self.counters.blocked,
                "failed": self.counters.failed, "waiting": self.sockets[0].queues.count,
                "packets_waiting": self.counters.waiting,
                "gso": bool(self.sockets[0].gso)}
