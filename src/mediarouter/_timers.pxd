# A hashed timer wheel: slots of about a millisecond, timers chained into them, a bitmap of the occupied ones. Arming
# and cancelling cost a few instructions; nothing is allocated, since a timer lives inside what it belongs to. Sans-IO.
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef struct Timer:
    int64_t deadline_us
    void *owner
    Timer *next                    # in its slot
    Timer **link                   # what points here
    int kind                       # the owner's own meaning
    bint armed

cdef struct TimerWheel             # private to _timers.pyx

cdef TimerWheel *timer_wheel_new() noexcept nogil          # NULL: no memory
cdef void timer_wheel_free(TimerWheel *wheel) noexcept nogil
cdef void timer_init(Timer *timer, int kind, void *owner) noexcept nogil
# Arm or re-arm. A deadline in the past is due at once.
cdef void timer_arm(TimerWheel *wheel, Timer *timer, int64_t deadline_us) noexcept nogil
# For what may be up to 66 ms late: deadlines are rounded up, so that one waking serves many timers
cdef void timer_arm_coarsely(TimerWheel *wheel, Timer *timer, int64_t deadline_us) noexcept nogil
cdef void timer_cancel(TimerWheel *wheel, Timer *timer) noexcept nogil
# One timer that is due, disarmed; NULL: none. `now_us` must not go back.
cdef Timer *timer_poll(TimerWheel *wheel, int64_t now_us) noexcept nogil
# When the next one is due; -1: none is armed. Never later than the truth, and earlier only for deadlines beyond a turn
# of the wheel (4 s).
cdef int64_t timer_next_deadline_us(const TimerWheel *wheel) noexcept nogil

# The earlier of two deadlines, of which -1 is none
cdef inline int64_t timer_earlier(int64_t one_us, int64_t other_us) noexcept nogil:
    return one_us if other_us < 0 or 0 <= one_us < other_us else other_us
