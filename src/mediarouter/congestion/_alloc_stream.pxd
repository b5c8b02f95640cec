# One stream of one viewer as the allocator sees it: what is wanted of it, what is in force, and what was decided. Its
# history is what time tells, so that the allocator itself needs none.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t
from mediarouter.congestion._layer_hull cimport AllocLayer, AllocWish

cdef enum:
    ALLOC_WEIGHT_MAX = 1000
    ALLOC_STABLE_US = 500000       # how long room must last, and how long use proves what the path carries

# Strict: no bit goes to a better layer of a lower class while a higher one could use it
cdef enum AllocClass:
    ALLOC_AUDIO = 0
    ALLOC_SCREEN = 1
    ALLOC_PINNED = 2
    ALLOC_SPEAKER = 3
    ALLOC_GRID = 4

# Why a stream has the target it has; the first that applied
cdef enum AllocReason:
    ALLOC_MET = 0                  # all that was wished for
    ALLOC_BANDWIDTH = 1            # the budget has no room for more
    ALLOC_PRIORITY = 2             # it would have, but for streams of higher classes
    ALLOC_HELD = 3                 # it has, but not for long enough or not with the margin an upgrade needs
    ALLOC_BACK_OFF = 4             # it has, but an upgrade failed a short time ago
    ALLOC_NO_LAYER = 5             # nothing flows
    ALLOC_MUTED = 6                # the caller said so
    ALLOC_OVERSEND = 7             # sent beyond the budget, since it must be sent

# One stream of one viewer. The caller keeps it, zeroed by alloc_stream_init, from call to call.
cdef struct AllocStream:
    const AllocLayer *layers       # the publisher's table, borrowed for the length of a call
    int32_t layer_count            # 0..ALLOC_LAYERS_MAX
    AllocWish wish
    uint16_t weight                # inside its class, 1..ALLOC_WEIGHT_MAX
    uint8_t stream_class           # AllocClass
    uint8_t must_send              # never paused: its cheapest wanted layer goes beyond the budget rather
    uint8_t muted                  # not to be sent at present
    uint8_t proven                 # a probe or acknowledged packets have shown this budget: an upgrade need not wait
    # state: what is in force, written by allocation_applied
    int8_t current_spatial         # -1: paused
    int8_t current_temporal
    int32_t failed_upgrades        # in a row
    int64_t last_change_us         # -1: not sent since it was last muted, or ever
    int64_t last_upgrade_us        # -1: none that could still fail
    int64_t room_since_us          # an upgrade has had room ever since; -1: it has none
    int64_t backoff_until_us
    int64_t upgrade_budget_bps     # under which the last upgrade was decided; 0: there was none
    # out, written by allocate
    int8_t target_spatial          # -1: paused
    int8_t target_temporal
    uint8_t reason                 # AllocReason
    uint8_t has_room               # an upgrade was refused for time alone
    int64_t bitrate_bps            # of the target
    int64_t budget_bps             # for all streams

cdef void alloc_stream_init(AllocStream *stream) noexcept nogil
# The targets came into force: they are the current layers now, and what time tells is noted. Call it after each
# allocate(), also when nothing changed.
cdef void allocation_applied(int64_t now_us, AllocStream *streams, int count) noexcept nogil
