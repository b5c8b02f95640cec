"""An engine that is fed from memory: no socket, no clock, no system call between one packet and the next.

Theory of operation
The engine's plane goes through the same turns as in its thread (`_loop.pyx`): timers when they are due, then what came
at that time, then what shall be sent, up to the point where the kernel would be called. Only time is not the world's:
it is the recording's, and runs as fast as the processor allows. No Python runs meanwhile, and the GIL is not held.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy
from mediarouter._address cimport Address
from mediarouter._egress cimport outbox_clear, outbox_detach
from mediarouter._engine cimport Engine
from mediarouter._ingress cimport ingress_handle
from mediarouter._loop cimport Loop, loop_lock, loop_unlock
from mediarouter._plane cimport Outbox, OutPacket
from mediarouter._reports cimport reports_run_timers
from mediarouter._timers cimport timer_next_deadline_us
from mediarouter._udp cimport (
    NO_SOCKET,
    SendBatch,
    UdpCounters,
    UdpSocket,
    send_batch_free,
    send_batch_new,
    udp_init,
    udp_send,
)
from mediarouter.bench._clock cimport (
    CLOCK_MONOTONIC,
    CLOCK_THREAD_CPUTIME_ID,
    clock_now_ns,
    sleep_until_ns,
    thread_waited_ns,
)
from mediarouter.bench._recording cimport Datagram, Recording


@cython.final
cdef class Replay:
    """A recording played to an engine.

    Args:
        engine: has no thread; its transports are connected under the addresses of the recording's clients.
        recording: is used up by being played.
        begun_us: the engine's time at which the recording begins.

    Raises:
        MemoryError: no memory.
    """
    cdef Engine engine
    cdef Recording recording
    cdef SendBatch *batch
    cdef UdpSocket socket
    cdef UdpCounters udp
    cdef size_t next               # datagram to be played
    cdef int64_t begun_us
    cdef int64_t played_us
    cdef bint keeping
    cdef uint8_t *kept             # datagrams that were sent: client, size, bytes
    cdef size_t kept_size, kept_capacity
    cdef int64_t wall_ns, cpu_ns, waited_ns

    def __cinit__(self, Engine engine not None, Recording recording not None, int64_t begun_us):
        self.engine = engine
        self.recording = recording
        self.begun_us = begun_us
        udp_init(&self.socket, NO_SOCKET, 0, 0)
        self.batch = send_batch_new()
        if self.batch == NULL:
            raise MemoryError

    def __dealloc__(self):
        send_batch_free(self.batch)
        free(self.kept)

    def run(self, int64_t duration_us, int64_t start_ns=0):
        """Play the next `duration_us` microseconds. The GIL is not held.

        Args:
            duration_us: of the recording's time; so much must be recorded.
            start_ns: wait until CLOCK_MONOTONIC shows this; 0: begin at once.

        Returns:
            by name: `packets` forwarded (copies), `datagrams` sent by RTP and RTCP, `messages` they made for the
            kernel, `handled` datagrams that came in; what the thread needed for it: `wall_ns`, of these `cpu_ns` on a
            processor and `waited_ns` while it was ready to run and others had the processors (0 where Linux does not
            tell).

        Raises:
            ValueError: less is recorded.
        """
        cdef Loop *loop = self.engine.loop
        if duration_us < 0 or self.played_us + duration_us > self.recording.until_us:
            raise ValueError(f"{self.recording.until_us - self.played_us} us are recorded, not {duration_us}")
        cdef uint64_t forwarded = loop.plane.packets_forwarded
        cdef UdpCounters before = self.udp
        cdef size_t first = self.next
        with nogil:
            if start_ns:
                sleep_until_ns(start_ns)
            play_measured(self, self.played_us + duration_us)
        self.played_us += duration_us
        return {
            "packets": loop.plane.packets_forwarded - forwarded,
            "datagrams": self.udp.sent - before.sent,
            "messages": self.udp.send_messages - before.send_messages,
            "handled": self.next - first,
            "wall_ns": self.wall_ns, "cpu_ns": self.cpu_ns, "waited_ns": self.waited_ns,
        }

    def keep(self, bint wanted):
        """Keep what is sent from now on, for `take_kept`; or no longer."""
        self.keeping = wanted

    def take_kept(self):
        """What was kept since the last call: (client, datagram), in the order of sending."""
        cdef size_t at = 0
        cdef int32_t head[2]
        found = []
        while at < self.kept_size:
            memcpy(head, self.kept + at, sizeof(head))
            at += sizeof(head)
            found.append((head[0], bytes(self.kept[at:at + <size_t>head[1]])))
            at += <size_t>head[1]
        self.kept_size = 0
        return found


cdef void play_measured(Replay replay, int64_t until_us) noexcept nogil:
    cdef int64_t waited_ns = thread_waited_ns()
    cdef int64_t cpu_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID)
    cdef int64_t wall_ns = clock_now_ns(CLOCK_MONOTONIC)
    replay.engine.loop.plane.flush = flush
    replay.engine.loop.plane.flush_context = <void *>replay
    play(replay, until_us)
    replay.engine.loop.plane.flush = NULL
    replay.wall_ns = clock_now_ns(CLOCK_MONOTONIC) - wall_ns
    replay.cpu_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns
    replay.waited_ns = thread_waited_ns() - waited_ns


cdef void play(Replay replay, int64_t until_us) noexcept nogil:
    # from one time at which something happens to the next; what comes at `until_us` itself is left for later
    cdef Loop *loop = replay.engine.loop
    cdef int64_t now_us = loop.now_us
    cdef int64_t end_us = replay.begun_us + until_us
    cdef int64_t arrival_us, due_us
    while True:
        arrival_us = end_us
        if replay.next < replay.recording.count:
            arrival_us = replay.begun_us + replay.recording.datagrams[replay.next].at_us
        due_us = timer_next_deadline_us(loop.plane.timers)
        if due_us < 0 or due_us > arrival_us:
            due_us = arrival_us
        if due_us >= end_us:
            return
        now_us = due_us if due_us > now_us else now_us
        loop_lock(loop)
        loop.now_us = now_us
        reports_run_timers(&loop.plane, now_us)
        finish_turn(replay)
        if arrival_us <= now_us:
            handle_batch(replay, replay.recording, now_us)


cdef void handle_batch(Replay replay, Recording recording, int64_t now_us) noexcept nogil:
    cdef Datagram *datagram
    loop_lock(replay.engine.loop)
    while replay.next < recording.count:
        datagram = &recording.datagrams[replay.next]
        if replay.begun_us + datagram.at_us > now_us:
            break
        ingress_handle(&replay.engine.loop.plane, recording.memory + datagram.offset, datagram.size,
                       &recording.clients[datagram.client].address, now_us)
        replay.next += 1
    finish_turn(replay)


cdef void finish_turn(Replay replay) noexcept nogil:
    cdef Outbox *outbox = replay.engine.loop.plane.outbox
    outbox_detach(outbox)
    loop_unlock(replay.engine.loop)
    if outbox.count:
        send(replay, outbox)
    outbox_clear(outbox)


cdef void flush(void *context) noexcept nogil:
    # the arena is full enough in the middle of a batch
    flush_to(<Replay>context)


cdef void flush_to(Replay replay) noexcept nogil:
    send(replay, replay.engine.loop.plane.outbox)
    outbox_clear(replay.engine.loop.plane.outbox)


cdef void send(Replay replay, const Outbox *outbox) noexcept nogil:
    udp_send(&replay.socket, replay.batch, outbox, &replay.udp)
    if replay.keeping:
        keep_all(replay, outbox)


cdef void keep_all(Replay replay, const Outbox *outbox) noexcept nogil:
    cdef const OutPacket *packet
    cdef int32_t at
    cdef int i
    for i in range(outbox.destination_count):
        at = outbox.destinations[i].first
        while at >= 0:
            packet = &outbox.packets[at]
            keep_packet(replay, &outbox.destinations[i].remote, packet, outbox.arena + packet.offset)
            at = packet.next


cdef void keep_packet(Replay replay, const Address *remote, const OutPacket *packet,
                      const uint8_t *data) noexcept nogil:
    cdef int32_t head[2]
    cdef size_t needed = replay.kept_size + sizeof(head) + packet.size
    cdef void *grown
    if needed > replay.kept_capacity:
        grown = realloc(replay.kept, needed * 2)
        if grown == NULL:
            return
        replay.kept = <uint8_t *>grown
        replay.kept_capacity = needed * 2
    # the recording's addresses are 10.0.x.y, by number
    head[0] = remote.sockaddr[6] << 8 | remote.sockaddr[7]
    head[1] = packet.size
    memcpy(replay.kept + replay.kept_size, head, sizeof(head))
    memcpy(replay.kept + replay.kept_size + sizeof(head), data, packet.size)
    replay.kept_size = needed
