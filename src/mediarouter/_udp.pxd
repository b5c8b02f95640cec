# UDP as the kernel likes it: many datagrams a call in, one call for a run of equal-sized packets to one address out.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from mediarouter._address cimport Address
from mediarouter._messages cimport mmsghdr
from mediarouter._plane cimport Outbox
from mediarouter._udp_queues cimport UdpQueues

cdef enum:
    RECV_BATCH = 64                # messages one call takes: each a datagram, or a run of them from one sender
    DATAGRAM_SIZE_MAX = 2048       # bytes; a longer one is dropped
    NO_SOCKET = -1                 # in place of a descriptor: what is sent counts, and goes nowhere

cdef struct UdpCounters:
    uint64_t received              # datagrams
    uint64_t receive_messages      # runs of them
    uint64_t sent                  # datagrams
    uint64_t send_messages         # runs of datagrams to one address
    uint64_t send_calls
    uint64_t queued                # datagrams that had to wait for room
    uint64_t waiting               # of them, those that wait now
    uint64_t blocked               # datagrams lost for want of room
    uint64_t failed                # datagrams the kernel refused
    uint64_t kernel_dropped        # lost before we read them (SO_RXQ_OVFL)

cdef struct UdpSocket:
    int fd
    uint8_t index
    bint gso                       # UDP_SEGMENT works here
    uint32_t overflow              # the kernel's count, as last read
    uint32_t recv_buffer_size      # bytes the kernel granted
    bint watched                   # epoll tells when there is room
    UdpQueues queues               # what waits for it
    int (*send_many)(int fd, mmsghdr *messages, unsigned int count, int flags) noexcept nogil      # sendmmsg

cdef struct RecvBatch              # buffers, private to _udp.pyx

cdef RecvBatch *recv_batch_new() noexcept nogil
cdef void recv_batch_free(RecvBatch *batch) noexcept nogil
# How many messages are there now (0..RECV_BATCH)
cdef int udp_receive(UdpSocket *udp, RecvBatch *batch, UdpCounters *counters) noexcept nogil
# A message: *size bytes in datagrams of *segment bytes, of which the last may be shorter
cdef uint8_t *recv_batch_data(RecvBatch *batch, int index, int *size, int *segment, Address *source) noexcept nogil
# When the kernel took in the first of the batch, CLOCK_REALTIME; 0 unknown
cdef int64_t recv_batch_arrival_ns(const RecvBatch *batch) noexcept nogil

cdef struct SendBatch              # private to _udp.pyx

cdef SendBatch *send_batch_new() noexcept nogil
cdef void send_batch_free(SendBatch *batch) noexcept nogil
cdef void udp_init(UdpSocket *udp, int fd, int index, uint32_t recv_buffer_size) noexcept nogil
cdef void udp_release(UdpSocket *udp) noexcept nogil       # closes it
# The socket has room again
cdef void udp_send_waiting(UdpSocket *udp, SendBatch *batch, UdpCounters *counters) noexcept nogil
# Send all of the outbox that goes by UDP; `sockets` by index
cdef void udp_send(UdpSocket *sockets, SendBatch *batch, const Outbox *outbox, UdpCounters *counters) noexcept nogil
