"""The engine thread's loop; `_loop.pxd` says what it does."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from mediarouter._address cimport Address
from mediarouter._drop cimport DROP_TOO_LARGE
from mediarouter._egress cimport outbox_clear, outbox_detach, outbox_init, outbox_release
from mediarouter._ice cimport ice_remove_address
from mediarouter._ingress cimport ingress_handle
from mediarouter._load_meter cimport load_meter_note
from mediarouter._lookup cimport address_table_find
from mediarouter._pipe_in cimport pipe_in_drain
from mediarouter._pipe_out cimport pipe_flush_all
from mediarouter._plane cimport (
    Destination,
    Outbox,
    OutPacket,
    SendClass,
    Transport,
    count_drop,
    plane_forget_address,
    plane_init,
    plane_release,
)
from mediarouter._reports cimport reports_run_timers
from mediarouter._tcp cimport (
    TcpConnection,
    tcp_accept,
    tcp_close,
    tcp_find,
    tcp_flush,
    tcp_read,
    tcp_release,
    tcp_write,
)
from mediarouter._timers cimport timer_next_deadline_us
from mediarouter._udp cimport (
    DATAGRAM_SIZE_MAX,
    RECV_BATCH,
    recv_batch_arrival_ns,
    recv_batch_data,
    recv_batch_free,
    recv_batch_new,
    send_batch_free,
    send_batch_new,
    udp_init,
    udp_receive,
    udp_release,
    udp_send,
    udp_send_waiting,
)

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event *event)
    int EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int value, int flags)
    int EFD_NONBLOCK, EFD_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void *data, size_t size)
    ssize_t write(int fd, const void *data, size_t size)
    int close(int fd)

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *time)
    int clock_nanosleep(int clock, int flags, const timespec *request, timespec *remain)
    int CLOCK_MONOTONIC, CLOCK_REALTIME

cdef extern from *:
    """
    #include <errno.h>
    #include <pthread.h>
    #include <sched.h>
    #include <sys/epoll.h>
    #include <sys/prctl.h>
    #include <sys/resource.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    #ifndef SCHED_RESET_ON_FORK
    #define SCHED_RESET_ON_FORK 0x40000000
    #endif
    /* Of the calling thread only: to run as soon as a packet wakes it, whatever else wants the processor. Real-time
       round robin where the system allows it (root, CAP_SYS_NICE, RLIMIT_RTPRIO); else a priority above the others,
       and a short slice, which Linux 6.12 and later take as a wish to run early (sched_setattr(2)). What is refused
       changes nothing. */
    static void ask_for_promptness(int realtime, int nice, unsigned long long slice_ns) {
        struct sched_param lowest = { .sched_priority = 1 };
        struct { unsigned int size, policy; unsigned long long flags; int nice; unsigned int priority;
                 unsigned long long runtime, deadline, period; } attributes = {0};
        prctl(PR_SET_NAME, "mediarouter-eng");      /* as top and perf show it */
        prctl(PR_SET_TIMERSLACK, 1UL);              /* a frame that waits for a packet waits no longer than it shall */
        if (realtime && sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) == 0)
            return;
        attributes.size = sizeof(attributes);
        attributes.runtime = slice_ns;
        attributes.nice = nice;
        if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) {
            attributes.nice = getpriority(PRIO_PROCESS, 0);
            syscall(SYS_sched_setattr, 0, &attributes, 0);
            setpriority(PRIO_PROCESS, 0, nice);
        }
    }
    /* A thread that holds the mutex runs at the priority of who waits for it: the engine never waits for one that the
       scheduler has put aside. */
    static int mutex_init_inheriting(pthread_mutex_t *mutex) {
        pthread_mutexattr_t attributes;
        int result;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
        result = pthread_mutex_init(mutex, &attributes);
        pthread_mutexattr_destroy(&attributes);
        return result;
    }
    /* epoll_wait to the microsecond where Linux has epoll_pwait2 (5.11), else to the next millisecond. */
    static int wait_for_events(int epoll_fd, struct epoll_event *events, int count, long long timeout_us) {
        static int coarse = 0;
    #ifdef SYS_epoll_pwait2
        if (!coarse) {
            struct timespec timeout = { timeout_us / 1000000, timeout_us % 1000000 * 1000 };
            int found = syscall(SYS_epoll_pwait2, epoll_fd, events, count, &timeout, NULL, 0);
            if (found >= 0 || errno != ENOSYS)
                return found;
            coarse = 1;
        }
    #endif
        return epoll_wait(epoll_fd, events, count, (int) ((timeout_us + 999) / 1000));
    }
    """
    void ask_for_promptness(int realtime, int nice, unsigned long long slice_ns) nogil
    int mutex_init_inheriting(pthread_mutex_t *mutex) nogil
    int wait_for_events(int epoll_fd, epoll_event *events, int count, long long timeout_us) nogil

cdef enum:
    ARENA_SIZE = 4194304           # bytes of outgoing packets before they are sent in the middle of a batch
    DATAGRAMS_PER_LOCK = 256       # then commands get their turn
    BATCHES_PER_TURN = 4           # of one socket, so that timers and the other sockets get their turn
    EVENTS_PER_WAIT = 64
    LONGEST_WAIT_US = 1000000
    UNPROVEN_US = 10000000         # a TCP connection has so long to show a STUN check
    REST_US = 100
    MANY_DATAGRAMS = 16            # of one turn: then there is work enough without waiting for more
    THREAD_PRIORITY = -10
    THREAD_SLICE_NS = 100000
    WAKE_TAG = 1 << 20             # what an epoll event is about: these, or a socket's index ...
    LISTENER_TAG = 1 << 21
    CONNECTION_TAG = 1 << 22


cdef Loop *loop_new() noexcept nogil:
    cdef Loop *loop = <Loop *>calloc(1, sizeof(Loop))
    cdef bint complete
    if loop == NULL:
        return NULL
    mutex_init_inheriting(&loop.mutex)
    loop.rest_us = REST_US
    loop.epoll_fd = epoll_create1(EFD_CLOEXEC)
    loop.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    loop.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    loop.receive = recv_batch_new()
    loop.send = send_batch_new()
    complete = plane_init(&loop.plane) and outbox_init(&loop.boxes[0], ARENA_SIZE)
    complete = complete and outbox_init(&loop.boxes[1], ARENA_SIZE)
    loop.plane.outbox = &loop.boxes[0]
    complete = complete and loop.epoll_fd >= 0 and loop.wake_fd >= 0 and loop.event_fd >= 0
    complete = complete and loop.receive != NULL and loop.send != NULL
    if not complete or not watch(loop, loop.wake_fd, EPOLLIN, WAKE_TAG):
        loop_free(loop)
        return NULL
    return loop


cdef void loop_free(Loop *loop) noexcept nogil:
    loop_close_sockets(loop)
    plane_release(&loop.plane)
    outbox_release(&loop.boxes[0])
    outbox_release(&loop.boxes[1])
    recv_batch_free(loop.receive)
    send_batch_free(loop.send)
    close(loop.epoll_fd)           # those that never opened are -1: no harm
    close(loop.wake_fd)
    close(loop.event_fd)
    pthread_mutex_destroy(&loop.mutex)
    free(loop)


cdef void loop_close_sockets(Loop *loop) noexcept nogil:
    cdef int i
    tcp_release(&loop.tcp)
    for i in range(loop.socket_count):
        udp_release(&loop.sockets[i])
        if loop.listeners[i] >= 0:
            close(loop.listeners[i])
    loop.socket_count = 0


cdef bint watch(Loop *loop, int fd, int events, uint64_t tag) noexcept nogil:
    cdef epoll_event event
    event.events = <uint32_t>events
    event.data.u64 = tag
    return epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0


cdef bint loop_add_socket(Loop *loop, int udp_fd, int tcp_fd, uint32_t recv_buffer_size) noexcept nogil:
    cdef int index = loop.socket_count
    if index == SOCKETS_MAX or not watch(loop, udp_fd, EPOLLIN, index):
        return False
    if tcp_fd >= 0 and not watch(loop, tcp_fd, EPOLLIN, LISTENER_TAG + index):
        return False
    udp_init(&loop.sockets[index], udp_fd, index, recv_buffer_size)
    loop.listeners[index] = tcp_fd
    loop.socket_count += 1
    return True


cdef int64_t clock_ns(int clock) noexcept nogil:
    cdef timespec time
    clock_gettime(clock, &time)
    return <int64_t>time.tv_sec * 1000000000 + time.tv_nsec


cdef int64_t loop_time_us(Loop *loop) noexcept nogil:
    if loop.threaded:
        return clock_ns(CLOCK_MONOTONIC) // 1000
    return loop.now_us


cdef void loop_lock(Loop *loop) noexcept nogil:
    pthread_mutex_lock(&loop.mutex)


cdef void loop_unlock(Loop *loop) noexcept nogil:
    # most commands only write a row: then the thread may sleep on, which spares a processor tens of microseconds
    cdef int64_t deadline_us
    cdef bint wake
    pipe_flush_all(&loop.plane)
    deadline_us = timer_next_deadline_us(loop.plane.timers)
    wake = loop.plane.outbox.count > 0 or 0 <= deadline_us < loop.wakes_at_us
    wake = wake or (loop.plane.events.used > 0 and not loop.event_told)
    pthread_mutex_unlock(&loop.mutex)
    if wake and loop.threaded:
        loop_wake(loop)


cdef void loop_wake(Loop *loop) noexcept nogil:
    cdef uint64_t one = 1
    write(loop.wake_fd, &one, sizeof(one))


cdef void loop_stop(Loop *loop) noexcept nogil:
    loop.stopping = True
    loop_wake(loop)


cdef void loop_run(Loop *loop) noexcept nogil:
    cdef epoll_event events[EVENTS_PER_WAIT]
    cdef int64_t timeout_us
    cdef int i, count
    loop.woke_us = clock_ns(CLOCK_MONOTONIC) // 1000
    ask_for_promptness(loop.realtime, THREAD_PRIORITY, THREAD_SLICE_NS)
    loop.plane.flush = flush_now
    loop.plane.flush_context = loop
    loop.plane.in_turns = True
    while not loop.stopping:
        timeout_us = rest(loop, run_timers(loop))
        count = wait_for_events(loop.epoll_fd, events, EVENTS_PER_WAIT, timeout_us)
        loop.woke_us = clock_ns(CLOCK_MONOTONIC) // 1000
        loop.turns += 1
        for i in range(count):
            dispatch(loop, events[i].data.u64, events[i].events)
    run_timers(loop)               # what the last commands left to send


cdef int64_t note_load(Loop *loop) noexcept nogil:
    # a turn ends now
    cdef int64_t now_us = clock_ns(CLOCK_MONOTONIC) // 1000
    cdef bint loaded = loop.load.loaded
    load_meter_note(&loop.load, loop.woke_us, now_us)
    if loop.load.loaded != loaded:
        pthread_mutex_lock(&loop.mutex)
        loop_apply_gather(loop)
        pthread_mutex_unlock(&loop.mutex)
    return now_us


cdef void loop_apply_gather(Loop *loop) noexcept nogil:
    loop.plane.gather_now_us = loop.plane.gather_us * (2 if loop.load.loaded else 1)


cdef int64_t rest(Loop *loop, int64_t timeout_us) noexcept nogil:
    # To be woken costs more than to forward a packet. So when more is about to come (a frame is not whole, or the last
    # datagrams came close behind those before them) and it is little, the thread sleeps for a moment whatever comes,
    # and takes what came at once: as network cards moderate their interrupts. What is left of the time it may wait.
    cdef int64_t now_us = note_load(loop)
    cdef bint follows = now_us - loop.turn_us < loop.rest_us and 0 < loop.turn_datagrams
    cdef timespec pause
    if (follows or loop.plane.gathering > 0) and loop.turn_datagrams < MANY_DATAGRAMS and timeout_us > loop.rest_us:
        pause.tv_sec = 0
        pause.tv_nsec = loop.rest_us * 1000
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL)
        loop.rests += 1
        timeout_us -= loop.rest_us
    loop.turn_us = now_us
    loop.turn_datagrams = 0
    return timeout_us


cdef int64_t run_timers(Loop *loop) noexcept nogil:
    # do what is due; the microseconds until more will be
    cdef int64_t deadline_us, now_us
    pthread_mutex_lock(&loop.mutex)
    now_us = clock_ns(CLOCK_MONOTONIC) // 1000
    loop.now_us = now_us
    reports_run_timers(&loop.plane, now_us)
    deadline_us = timer_next_deadline_us(loop.plane.timers)
    if loop.plane.first_due != NULL:
        deadline_us = now_us
    elif deadline_us < 0 or deadline_us > now_us + LONGEST_WAIT_US:
        deadline_us = now_us + LONGEST_WAIT_US
    loop.wakes_at_us = deadline_us
    finish_turn(loop)
    deadline_us -= clock_ns(CLOCK_MONOTONIC) // 1000
    return deadline_us if deadline_us > 0 else 0


cdef void finish_turn(Loop *loop) noexcept nogil:
    # the mutex is held and given back: the full outbox is sent without it, while commands may fill the other
    cdef Outbox *full = loop.plane.outbox
    cdef uint64_t one = 1
    cdef bint tell = loop.plane.events.used > 0 and not loop.event_told
    pipe_flush_all(&loop.plane)
    outbox_detach(full)
    loop.plane.outbox = &loop.boxes[1] if full == &loop.boxes[0] else &loop.boxes[0]
    loop.event_told = loop.event_told or tell
    pthread_mutex_unlock(&loop.mutex)
    if tell:
        write(loop.event_fd, &one, sizeof(one))
    if full.count:
        send_all(loop, full)
    outbox_clear(full)


cdef void flush_now(void *context) noexcept nogil:
    # the arena is full in the middle of a batch
    cdef Loop *loop = <Loop *>context
    send_all(loop, loop.plane.outbox)
    outbox_clear(loop.plane.outbox)


cdef void send_all(Loop *loop, const Outbox *outbox) noexcept nogil:
    cdef int i
    cdef bint framed = loop.tcp.accepted > 0
    udp_send(loop.sockets, loop.send, outbox, &loop.udp)
    for i in range(loop.socket_count):
        watch_socket(loop, &loop.sockets[i])
    if not framed:
        return
    for i in range(outbox.destination_count):
        if outbox.destinations[i].remote.connection:
            send_framed(loop, outbox, &outbox.destinations[i])


cdef void send_framed(Loop *loop, const Outbox *outbox, const Destination *destination) noexcept nogil:
    # all that one client gets from a batch, by one call
    cdef TcpConnection *connection = tcp_find(&loop.tcp, &destination.remote)
    cdef int32_t at = destination.first
    cdef const OutPacket *packet
    cdef bint waiting = False
    while at >= 0:
        packet = &outbox.packets[at]
        at = packet.next
        if connection == NULL:
            loop.tcp.lost += 1
            continue
        tcp_write(&loop.tcp, connection, outbox.arena + packet.offset, packet.size, <SendClass>packet.send_class)
    # a connection that ends here is found by epoll, which closes it outside of any batch; one that is watched is
    # written to when there is room
    if connection != NULL and not connection.watched and tcp_flush(&loop.tcp, connection, &waiting):
        watch_writing(loop, connection, waiting)


cdef bint rewatch(Loop *loop, int fd, uint64_t tag, bint writing) noexcept nogil:
    cdef epoll_event event
    event.events = <uint32_t>(EPOLLIN | EPOLLOUT if writing else EPOLLIN)
    event.data.u64 = tag
    return epoll_ctl(loop.epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0


cdef void watch_writing(Loop *loop, TcpConnection *connection, bint waiting) noexcept nogil:
    if connection.watched != waiting and rewatch(loop, connection.fd, CONNECTION_TAG + connection.remote.connection,
                                                 waiting):
        connection.watched = waiting


cdef void watch_socket(Loop *loop, UdpSocket *udp) noexcept nogil:
    cdef bint waiting = udp.queues.count > 0
    if udp.watched != waiting and rewatch(loop, udp.fd, udp.index, waiting):
        udp.watched = waiting


cdef void dispatch(Loop *loop, uint64_t tag, uint32_t events) noexcept nogil:
    cdef uint64_t ignored
    if tag == WAKE_TAG:
        read(loop.wake_fd, &ignored, sizeof(ignored))
        drain_pipes(loop)
    elif tag < SOCKETS_MAX:
        if events & <uint32_t>EPOLLOUT:
            udp_send_waiting(&loop.sockets[tag], loop.send, &loop.udp)
            watch_socket(loop, &loop.sockets[tag])
        receive(loop, &loop.sockets[tag])
    elif tag >= CONNECTION_TAG:
        serve_connection(loop, <uint32_t>(tag - CONNECTION_TAG), events)
    elif tag >= LISTENER_TAG:
        accept(loop, <int>(tag - LISTENER_TAG))


cdef void drain_pipes(Loop *loop) noexcept nogil:
    cdef bint more
    cdef int _turn
    for _turn in range(BATCHES_PER_TURN):
        pthread_mutex_lock(&loop.mutex)
        if loop.plane.pipe_slots == 0:
            pthread_mutex_unlock(&loop.mutex)
            return
        loop.now_us = clock_ns(CLOCK_MONOTONIC) // 1000
        more = pipe_in_drain(&loop.plane, loop.now_us)
        finish_turn(loop)
        if not more:
            return
    loop_wake(loop)


cdef void receive(Loop *loop, UdpSocket *udp) noexcept nogil:
    cdef int _turn, i, count, size, segment
    cdef int taken = 0
    cdef uint8_t *data
    cdef Address source
    for _turn in range(BATCHES_PER_TURN):
        count = udp_receive(udp, loop.receive, &loop.udp)
        if count == 0:
            return
        begin_turn(loop)
        for i in range(count):
            data = recv_batch_data(loop.receive, i, &size, &segment, &source)
            taken += take_run(loop, data, size, segment, &source)
            if taken >= DATAGRAMS_PER_LOCK and i < count - 1:
                finish_turn(loop)
                begin_turn(loop)
                taken = 0
        finish_turn(loop)
        note_latency(loop, recv_batch_arrival_ns(loop.receive))
        if count < RECV_BATCH:
            return


cdef void begin_turn(Loop *loop) noexcept nogil:
    pthread_mutex_lock(&loop.mutex)
    loop.now_us = clock_ns(CLOCK_MONOTONIC) // 1000


cdef int take_run(Loop *loop, uint8_t *data, int size, int segment, const Address *source) noexcept nogil:
    # the datagrams of a message, one by one; how many
    cdef int count = 0
    cdef int part
    while True:
        part = size if size < segment else segment
        if part > DATAGRAM_SIZE_MAX:
            count_drop(&loop.plane, DROP_TOO_LARGE)
        else:
            ingress_handle(&loop.plane, data, part, source, loop.now_us)
        count += 1
        data += part
        size -= part
        if size <= 0:
            break
    loop.udp.received += <uint64_t>count
    loop.turn_datagrams += count
    return count


cdef void note_latency(Loop *loop, int64_t arrival_ns) noexcept nogil:
    cdef int64_t spent_us
    cdef int bucket = 0
    if arrival_ns == 0:
        return
    spent_us = (clock_ns(CLOCK_REALTIME) - arrival_ns) // 1000
    if spent_us > loop.slowest_us:
        loop.slowest_us = spent_us
    while spent_us > 1 and bucket < LATENCY_BUCKETS - 1:
        spent_us >>= 1
        bucket += 1
    loop.latency[bucket] += 1


cdef void accept(Loop *loop, int index) noexcept nogil:
    cdef TcpConnection *connection
    end_unproven(loop)
    connection = tcp_accept(&loop.tcp, loop.listeners[index], index, loop.now_us)
    if connection != NULL and not watch(loop, connection.fd, EPOLLIN, CONNECTION_TAG + connection.remote.connection):
        tcp_close(&loop.tcp, connection)


cdef void end_unproven(Loop *loop) noexcept nogil:
    # whoever connects and shows no valid check makes room when others come
    cdef uint32_t slot
    cdef TcpConnection *connection
    for slot in range(loop.tcp.capacity):
        connection = loop.tcp.items[slot]
        if connection == NULL or connection.proven or loop.now_us - connection.accepted_us < UNPROVEN_US:
            continue
        pthread_mutex_lock(&loop.mutex)
        connection.proven = address_table_find(&loop.plane.addresses, &connection.remote) != NULL
        pthread_mutex_unlock(&loop.mutex)
        if not connection.proven:
            loop.tcp.refused += 1
            tcp_close(&loop.tcp, connection)


cdef void handle_frame(void *context, uint8_t *data, int size, const Address *source) noexcept nogil:
    cdef Loop *loop = <Loop *>context
    ingress_handle(&loop.plane, data, size, source, loop.now_us)


cdef void serve_connection(Loop *loop, uint32_t number, uint32_t events) noexcept nogil:
    cdef TcpConnection *connection = loop.tcp.items[number - 1] if number <= loop.tcp.capacity else NULL
    cdef bint alive = True
    cdef bint waiting = False
    if connection == NULL:
        return
    if events & <uint32_t>EPOLLOUT:
        alive = tcp_flush(&loop.tcp, connection, &waiting)
        if alive:
            watch_writing(loop, connection, waiting)
    if alive and events & <uint32_t>(EPOLLIN | EPOLLERR | EPOLLHUP):
        pthread_mutex_lock(&loop.mutex)
        loop.now_us = clock_ns(CLOCK_MONOTONIC) // 1000
        alive = tcp_read(&loop.tcp, connection, handle_frame, loop)
        finish_turn(loop)
    if not alive:
        end_connection(loop, connection)


cdef void end_connection(Loop *loop, TcpConnection *connection) noexcept nogil:
    cdef Transport *transport
    pthread_mutex_lock(&loop.mutex)
    transport = <Transport *>address_table_find(&loop.plane.addresses, &connection.remote)
    if transport != NULL:
        plane_forget_address(&loop.plane, transport, &connection.remote)
        ice_remove_address(&transport.ice, &connection.remote)
    pthread_mutex_unlock(&loop.mutex)
    tcp_close(&loop.tcp, connection)
