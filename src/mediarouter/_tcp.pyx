"""ICE-TCP connections of a worker: accepted, framed, bounded. `_tcp.pxd` shows them."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset
from mediarouter._address cimport Address
from mediarouter._backlog cimport (
    backlog_count,
    backlog_head,
    backlog_push,
    backlog_release,
    backlog_size,
    backlog_take,
)
from mediarouter._plane cimport SendClass

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        pass
    int accept4(int fd, sockaddr *address, unsigned int *size, int flags)
    ssize_t recv(int fd, void *data, size_t size, int flags)
    ssize_t send(int fd, const void *data, size_t size, int flags)
    int setsockopt(int fd, int level, int name, const void *value, unsigned int size)
    int SOCK_NONBLOCK, SOCK_CLOEXEC, MSG_NOSIGNAL, MSG_DONTWAIT

cdef extern from "<netinet/tcp.h>" nogil:
    int TCP_NODELAY

cdef extern from "<netinet/in.h>" nogil:
    int IPPROTO_TCP

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    LENGTH_SIZE = 2
    READ_SIZE = 16384
    READS_PER_TURN = 4             # so that one fast writer does not keep the others waiting


cdef void tcp_release(TcpConnections *connections) noexcept nogil:
    cdef uint32_t slot
    for slot in range(connections.capacity):
        if connections.items[slot] != NULL:
            tcp_close(connections, connections.items[slot])
    free(connections.items)
    memset(connections, 0, sizeof(TcpConnections))


cdef int free_slot(TcpConnections *connections) noexcept nogil:
    cdef uint32_t slot, capacity
    cdef TcpConnection **items
    for slot in range(connections.capacity):
        if connections.items[slot] == NULL:
            return <int>slot
    if connections.capacity == TCP_CONNECTIONS_MAX:
        return -1
    capacity = connections.capacity * 2 if connections.capacity else 16
    items = <TcpConnection **>realloc(connections.items, capacity * sizeof(void *))
    if items == NULL:
        return -1
    memset(&items[connections.capacity], 0, (capacity - connections.capacity) * sizeof(void *))
    slot = connections.capacity
    connections.items = items
    connections.capacity = capacity
    return <int>slot


cdef TcpConnection *tcp_accept(TcpConnections *connections, int listen_fd, int socket_index,
                               int64_t now_us) noexcept nogil:
    cdef uint8_t name[128]
    cdef unsigned int name_size = 128
    cdef int one = 1
    cdef int slot
    cdef TcpConnection *connection = NULL
    memset(name, 0, sizeof(name))
    cdef int fd = accept4(listen_fd, <sockaddr *>name, &name_size, SOCK_NONBLOCK | SOCK_CLOEXEC)
    if fd < 0:
        return NULL
    connections.accepted += 1
    slot = free_slot(connections)
    if slot >= 0:
        connection = <TcpConnection *>calloc(1, sizeof(TcpConnection))
    if connection == NULL:
        connections.refused += 1
        close(fd)
        return NULL
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
    connection.fd = fd
    connection.accepted_us = now_us
    name_size = 28 if name_size >= 28 else 16
    memcpy(connection.remote.sockaddr, name, name_size)
    connection.remote.sockaddr_size = <uint8_t>name_size
    connection.remote.socket_index = <uint8_t>socket_index
    connection.remote.connection = <uint16_t>(slot + 1)
    connections.items[slot] = connection
    connections.count += 1
    return connection


cdef TcpConnection *tcp_find(const TcpConnections *connections, const Address *remote) noexcept nogil:
    if remote.connection == 0 or remote.connection > connections.capacity:
        return NULL
    return connections.items[remote.connection - 1]


cdef bint tcp_read(TcpConnections *connections, TcpConnection *connection, tcp_frame_t on_frame,
                   void *context) noexcept nogil:
    cdef uint8_t data[READ_SIZE]
    cdef ssize_t size
    cdef int _turn
    for _turn in range(READS_PER_TURN):
        size = recv(connection.fd, data, READ_SIZE, MSG_DONTWAIT)
        if size == 0:
            return False
        if size < 0:
            return errno == EAGAIN or errno == EINTR
        if not take_bytes(connections, connection, data, size, on_frame, context):
            return False
        if size < READ_SIZE:
            return True
    return True


cdef bint take_bytes(TcpConnections *connections, TcpConnection *connection, const uint8_t *data, ssize_t size,
                     tcp_frame_t on_frame, void *context) noexcept nogil:
    cdef uint32_t wanted, part
    cdef Address source = connection.remote
    while size > 0:
        wanted = LENGTH_SIZE
        if connection.read_size >= LENGTH_SIZE:
            wanted += (<uint32_t>connection.frame[0] << 8) | connection.frame[1]
        part = wanted - connection.read_size
        if part > <uint32_t>size:
            part = <uint32_t>size
        memcpy(connection.frame + connection.read_size, data, part)
        connection.read_size += part
        data += part
        size -= part
        if connection.read_size < wanted:
            return True
        if connection.read_size == LENGTH_SIZE:
            wanted = (<uint32_t>connection.frame[0] << 8) | connection.frame[1]
            if wanted > TCP_FRAME_MAX:
                connections.broken += 1
                return False
            if wanted == 0:
                connection.read_size = 0
            continue
        connection.read_size = 0
        on_frame(context, connection.frame + LENGTH_SIZE, <int>wanted - LENGTH_SIZE, &source)
    return True


cdef void tcp_write(TcpConnections *connections, TcpConnection *connection, const uint8_t *data, int size,
                    SendClass send_class) noexcept nogil:
    cdef uint64_t lost = 1
    if size <= TCP_FRAME_MAX:
        lost = <uint64_t>backlog_push(&connection.backlog, data, size, send_class, True)
    connections.overflowed += lost
    connections.waiting += 1 - lost


cdef bint tcp_flush(TcpConnections *connections, TcpConnection *connection, bint *waiting) noexcept nogil:
    cdef uint64_t before = backlog_count(&connection.backlog)
    cdef ssize_t written
    cdef uint32_t size = backlog_size(&connection.backlog)
    waiting[0] = size > 0
    if size == 0:
        return True
    written = send(connection.fd, backlog_head(&connection.backlog), size, MSG_DONTWAIT | MSG_NOSIGNAL)
    if written < 0:
        return errno == EAGAIN or errno == EINTR
    backlog_take(&connection.backlog, <uint32_t>written)
    before -= backlog_count(&connection.backlog)
    connections.sent += before
    connections.waiting -= before
    waiting[0] = backlog_size(&connection.backlog) > 0
    return True


cdef void tcp_close(TcpConnections *connections, TcpConnection *connection) noexcept nogil:
    connections.items[connection.remote.connection - 1] = NULL
    connections.count -= 1
    connections.lost += backlog_count(&connection.backlog)
    connections.waiting -= backlog_count(&connection.backlog)
    close(connection.fd)
    backlog_release(&connection.backlog)
    free(connection)
