"""What gets through a path: the rate acknowledged by its receiver.

Theory of operation
The window holds the packets that arrived last, in order of arrival: 20 at least and a second at least, but not more
than 500, nor more than five seconds, so that what was before a pause does not count. Ten packets make a rate.

The rate received is their bytes without the first packet's, over the time between first and last; the longest gap is
taken for the second longest, since a link that stood still once and then let everything through has lost no capacity.
That may read too high, and so the rate is bounded by what was sent: bytes without those of the packet sent last, over
the time of sending. A packet sent before another that has already left the window was overtaken, and is left out of
that.

A packet that arrived more than a second before the newest cannot be reordering: the receiver's clock was set back,
and the window begins anew.

Adding a packet costs a few stores while packets come in order; the rate costs one pass over the arrivals, and is
asked for once a report. Times are less than 2**60 us from zero.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

cdef enum:
    MASK = THROUGHPUT_CAPACITY - 1
    PACKETS_MIN = 20
    PACKETS_MAX = 500
    PACKETS_REQUIRED = 10          # for a rate
    MIN_WINDOW_US = 1000000
    MAX_WINDOW_US = 5000000
    REORDERED_MAX_US = 1000000
    SPAN_MIN_US = 1000             # less is not measured, but a burst of one moment

cdef int64_t LONG_AGO_US = -(<int64_t>1 << 61)


cdef void throughput_init(Throughput *t) noexcept nogil:
    t.min_window_us = MIN_WINDOW_US
    t.end = t.disordered_end = 0
    begin(t)


cdef void begin(Throughput *t) noexcept nogil:
    t.first = t.end
    t.bytes = 0
    t.newest_send_us = t.discarded_send_us = LONG_AGO_US


cdef void throughput_set_min_window(Throughput *t, int64_t min_window_us) noexcept nogil:
    t.min_window_us = min_window_us


cdef inline bint oldest_leaves(const Throughput *t, int64_t newest_us) noexcept nogil:
    cdef int64_t span_us = newest_us - t.arrivals[t.first & MASK]
    cdef int64_t count = t.end - t.first
    return span_us > MAX_WINDOW_US or count > PACKETS_MAX or (count > PACKETS_MIN and span_us > t.min_window_us)


cdef inline void drop_old(Throughput *t, int64_t newest_us) noexcept nogil:
    while oldest_leaves(t, newest_us):
        t.discarded_send_us = max(t.discarded_send_us, t.sends[t.first & MASK])
        t.bytes -= t.sizes[t.first & MASK]
        t.first += 1


# Where a packet that arrived earlier than the newest goes; the later ones make room.
cdef int64_t make_room(Throughput *t, int64_t arrival_us) noexcept nogil:
    cdef int64_t place = t.end
    while place > t.first and t.arrivals[(place - 1) & MASK] > arrival_us:
        t.arrivals[place & MASK] = t.arrivals[(place - 1) & MASK]
        t.sends[place & MASK] = t.sends[(place - 1) & MASK]
        t.sizes[place & MASK] = t.sizes[(place - 1) & MASK]
        place -= 1
    return place


cdef void throughput_add(Throughput *t, int64_t send_us, int64_t arrival_us, int size_bytes) noexcept nogil:
    cdef int64_t place = t.end, newest_us = arrival_us
    cdef bint in_order = send_us >= t.newest_send_us
    if t.end > t.first and arrival_us < t.arrivals[(t.end - 1) & MASK]:
        newest_us = t.arrivals[(t.end - 1) & MASK]
        if newest_us - arrival_us > REORDERED_MAX_US:
            begin(t)
            return
        place = make_room(t, arrival_us)
        in_order = False
    t.arrivals[place & MASK] = arrival_us
    t.sends[place & MASK] = send_us
    t.sizes[place & MASK] = max(size_bytes, 0)
    t.bytes += max(size_bytes, 0)
    t.end += 1
    if in_order:
        t.newest_send_us = send_us
    else:
        t.newest_send_us = max(t.newest_send_us, send_us)
        t.disordered_end = t.end
    drop_old(t, newest_us)


# ---- the rate

cdef inline int64_t rate_bps(int64_t bytes, int64_t span_us) noexcept nogil:
    return bytes * 8000000 // max(span_us, <int64_t>SPAN_MIN_US)


cdef int64_t received_bps(const Throughput *t) noexcept nogil:
    cdef int64_t longest = 0, second = 0, before = t.arrivals[t.first & MASK], first = before, gap, place
    for place in range(t.first + 1, t.end):
        gap = t.arrivals[place & MASK] - before
        before += gap
        if gap > second:
            second = min(gap, longest)
            longest = max(gap, longest)
    return rate_bps(t.bytes - t.sizes[t.first & MASK], before - first - longest + second)


# What was sent, of packets whose sendings are in order: all of the window.
cdef int64_t sent_in_order_bps(const Throughput *t) noexcept nogil:
    cdef int64_t last = t.end - 1, first_us = t.sends[t.first & MASK], last_us = t.sends[last & MASK]
    while last > t.first and t.sends[(last - 1) & MASK] == last_us:
        last -= 1
    return rate_bps(t.bytes - t.sizes[last & MASK], last_us - first_us)


# The same of packets in any order; -1: too few were not overtaken.
cdef int64_t sent_bps(const Throughput *t) noexcept nogil:
    cdef int64_t bytes = 0, count = 0, first_us = -LONG_AGO_US, last_us = LONG_AGO_US, send_us, place
    cdef int32_t last_size = 0
    for place in range(t.first, t.end):
        send_us = t.sends[place & MASK]
        if send_us < t.discarded_send_us:
            continue
        if send_us > last_us:
            last_us = send_us
            last_size = t.sizes[place & MASK]
        first_us = min(first_us, send_us)
        bytes += t.sizes[place & MASK]
        count += 1
    return rate_bps(bytes - last_size, last_us - first_us) if count >= PACKETS_REQUIRED else -1


cdef int64_t throughput_bps(const Throughput *t) noexcept nogil:
    cdef int64_t received, sent
    if t.end - t.first < PACKETS_REQUIRED:
        return -1
    received = received_bps(t)
    sent = sent_in_order_bps(t) if t.first >= t.disordered_end else sent_bps(t)
    return received if sent < 0 else min(sent, received)


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class ThroughputFace:
    """Received packets in, the rate that gets through out.

    Args:
        min_window_us: what the window takes at least; a second unless told. 0..5,000,000.

    Raises:
        ValueError: `min_window_us` is out of range.
    """
    cdef Throughput through

    def __cinit__(self, int64_t min_window_us=MIN_WINDOW_US):
        if not 0 <= min_window_us <= MAX_WINDOW_US:
            raise ValueError("min_window_us must be 0..5000000")
        throughput_init(&self.through)
        throughput_set_min_window(&self.through, min_window_us)

    def add(self, int64_t send_us, int64_t arrival_us, int size_bytes):
        """Take one received packet.

        Args:
            send_us: when it was sent, of the sender's clock.
            arrival_us: when it arrived, of the receiver's.
            size_bytes: its size, 0 at least.

        Raises:
            ValueError: a time is 2**60 or more from zero, or the size is negative.
        """
        if not (-TIME_MAX_US < send_us < TIME_MAX_US and -TIME_MAX_US < arrival_us < TIME_MAX_US):
            raise ValueError("time out of range")
        if size_bytes < 0:
            raise ValueError("negative size")
        throughput_add(&self.through, send_us, arrival_us, size_bytes)

    def add_many(self, int64_t send_us, int count, int64_t step_us, int size_bytes):
        """Take `count` packets sent and received `step_us` apart; the next sending. For benchmarks."""
        cdef int _
        with nogil:
            for _ in range(count):
                throughput_add(&self.through, send_us, send_us, size_bytes)
                send_us += step_us
        return send_us

    def ask_many(self, int64_t send_us, int count, int64_t step_us, int size_bytes):
        """As `add_many`, and the rate after each; the sum of the rates. For benchmarks."""
        cdef int64_t bps = 0
        cdef int _
        with nogil:
            for _ in range(count):
                throughput_add(&self.through, send_us, send_us, size_bytes)
                bps += throughput_bps(&self.through)
                send_us += step_us
        return bps

    @property
    def bps(self):
        """Bits per second; -1: not known yet."""
        return throughput_bps(&self.through)

    @property
    def packets(self):
        """How many the window holds."""
        return self.through.end - self.through.first
