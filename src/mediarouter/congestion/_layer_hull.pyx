"""The layers of one stream, and the steps along their convex hull.

Theory of operation
A layer is a point: the bitrate of sending it, and the utility of seeing it. The table holds totals, so that all kinds
of streams fit: for a simulcast stream the rate of the one encoding that is forwarded, down to the temporal layer; for
a scalable one (SVC) the sum of the layers that the target depends on, which are sent too; for audio a single row.

What gives most for few bits are the corners of the upper convex hull of these points. A layer under the hull is
passed over: the step that leads to it is merged into the next. The hull is not built; `hull_step` finds the next
corner as one wraps a parcel (Jarvis's march), from the present one and among those layers that are still in question.
A stream has nine layers, or thirty-two: each march is one pass over them, and what was refused is simply left out of
the next.

Utility has its place here because it is a property of layers. 1024 * log2(pixels * sqrt(fps)): four times the pixels
are always worth the same, however large the picture is, so that of two equal streams both get their middle layer
before one gets its highest; four times the frames are worth half as much.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from *:
    int lowest_bit "__builtin_ctz"(unsigned int bits) nogil
    int leading_zeros "__builtin_clzll"(unsigned long long bits) nogil

cdef enum:
    FRACTION_BITS = 10             # of a logarithm: 1024 to a doubling


cdef inline bint within(const AllocLayer *layer, const AllocWish *wish) noexcept nogil:
    return (layer.spatial <= wish.max_spatial and layer.temporal <= wish.max_temporal
            and (wish.max_height == 0 or layer.height <= wish.max_height)
            and (wish.max_fps == 0 or layer.fps <= wish.max_fps))


cdef uint32_t hull_wanted(const AllocLayer *layers, int count, const AllocWish *wish) noexcept nogil:
    cdef uint32_t there = 0, limited = 0, wanted = 0
    cdef int i
    for i in range(min(count, <int>ALLOC_LAYERS_MAX)):
        if layers[i].bitrate_bps <= 0:
            continue
        there |= <uint32_t>1 << i
        if within(&layers[i], wish):
            limited |= <uint32_t>1 << i
            if layers[i].spatial >= wish.min_spatial and layers[i].temporal >= wish.min_temporal:
                wanted |= <uint32_t>1 << i
    if wanted:
        return wanted
    if limited:
        return limited
    return <uint32_t>1 << hull_lowest(layers, there) if there else 0


cdef int hull_lowest(const AllocLayer *layers, uint32_t among) noexcept nogil:
    cdef int best = lowest_bit(among)
    cdef int i
    while among:
        i = lowest_bit(among)
        among &= among - 1
        if (layers[i].bitrate_bps < layers[best].bitrate_bps
                or (layers[i].bitrate_bps == layers[best].bitrate_bps and layers[i].utility > layers[best].utility)):
            best = i
    return best


cdef int hull_highest(const AllocLayer *layers, uint32_t among) noexcept nogil:
    cdef int best = lowest_bit(among)
    cdef int i
    while among:
        i = lowest_bit(among)
        among &= among - 1
        if (layers[i].utility > layers[best].utility
                or (layers[i].utility == layers[best].utility and layers[i].bitrate_bps < layers[best].bitrate_bps)):
            best = i
    return best


cdef int hull_step(const AllocLayer *layers, uint32_t *among, int at, int64_t limit_bps) noexcept nogil:
    cdef uint32_t left = among[0]
    cdef int best = -1
    cdef int64_t gain, cost, best_gain = 0, best_cost = 1
    cdef int i
    while left:
        i = lowest_bit(left)
        left &= left - 1
        gain = layers[i].utility - layers[at].utility
        cost = layers[i].bitrate_bps - layers[at].bitrate_bps
        if gain <= 0:
            among[0] &= ~(<uint32_t>1 << i)
            continue
        if cost > limit_bps:
            continue
        cost = max(cost, 1)        # more for the same rate, or for less, is a step too
        # slopes compared by their cross products: 20 bits of utility by 40 of rate
        if best < 0 or gain * best_cost > best_gain * cost or (gain * best_cost == best_gain * cost
                                                               and cost < best_cost):
            best, best_gain, best_cost = i, gain, cost
    return best


cdef int hull_find(const AllocLayer *layers, int count, int spatial, int temporal) noexcept nogil:
    cdef int i
    for i in range(min(count, <int>ALLOC_LAYERS_MAX)):
        if layers[i].spatial == spatial and layers[i].temporal == temporal and layers[i].bitrate_bps > 0:
            return i
    return -1


cdef int64_t log2_scaled(uint64_t value) noexcept nogil:
    # of a positive number, in 1/1024: the whole part is its highest bit; squaring what is left tells one bit a time
    cdef int whole = 63 - leading_zeros(value)
    cdef uint64_t mantissa = value << (63 - whole) >> 32      # 1 <= mantissa / 2**31 < 2
    cdef int64_t result = whole
    cdef int _bit
    for _bit in range(FRACTION_BITS):
        mantissa = mantissa * mantissa >> 31
        result <<= 1
        if mantissa >> 32:
            mantissa >>= 1
            result |= 1
    return result


cdef int64_t layer_utility(int64_t pixels, int64_t fps) noexcept nogil:
    if pixels <= 0:
        return 0
    return log2_scaled(<uint64_t>pixels) + (log2_scaled(<uint64_t>fps) >> 1 if fps > 0 else 0)


# ---- the Python face

def utility(int64_t pixels, int64_t fps):
    """1024 * log2(pixels * sqrt(fps)), the default utility of a layer: what layers of one stream are compared by.

    Args:
        pixels: of a picture, width by height; below 2**62. 0 or less: unknown, the utility is 0.
        fps: pictures a second; 0 or less: unknown, pixels count alone.
    """
    return layer_utility(pixels, fps)


@cython.final
cdef class LayerHull:
    """The hull of one stream's layers, for tests: the same functions, Python numbers.

    Args:
        layers: (spatial, temporal, bitrate_bps, utility, height, fps) of each, 32 at most.

    Raises:
        ValueError: more than 32 layers.
    """
    cdef AllocLayer layers[ALLOC_LAYERS_MAX]
    cdef int count

    def __cinit__(self, layers):
        cdef AllocLayer *row
        self.count = len(layers)
        if self.count > ALLOC_LAYERS_MAX:
            raise ValueError("a stream has 32 layers at most")
        for i, (spatial, temporal, bitrate_bps, worth, height, fps) in enumerate(layers):
            row = &self.layers[<int>i]
            row.spatial, row.temporal = spatial, temporal
            row.bitrate_bps, row.utility = bitrate_bps, worth
            row.height, row.fps = height, fps

    def wanted(self, int max_spatial=127, int max_temporal=127, int min_spatial=0, int min_temporal=0,
               int max_height=0, int max_fps=0):
        """Indices of the layers that such a wish allows."""
        cdef AllocWish wish
        cdef uint32_t found
        wish.max_spatial, wish.max_temporal = max_spatial, max_temporal
        wish.min_spatial, wish.min_temporal = min_spatial, min_temporal
        wish.max_height, wish.max_fps = max_height, max_fps
        found = hull_wanted(self.layers, self.count, &wish)
        return [i for i in range(ALLOC_LAYERS_MAX) if found >> <int>i & 1]

    def corners(self, int64_t limit_bps=-1):
        """Indices along the hull, from the cheapest layer to the best; of layers of at most so much, -1: of all."""
        cdef uint32_t among = 0
        cdef int at
        for i in range(self.count):
            if self.layers[<int>i].bitrate_bps > 0 and (
                    limit_bps < 0 or self.layers[<int>i].bitrate_bps <= limit_bps):
                among |= <uint32_t>1 << <int>i
        if not among:
            return []
        at = hull_lowest(self.layers, among)
        found = [at]
        while (at := hull_step(self.layers, &among, at, <int64_t>1 << 41)) >= 0:
            found.append(at)
        return found

    def highest(self):
        """Index of the most useful layer, None when all are absent."""
        cdef AllocWish wish
        cdef uint32_t found
        wish.max_spatial = wish.max_temporal = ALLOC_LAYER_ANY
        wish.min_spatial = wish.min_temporal = 0
        wish.max_height = wish.max_fps = 0
        found = hull_wanted(self.layers, self.count, &wish)
        return hull_highest(self.layers, found) if found else None
