# What the Python faces of this folder check alike.
from libc.stdint cimport int64_t

cdef inline int check_time(int64_t now_us) except -1:
    # sums of two times, and of a time and any wait, stay below 2**63
    if not 0 <= now_us < <int64_t>1 << 60:
        raise ValueError("time must be 0 .. 2**60 us")
    return 0
