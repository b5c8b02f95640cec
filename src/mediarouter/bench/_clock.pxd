# Clocks and naps of the benchmark's threads
from libc.stdint cimport int64_t

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sched.h>
    #include <stdio.h>
    #include <sys/prctl.h>
    #include <time.h>
    #include <unistd.h>
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
    /* How long this thread has been ready to run while others had the processor; 0 where Linux does not tell. */
    static inline long long thread_waited_ns(void) {
        char text[96] = {0};
        unsigned long long ran, waited = 0;
        int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return 0;
        if (read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%llu %llu", &ran, &waited) != 2)
            waited = 0;
        close(fd);
        return (long long) waited;
    }
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
    int64_t thread_waited_ns() nogil
    void go_early(int priority) nogil
    int CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID

cdef enum:
    RECEIVING_PRIORITY = 1
    SENDING_PRIORITY = 2
