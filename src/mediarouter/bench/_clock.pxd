# Clocks and naps of the benchmark's threads
from libc.stdint cimport int64_t

cdef extern from *:
    """
    #include <sys/prctl.h>
    #include <time.h>
    static inline long long clock_now_ns(int clock) {
        struct timespec time;
        clock_gettime(clock, &time);
        return time.tv_sec * 1000000000LL + time.tv_nsec;
    }
    static inline void sleep_until_ns(long long at_ns) {
        struct timespec time = { at_ns / 1000000000LL, at_ns % 1000000000LL };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, 0) != 0) {}
    }
    static inline void sleep_exactly(void) { prctl(PR_SET_TIMERSLACK, 1UL); }
    """
    int64_t clock_now_ns(int clock) nogil
    void sleep_until_ns(int64_t at_ns) nogil
    void sleep_exactly() nogil
    int CLOCK_MONOTONIC, CLOCK_REALTIME
