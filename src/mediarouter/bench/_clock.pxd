# Clocks and naps of the benchmark's threads
from libc.stdint cimport int64_t

cdef extern from *:
    """
    #include <sched.h>
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
    #ifndef SCHED_RESET_ON_FORK
    #define SCHED_RESET_ON_FORK 0x40000000
    #endif
    /* Where the system allows it, what stands for other machines is not delayed by what else this one does: a thread
       that sends goes before all, one that receives goes as early as a router's. */
    static inline void go_early(int priority) {
        struct sched_param wanted = { .sched_priority = priority };
        sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &wanted);
    }
    """
    int64_t clock_now_ns(int clock) nogil
    void sleep_until_ns(int64_t at_ns) nogil
    void sleep_exactly() nogil
    void go_early(int priority) nogil
    int CLOCK_MONOTONIC, CLOCK_REALTIME

cdef enum:
    RECEIVING_PRIORITY = 1
    SENDING_PRIORITY = 2
