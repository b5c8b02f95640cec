# The engine thread: it waits for sockets and timers, takes datagrams in by batches, lets the data plane work on them
# under the mutex, and sends what came of it. It never takes the GIL.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from mediarouter._address cimport Address
from mediarouter._load_meter cimport LoadMeter
from mediarouter._plane cimport Outbox, Plane, Transport
from mediarouter._tcp cimport TcpConnections
from mediarouter._udp cimport RecvBatch, SendBatch, UdpCounters, UdpSocket

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_destroy(pthread_mutex_t *mutex)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)

cdef enum:
    SOCKETS_MAX = 8
    LATENCY_BUCKETS = 24           # by powers of two of a microsecond

cdef struct Loop:
    Plane plane
    Outbox boxes[2]                # one is written while the other is sent
    pthread_mutex_t mutex          # the plane's; held for a batch or a command
    UdpSocket sockets[8]
    int listeners[8]               # TCP, by socket index; -1 none
    int socket_count
    TcpConnections tcp             # the thread's own
    RecvBatch *receive
    SendBatch *send
    UdpCounters udp
    uint64_t latency[24]           # batches by log2 of the microseconds from the kernel's arrival stamp to sent
    int64_t slowest_us             # the longest of them
    LoadMeter load
    int64_t woke_us
    uint64_t turns
    uint64_t rests
    int64_t rest_us                # how long to sleep when more is about to come; 0: never
    int64_t turn_us                # when the last turn began
    int turn_datagrams             # that it took
    int64_t now_us                 # as last seen
    int64_t wakes_at_us            # when the thread will look at its timers, if nothing comes before
    int epoll_fd
    int wake_fd                    # a command left something to do
    int event_fd                   # events are there for Python
    bint event_told
    bint threaded                  # a thread runs; else the caller brings time
    bint stopping
    bint realtime                  # ask for real-time scheduling

cdef Loop *loop_new() noexcept nogil               # NULL: no memory, or no descriptors
cdef void loop_free(Loop *loop) noexcept nogil     # the thread has ended
cdef void loop_close_sockets(Loop *loop) noexcept nogil            # as above; their ports are free then
cdef bint loop_add_socket(Loop *loop, int udp_fd, int tcp_fd, uint32_t recv_buffer_size) noexcept nogil
cdef void loop_run(Loop *loop) noexcept nogil      # returns after loop_stop
cdef void loop_stop(Loop *loop) noexcept nogil
cdef void loop_wake(Loop *loop) noexcept nogil
cdef int64_t loop_time_us(Loop *loop) noexcept nogil
# After `plane.gather_us` was set. Under load frames may take twice as long, so that fewer calls do.
cdef void loop_apply_gather(Loop *loop) noexcept nogil
cdef void loop_lock(Loop *loop) noexcept nogil
cdef void loop_unlock(Loop *loop) noexcept nogil   # and see to it that what a command left is done
