# Which layer of each stream one viewer gets: a budget shared out among the streams that the viewer watches. Sans-IO,
# integers only, no memory but what the caller gives. Theory of operation: _allocator.pyx.
#
# What the caller gives as budget: min(estimate, 0.95 * capacity where that is known) less a reserve for retransmissions
# (their average rate, 10 % at most) and less what a standing queue needs to drain. Audio is in it, as streams of the
# highest class. What the caller gives as a layer's rate: the highest of the rate measured over a second, its average
# over five, and what the publisher announced, so that a layer that has just begun does not look cheap.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from mediarouter.congestion._alloc_stream cimport AllocStream, alloc_stream_init, allocation_applied

cdef enum:
    ALLOC_STREAMS_MAX = 64         # of allocate(), whose rows are on the stack; allocate_within() takes any number

cdef struct AllocResult:
    int64_t total_bps              # of all targets
    int64_t wanted_bps             # if all wishes were met
    int64_t demand_bps             # what a prober should look for, see _allocator.pyx; total_bps: nothing
    int64_t next_demand_bps        # a budget at which the cheapest step that is still wanted would be taken; 0: none is

# What allocate_within() works with: one a stream, private to _allocator.pyx
cdef struct AllocRow:
    uint64_t rank                  # lower comes first
    uint64_t slope                 # of the step that is next
    int64_t keep_bps               # proven by use, and not granted again yet
    int64_t current_bps            # of the layer in force, 0: none, or it does not flow any more
    uint32_t wanted
    uint32_t unrefused             # of those
    uint32_t kept                  # of those, what is not above the layer in force, if that is a corner; 0: it is none
    int8_t current                 # index of that layer, where `kept` is not 0
    int8_t at                      # granted so far; index, -1 none
    int8_t next                    # index of the step that is next
    uint8_t limited                # a step did not fit: look only for those that do
    uint8_t reserved               # room is kept for an upgrade that waits

# Choose the targets of at most ALLOC_STREAMS_MAX streams; any above are paused. Pure: only the fields under "out" are
# written, and equal input gives equal output.
cdef void allocate(int64_t now_us, int64_t budget_bps, AllocStream *streams, int count,
                   AllocResult *result) noexcept nogil
# The same for any number: `rows` has `count` of them, `places` twice as many
cdef void allocate_within(int64_t now_us, int64_t budget_bps, AllocStream *streams, int count, AllocResult *result,
                          AllocRow *rows, int32_t *places) noexcept nogil
