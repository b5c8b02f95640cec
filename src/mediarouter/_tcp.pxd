# ICE-TCP, passive side (RFC 6544), frames of RFC 4571: two bytes of length, then what would be a datagram.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._address cimport Address
from mediarouter._backlog cimport Backlog
from mediarouter._plane cimport SendClass

cdef enum:
    TCP_CONNECTIONS_MAX = 4096     # of one worker
    TCP_FRAME_MAX = 2048           # a longer frame ends the connection

cdef struct TcpConnection:
    int fd                         # -1: free
    Address remote
    int64_t accepted_us
    bint proven                    # an authenticated STUN check came by it
    Backlog backlog                # what waits to be written
    bint watched                   # epoll tells when there is room
    uint32_t read_size             # bytes in `frame`
    uint8_t frame[2050]            # a frame being read, its length included

cdef struct TcpConnections:
    TcpConnection **items          # by slot
    uint32_t capacity
    uint32_t count
    uint64_t accepted
    uint64_t refused               # too many, or unproven for too long
    uint64_t sent                  # frames
    uint64_t waiting               # frames that wait now, begun ones included
    uint64_t overflowed            # frames dropped for slow readers: see `_backlog.pxd`
    uint64_t lost                  # frames that had to go by a connection that ended
    uint64_t broken                # frames of a length we do not take

ctypedef void (*tcp_frame_t)(void *context, uint8_t *data, int size, const Address *source) noexcept nogil

cdef void tcp_release(TcpConnections *connections) noexcept nogil
# Accept one from a listening socket; the connection, NULL when there is none left to accept
cdef TcpConnection *tcp_accept(TcpConnections *connections, int listen_fd, int socket_index,
                               int64_t now_us) noexcept nogil
cdef TcpConnection *tcp_find(const TcpConnections *connections, const Address *remote) noexcept nogil
# Read what is there, hand out whole frames. False: the connection is over, close it.
cdef bint tcp_read(TcpConnections *connections, TcpConnection *connection, tcp_frame_t on_frame,
                   void *context) noexcept nogil
# Queue one frame behind those that wait
cdef void tcp_write(TcpConnections *connections, TcpConnection *connection, const uint8_t *data, int size,
                    SendClass send_class) noexcept nogil
# Write what waits; *waiting: there is more when the socket takes it. False: the connection is over.
cdef bint tcp_flush(TcpConnections *connections, TcpConnection *connection, bint *waiting) noexcept nogil
cdef void tcp_close(TcpConnections *connections, TcpConnection *connection) noexcept nogil
