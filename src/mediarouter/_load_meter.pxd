# How busy the engine thread is: the share of time between waking and sleeping. Sans-IO.
from libc.stdint cimport int64_t

cdef struct LoadMeter:
    int64_t began_us               # of the window that is measured
    int64_t busy_us                # in it
    double share                   # of the last windows, 0 to 1
    bint loaded

# The thread was awake from one time to the other
cdef void load_meter_note(LoadMeter *meter, int64_t woke_us, int64_t slept_us) noexcept nogil
