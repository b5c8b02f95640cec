"""The engine's timers; `_timers.pxd` tells how they are kept."""

cimport cython
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef extern from *:
    int lowest_bit "__builtin_ctzll"(unsigned long long bits) nogil

cdef enum:
    SLOT_SHIFT = 10                # a slot is 1,024 us
    SLOTS = 4096                   # a turn is 4.19 s
    COARSE_US = 65536
    WORDS = 64


cdef struct TimerWheel:
    Timer *slots[4096]
    uint64_t occupied[64]          # a bit a slot
    int64_t tick                   # no armed timer stands in a slot before this one
    int64_t polled                 # the slot of the last poll
    int armed


cdef TimerWheel *timer_wheel_new() noexcept nogil:
    return <TimerWheel *>calloc(1, sizeof(TimerWheel))


cdef void timer_wheel_free(TimerWheel *wheel) noexcept nogil:
    free(wheel)


cdef void timer_init(Timer *timer, int kind, void *owner) noexcept nogil:
    memset(timer, 0, sizeof(Timer))
    timer.kind = kind
    timer.owner = owner


cdef void timer_arm(TimerWheel *wheel, Timer *timer, int64_t deadline_us) noexcept nogil:
    cdef int64_t tick = deadline_us >> SLOT_SHIFT
    cdef int slot
    timer_cancel(wheel, timer)
    timer.deadline_us = deadline_us
    if tick < wheel.polled:
        tick = wheel.polled        # overdue: the first slot that will be looked at
    if wheel.armed == 0 or tick < wheel.tick:
        wheel.tick = tick
    slot = <int>(tick & (SLOTS - 1))
    timer.next = wheel.slots[slot]
    timer.link = &wheel.slots[slot]
    if timer.next != NULL:
        timer.next.link = &timer.next
    wheel.slots[slot] = timer
    wheel.occupied[slot >> 6] |= <uint64_t>1 << (slot & 63)
    timer.armed = True
    wheel.armed += 1


cdef void timer_arm_coarsely(TimerWheel *wheel, Timer *timer, int64_t deadline_us) noexcept nogil:
    timer_arm(wheel, timer, (deadline_us + COARSE_US - 1) & ~<int64_t>(COARSE_US - 1))


cdef void timer_cancel(TimerWheel *wheel, Timer *timer) noexcept nogil:
    cdef int64_t slot
    if not timer.armed:
        return
    timer.link[0] = timer.next
    if timer.next != NULL:
        timer.next.link = timer.link
    slot = timer.link - wheel.slots
    if timer.next == NULL and 0 <= slot < SLOTS and timer.link == &wheel.slots[slot]:
        wheel.occupied[slot >> 6] &= ~(<uint64_t>1 << (slot & 63))
    timer.armed = False
    wheel.armed -= 1


cdef int64_t next_occupied(const TimerWheel *wheel) noexcept nogil:
    # the tick of the first occupied slot from wheel.tick on, within one turn; the wheel is not empty
    cdef int slot = <int>(wheel.tick & (SLOTS - 1))
    cdef int word = slot >> 6
    cdef int _turn
    cdef uint64_t bits = wheel.occupied[word] & (~<uint64_t>0 << (slot & 63))
    for _turn in range(WORDS + 1):
        if bits:
            return wheel.tick + ((((word << 6) + lowest_bit(bits)) - slot) & (SLOTS - 1))
        word = (word + 1) & (WORDS - 1)
        bits = wheel.occupied[word]
    return wheel.tick


cdef Timer *timer_poll(TimerWheel *wheel, int64_t now_us) noexcept nogil:
    cdef int64_t now_tick = now_us >> SLOT_SHIFT
    cdef int64_t tick
    cdef Timer *timer
    wheel.polled = now_tick
    while wheel.armed:
        tick = next_occupied(wheel)
        if tick > now_tick:
            wheel.tick = now_tick  # what lies between is empty
            return NULL
        wheel.tick = tick
        timer = wheel.slots[tick & (SLOTS - 1)]
        while timer != NULL:
            if timer.deadline_us <= now_us:
                timer_cancel(wheel, timer)
                return timer
            timer = timer.next
        if tick == now_tick:
            return NULL            # later within this very slot
        wheel.tick = tick + 1      # what stays here is due a turn later
    return NULL


cdef int64_t timer_next_deadline_us(const TimerWheel *wheel) noexcept nogil:
    cdef int64_t tick, earliest
    cdef const Timer *timer
    if wheel.armed == 0:
        return -1
    tick = next_occupied(wheel)
    earliest = (tick + 1) << SLOT_SHIFT
    timer = wheel.slots[tick & (SLOTS - 1)]
    while timer != NULL:
        if timer.deadline_us < earliest:
            earliest = timer.deadline_us
        timer = timer.next
    return earliest if earliest > 0 else 0


@cython.final
cdef class TimerWheelFace:
    """A TimerWheel for tests: timers are numbers."""
    cdef TimerWheel *wheel
    cdef Timer timers[64]

    def __cinit__(self):
        cdef int i
        self.wheel = timer_wheel_new()
        if self.wheel == NULL:
            raise MemoryError
        for i in range(64):
            timer_init(&self.timers[i], i, NULL)

    def __dealloc__(self):
        timer_wheel_free(self.wheel)

    def arm(self, int number, int64_t deadline_us):
        """Arm or re-arm timer 0..63."""
        timer_arm(self.wheel, &self.timers[number & 63], deadline_us)

    def arm_coarsely(self, int number, int64_t deadline_us):
        """Arm timer 0..63 for a deadline that it shares with others."""
        timer_arm_coarsely(self.wheel, &self.timers[number & 63], deadline_us)

    def cancel(self, int number):
        """Disarm it; one that is not armed is no error."""
        timer_cancel(self.wheel, &self.timers[number & 63])

    def poll(self, int64_t now_us):
        """The number of one due timer, None."""
        cdef Timer *timer = timer_poll(self.wheel, now_us)
        return None if timer == NULL else timer.kind

    def next_deadline_us(self):
        """When to poll next; -1: nothing is armed."""
        return timer_next_deadline_us(self.wheel)
