"""Batched UDP: recvmmsg in, sendmmsg with UDP_SEGMENT out.

A run of packets to one address leaves as one message that the kernel cuts (generic segmentation offload): all of one
size, the last may be shorter. Where the kernel refuses that (EIO, no checksum offload; EINVAL, an old one), the socket
goes on with one message a packet.
"""

from libc.errno cimport EAGAIN, EINVAL, EIO, ENOBUFS, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from mediarouter._address cimport Address, address_equal
from mediarouter._messages cimport (
    CMSG_DATA,
    CMSG_FIRSTHDR,
    CMSG_NXTHDR,
    MSG_DONTWAIT,
    MSG_TRUNC,
    SCM_TIMESTAMPNS,
    SO_RXQ_OVFL,
    SOL_SOCKET,
    cmsghdr,
    cut_message,
    iovec,
    mmsghdr,
    msghdr,
    recvmmsg,
    sendmmsg,
)
from mediarouter._plane cimport Outbox, OutPacket

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec

cdef enum:
    CONTROL_SIZE = 64
    SEND_BATCH = 256               # messages one call takes
    SEGMENTS_MAX = 64              # packets of one message (the kernel's UDP_MAX_SEGMENTS of old)
    SEGMENT_BYTES_MAX = 65000
    PIECES_MAX = 2048              # packets of all messages of one call


cdef struct RecvBatch:
    mmsghdr messages[64]
    iovec pieces[64]
    uint8_t names[64][28]
    uint8_t controls[64][64]
    uint8_t buffers[64][2048]
    uint8_t socket_index
    int64_t arrival_ns


cdef struct SendBatch:
    mmsghdr messages[256]
    int packets[256]               # how many each message holds
    iovec pieces[2048]
    uint8_t controls[256][64]
    Address names[256]


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
    counters.received += count
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


cdef uint8_t *recv_batch_data(RecvBatch *batch, int index, int *size, Address *source) noexcept nogil:
    cdef unsigned int name_size = batch.messages[index].msg_hdr.msg_namelen
    size[0] = <int>batch.messages[index].msg_len
    if batch.messages[index].msg_hdr.msg_flags & MSG_TRUNC:
        size[0] = RECV_SLOT + 1
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


cdef void udp_send(UdpSocket *sockets, SendBatch *batch, const Outbox *outbox, UdpCounters *counters) noexcept nogil:
    # messages of one socket are gathered until the batch is full or the socket changes
    cdef int messages = 0
    cdef int pieces = 0
    cdef int socket_index = -1
    cdef int i
    cdef int32_t at
    cdef const OutPacket *packet
    for i in range(outbox.head_count):
        at = outbox.heads[i]
        while at >= 0:
            packet = &outbox.packets[at]
            if packet.remote.connection or packet.size == 0:
                at = packet.next
                continue
            if (packet.remote.socket_index != socket_index or messages == SEND_BATCH
                    or pieces + SEGMENTS_MAX > PIECES_MAX):
                flush(sockets, socket_index, batch, messages, counters)
                messages = 0
                pieces = 0
                socket_index = packet.remote.socket_index
            at = add_message(batch, messages, &batch.pieces[pieces], outbox, at, sockets[socket_index].gso)
            pieces += batch.packets[messages]
            messages += 1
    flush(sockets, socket_index, batch, messages, counters)


cdef int32_t add_message(SendBatch *batch, int index, iovec *pieces, const Outbox *outbox, int32_t at,
                         bint gso) noexcept nogil:
    # one message of the packet at `at` and what can follow it; the next packet of the chain
    cdef const OutPacket *first = &outbox.packets[at]
    cdef const OutPacket *packet = first
    cdef msghdr *header = &batch.messages[index].msg_hdr
    cdef int count = 0
    cdef int total = 0
    cdef int32_t following = at
    while True:
        pieces[count].iov_base = outbox.arena + packet.offset
        pieces[count].iov_len = packet.size
        total += packet.size
        count += 1
        following = packet.next
        if not gso or following < 0 or packet.size != first.size or count == SEGMENTS_MAX:
            break
        packet = &outbox.packets[following]
        if (packet.size > first.size or total + packet.size > SEGMENT_BYTES_MAX
                or not address_equal(&packet.remote, &first.remote)):
            break
    batch.names[index] = first.remote
    batch.packets[index] = count
    header.msg_name = batch.names[index].sockaddr
    header.msg_namelen = first.remote.sockaddr_size
    header.msg_iov = pieces
    header.msg_iovlen = count
    header.msg_control = NULL
    header.msg_controllen = 0
    if count > 1:
        cut_message(header, batch.controls[index], first.size)
    return following


cdef void flush(UdpSocket *sockets, int socket_index, SendBatch *batch, int count,
                UdpCounters *counters) noexcept nogil:
    cdef int done = 0
    cdef int sent, i
    while done < count:
        counters.send_calls += 1
        if sockets[socket_index].fd == NO_SOCKET:
            sent = count - done
        else:
            sent = sendmmsg(sockets[socket_index].fd, &batch.messages[done], count - done, MSG_DONTWAIT)
        if sent > 0:
            for i in range(done, done + sent):
                counters.sent += batch.packets[i]
            counters.send_messages += sent
            done += sent
            continue
        if batch.packets[done] > 1 and (errno == EIO or errno == EINVAL):
            sockets[socket_index].gso = False
            send_singly(&sockets[socket_index], batch, done, counters)
        elif errno == EAGAIN or errno == ENOBUFS:
            counters.blocked += batch.packets[done]
        else:
            # a destination that cannot be reached costs its own packets only
            counters.failed += batch.packets[done]
        done += 1


cdef void send_singly(UdpSocket *udp, SendBatch *batch, int index, UdpCounters *counters) noexcept nogil:
    cdef mmsghdr message
    cdef int i
    for i in range(batch.packets[index]):
        memset(&message, 0, sizeof(message))
        message.msg_hdr.msg_name = batch.messages[index].msg_hdr.msg_name
        message.msg_hdr.msg_namelen = batch.messages[index].msg_hdr.msg_namelen
        message.msg_hdr.msg_iov = &batch.messages[index].msg_hdr.msg_iov[i]
        message.msg_hdr.msg_iovlen = 1
        counters.send_calls += 1
        if sendmmsg(udp.fd, &message, 1, MSG_DONTWAIT) == 1:
            counters.sent += 1
            counters.send_messages += 1
        elif errno == EAGAIN or errno == ENOBUFS:
            counters.blocked += 1
        else:
            counters.failed += 1
