# One stream's layers as one viewer may have them: which of them are wanted, and the steps along their upper convex hull
# of utility over bitrate, on which each bit buys the most. Layers are named by their index in the table, -1 is none.
from libc.stdint cimport int8_t, int32_t, int64_t, uint16_t, uint32_t

cdef enum:
    ALLOC_LAYERS_MAX = 32          # of one stream: 4 spatial by 8 temporal
    ALLOC_UTILITY_MAX = 0xFFFFF
    ALLOC_LAYER_ANY = 127          # a wish for no limit

# A row of a publisher's table, which all its viewers read. Rows come in any order, each (spatial, temporal) once.
cdef struct AllocLayer:
    int64_t bitrate_bps            # of ALL that is sent when this is the target; 0: absent; below 2**40
    # 0..ALLOC_UTILITY_MAX, as layer_utility() or what the service says. Only differences count. It should grow with
    # spatial first, then with temporal; where it does not, targets may need a second call to settle.
    int64_t utility
    int32_t key_frame_bytes        # what a switch to it costs once; 0: unknown
    uint16_t height                # of the picture, pixels; 0: unknown
    uint16_t fps                   # pictures a second; 0: unknown
    int8_t spatial                 # 0..3
    int8_t temporal                # 0..7

# What a viewer wants of one stream
cdef struct AllocWish:
    int8_t max_spatial             # ALLOC_LAYER_ANY: the best there is
    int8_t max_temporal
    int8_t min_spatial             # what is below is of no use: nothing is sent instead
    int8_t min_temporal
    uint16_t max_height            # 0: no limit
    uint16_t max_fps               # 0: no limit

# Bit i: layer i may be the target. Where no layer fits the wish, its minimum is given up first, then the limits for
# the cheapest layer: a viewer gets something of any stream that flows. 0: nothing flows.
cdef uint32_t hull_wanted(const AllocLayer *layers, int count, const AllocWish *wish) noexcept nogil
# The cheapest of a set, which is not empty; of several the most useful
cdef int hull_lowest(const AllocLayer *layers, uint32_t among) noexcept nogil
# The most useful of a set, which is not empty; of several the cheapest
cdef int hull_highest(const AllocLayer *layers, uint32_t among) noexcept nogil
# The next corner of the hull above layer `at`: of those in the set that cost at most `limit_bps` more, the one that
# brings the most utility for its bits, of several the nearest. -1: none. Those that bring nothing leave the set.
cdef int hull_step(const AllocLayer *layers, uint32_t *among, int at, int64_t limit_bps) noexcept nogil
# The layer with these numbers, absent ones left out; -1: none
cdef int hull_find(const AllocLayer *layers, int count, int spatial, int temporal) noexcept nogil
# Utility of a picture of so many pixels, so many times a second: 1024 * log2(pixels * sqrt(fps)), 0 when unknown
cdef int64_t layer_utility(int64_t pixels, int64_t fps) noexcept nogil
