# Packets sent together, as groups, and how much later each group was sent and arrived than the one before it.
from libc.stdint cimport int64_t

cdef struct SendGroup:
    int64_t first_send_us
    int64_t last_send_us
    int64_t first_arrival_us       # of the packet that began the group
    int64_t last_arrival_us        # of the packet sent last
    int64_t now_us                 # when the feedback about its last packet was read
    int64_t size_bytes

cdef struct InterArrival:
    SendGroup current              # still open
    SendGroup previous             # what the next deltas are taken to
    int groups                     # 0: nothing yet, 1: only `current`, 2: both

cdef void inter_arrival_init(InterArrival *ia) noexcept nogil
# A packet in order of sending numbers. True when a group was closed: its deltas to the group before are written.
cdef bint inter_arrival_add(InterArrival *ia, int64_t send_us, int64_t arrival_us, int64_t now_us, int size_bytes,
                            int64_t *send_delta_us, int64_t *arrival_delta_us) noexcept nogil
