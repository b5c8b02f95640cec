"""Groups of packets sent together, and the delays between them (draft-ietf-rmcat-gcc-02 sections 4 and 5.2).

Theory of operation
A sender gives out a frame at once and the network spreads it, so a single packet tells little of a queue: what counts
is when a whole group had arrived. A group is what was sent within 5 ms of its first packet, and the packets that a
link let through in one burst: sent later, yet arrived within 5 ms of the ones before. With the first packet of the
next group one is closed, and its end is compared with that of the group before it. What arrives later by more than it
was sent later has waited in a queue.

Packets come in the order of their numbers, not of their arrivals. A group ends with the packet that was sent last (of
several sent at once, with the one that arrived last), so that a packet which others have overtaken says nothing. A
group that the next one has overtaken as a whole is left out, and so is what was sent before the open group. The
deltas of the others still add up, also where one is negative.

Both clocks count on their own; only differences within one clock are taken, so they may be any time apart. When the
receiver's clock has moved against ours by 3 s between two groups, or back by half a second, it was set (or reports
came late): that one delta is unknown, and the next group is measured from there.

Times are less than 2**60 us from zero, so that no difference of differences overflows.
"""

cimport cython
from libc.stdint cimport int64_t

cdef enum:
    GROUP_US = 5000                # sent within it of the first: one group
    BURST_GAP_US = 5000            # arrived within it of the last: perhaps one burst
    BURST_SPAN_US = 100000         # no burst takes longer
    CLOCK_STEP_US = 3000000        # what no network does: the receiver's clock was set
    CLOCK_BACK_US = 500000         # no group arrives so long before the one sent before it


cdef void inter_arrival_init(InterArrival *ia) noexcept nogil:
    ia.groups = 0


cdef inline void begin(SendGroup *group, int64_t send_us, int64_t arrival_us, int64_t now_us,
                       int size_bytes) noexcept nogil:
    group.first_send_us = group.last_send_us = send_us
    group.first_arrival_us = group.last_arrival_us = arrival_us
    group.now_us = now_us
    group.size_bytes = size_bytes


cdef inline bint belongs(const SendGroup *group, int64_t send_us, int64_t arrival_us) noexcept nogil:
    cdef int64_t arrival_delta_us, spread_us
    if send_us - group.first_send_us <= GROUP_US or send_us <= group.last_send_us:
        return True
    arrival_delta_us = arrival_us - group.last_arrival_us
    spread_us = arrival_us - group.first_arrival_us
    return (arrival_delta_us <= BURST_GAP_US and arrival_delta_us < send_us - group.last_send_us
            and -BURST_SPAN_US < spread_us < BURST_SPAN_US)


cdef inline void extend(SendGroup *group, int64_t send_us, int64_t arrival_us, int64_t now_us,
                        int size_bytes) noexcept nogil:
    if send_us > group.last_send_us:
        group.last_send_us = send_us
        group.last_arrival_us = arrival_us
    elif send_us == group.last_send_us:
        group.last_arrival_us = max(group.last_arrival_us, arrival_us)
    group.now_us = now_us
    group.size_bytes += size_bytes


cdef bint close(InterArrival *ia, int64_t *send_delta_us, int64_t *arrival_delta_us) noexcept nogil:
    cdef int64_t arrival_us, clock_us
    cdef bint known = False
    if ia.groups == 2:
        arrival_us = ia.current.last_arrival_us - ia.previous.last_arrival_us
        clock_us = arrival_us - (ia.current.now_us - ia.previous.now_us)
        known = -CLOCK_STEP_US < clock_us < CLOCK_STEP_US and arrival_us > -CLOCK_BACK_US
        if known:
            send_delta_us[0] = ia.current.last_send_us - ia.previous.last_send_us
            arrival_delta_us[0] = arrival_us
    ia.previous = ia.current
    ia.groups = 2
    return known


cdef bint inter_arrival_add(InterArrival *ia, int64_t send_us, int64_t arrival_us, int64_t now_us, int size_bytes,
                            int64_t *send_delta_us, int64_t *arrival_delta_us) noexcept nogil:
    cdef SendGroup *group = &ia.current
    cdef bint closed
    if ia.groups == 0:
        begin(group, send_us, arrival_us, now_us, size_bytes)
        ia.groups = 1
        return False
    if send_us < group.first_send_us:
        return False               # of a group that is closed
    if belongs(group, send_us, arrival_us):
        extend(group, send_us, arrival_us, now_us, size_bytes)
        return False
    closed = arrival_us >= group.last_arrival_us and close(ia, send_delta_us, arrival_delta_us)
    begin(group, send_us, arrival_us, now_us, size_bytes)
    return closed


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class InterArrivalFace:
    """Packets in, deltas between their groups out."""
    cdef InterArrival ia

    def __cinit__(self):
        inter_arrival_init(&self.ia)

    def add(self, int64_t send_us, int64_t arrival_us, int64_t now_us, int size_bytes=0):
        """Take one packet, in order of sending numbers.

        Args:
            send_us: when it was sent, of the sender's clock.
            arrival_us: when it arrived, of the receiver's.
            now_us: when the feedback about it was read, of the sender's.
            size_bytes: its size; it does not change the deltas.

        Returns:
            (send delta, arrival delta) in microseconds, of the group that this packet closed to the group before;
            None when it closed none, or nothing can be said of it.

        Raises:
            ValueError: a time is 2**60 or more from zero.
        """
        cdef int64_t send_delta_us = 0, arrival_delta_us = 0
        for time_us in (send_us, arrival_us, now_us):
            if not -TIME_MAX_US < <int64_t>time_us < TIME_MAX_US:
                raise ValueError("time out of range")
        if inter_arrival_add(&self.ia, send_us, arrival_us, now_us, size_bytes, &send_delta_us, &arrival_delta_us):
            return send_delta_us, arrival_delta_us
        return None

    def add_many(self, int64_t send_us, int count, int64_t step_us, int64_t delay_us):
        """Take `count` packets sent `step_us` apart, each arriving `delay_us` later; groups closed. For benchmarks."""
        cdef int64_t send_delta_us = 0, arrival_delta_us = 0
        cdef int closed = 0, _
        with nogil:
            for _ in range(count):
                closed += inter_arrival_add(&self.ia, send_us, send_us + delay_us, send_us, 1200, &send_delta_us,
                                            &arrival_delta_us)
                send_us += step_us
        return closed

    @property
    def group_bytes(self):
        """What the open group holds."""
        return self.ia.current.size_bytes if self.ia.groups else 0
