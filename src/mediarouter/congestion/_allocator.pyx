"""A budget shared out among the streams of one viewer; `_allocator.pxd` names the words.

Theory of operation
Streams have a class, which is strict, and a weight inside it. A call starts from nothing and goes in three phases.

Start. Streams that must be sent get their cheapest wanted layer, whatever the budget. Then every other stream gets
its own, by class, then weight, then those that run before those that do not, then the cheaper. So pausing is the last
resort: it happens to the lowest class, when not even the smallest layers fit, and a stream that does not fit does not
keep a smaller one behind it from starting.

Raise. Class by class, the step is taken that brings the most utility for its bits, weighted, over all streams of the
class: each goes along the convex hull of its layers (`_layer_hull`), so the heads of the streams are all there is to
compare, and a heap holds them. A step that does not fit is left out, and its stream goes on with what fits. Within a
class this is the best there is, up to one step.

Tell. Each stream gets the reason why it has not more, and the result says what the cheapest wanted step would need:
that is what is worth probing for.

Hysteresis lies in what steps are admitted. Keeping what is in force needs room for it and nothing else, and a peer
takes room away from it only for a gain half as large again, so that two equal streams do not take turns. Going
down is free, and at once. Going up, from the layer in force, is not:

- any step up leaves a margin of 1/32 of the budget, so that what was just taken is not given back for a dip of 3 %;
- a spatial step, and a resumption, leaves a tenth of its own bits at least, and the bits of the key frame it costs;
- they wait until that room has been there for 500 ms, unless the budget is proven by a probe or acknowledged packets;
- after an upgrade that did not hold for 30 s, a stream waits for 1 s, then 2, 4, 8 and 10 s, until one does hold; but
  not under twice the budget that it was made under, which is what is looked for meanwhile.

An upgrade that waits keeps its room: others may keep what they have, but not take it. Bits that the path has carried
for 500 ms need no proof. Where they belong to streams that come later, a stream may take them over at once: so a new
speaker has the large picture without waiting, and a stream that could not be resumed for want of proof gets the bits
of lower classes. Those who pay are the ones that lose the least utility, since the rest of the call shares out what
is left. Audio, and streams that were never sent, know no hysteresis.

What was decided is noted by `allocation_applied` (`_alloc_stream`), so that `allocate` is a pure function of its
rows. From this follows: the sum is within the budget unless a stream must be sent; targets that were applied are
chosen again for the same budget, and for any smaller one that they fit; and more budget shows first where the order
comes first: one more stream is started, or else a higher class has more utility.

Cost: a pass over a stream's layers for each step, and a heap operation. With n streams, O(steps * (layers + log n)).
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from mediarouter.congestion._alloc_stream cimport (
    ALLOC_AUDIO,
    ALLOC_BACK_OFF,
    ALLOC_BANDWIDTH,
    ALLOC_HELD,
    ALLOC_MET,
    ALLOC_MUTED,
    ALLOC_NO_LAYER,
    ALLOC_OVERSEND,
    ALLOC_PRIORITY,
    ALLOC_STABLE_US,
    ALLOC_WEIGHT_MAX,
    AllocStream,
    alloc_stream_init,
    allocation_applied,
)
from mediarouter.congestion._layer_hull cimport (
    ALLOC_LAYERS_MAX,
    AllocLayer,
    hull_find,
    hull_highest,
    hull_lowest,
    hull_step,
    hull_wanted,
)

cdef enum:
    KEY_FRAME_US = 1000000         # a key frame's bits are counted for so long after a switch
    BUDGET_MARGIN_SHIFT = 5        # 1/32
    STEP_MARGIN = 10               # a tenth
    DEMAND_PERCENT = 115
    AMPLE = 2                      # times the budget under which an upgrade failed
    KEEP_QUARTERS = 6              # slope of a step that keeps what is in force, in quarters
    SLOPE_SHIFT = 28               # 10 bits of weight, 20 of utility, 3 of quarters, and these: below 2**62
    NO_LIMIT_SHIFT = 60


cdef struct AllocCall:
    AllocStream *streams
    AllocRow *rows
    int32_t *order                 # streams by rank
    int32_t *heap                  # places in `order`
    int64_t now_us
    int64_t budget_bps
    int64_t rest_bps               # of the budget; negative where it was exceeded
    int64_t reserved_bps           # of the rest: not for new upgrades
    int64_t pool_bps               # in use, proven by time, and not granted again yet
    int64_t above_bps              # granted to higher classes, in this phase
    int64_t narrow_bps             # the first step that would fit, but leaves no margin; 0: none
    int64_t narrow_need_bps        # what it should find
    int32_t count
    int32_t heap_size


cdef void allocate(int64_t now_us, int64_t budget_bps, AllocStream *streams, int count,
                   AllocResult *result) noexcept nogil:
    cdef AllocRow rows[ALLOC_STREAMS_MAX]
    cdef int32_t places[2 * ALLOC_STREAMS_MAX]
    cdef int i
    for i in range(ALLOC_STREAMS_MAX, count):
        pause(&streams[i], ALLOC_PRIORITY)
    allocate_within(now_us, budget_bps, streams, min(count, <int>ALLOC_STREAMS_MAX), result, rows, places)


cdef void allocate_within(int64_t now_us, int64_t budget_bps, AllocStream *streams, int count, AllocResult *result,
                          AllocRow *rows, int32_t *places) noexcept nogil:
    cdef AllocCall call
    cdef int i
    call.streams, call.rows, call.order, call.heap = streams, rows, places, places + count
    call.now_us = now_us
    call.budget_bps = call.rest_bps = max(budget_bps, 0)
    call.reserved_bps = call.pool_bps = call.narrow_bps = call.narrow_need_bps = 0
    call.count = count
    for i in range(count):
        survey(&call, i)
    sort_by_rank(&call)
    start_all(&call)
    raise_all(&call)
    tell(&call, result)


# ---- what there is to share

cdef inline void pause(AllocStream *stream, int reason) noexcept nogil:
    stream.target_spatial = stream.target_temporal = -1
    stream.bitrate_bps = 0
    stream.has_room = 0
    stream.reason = <uint8_t>reason


cdef void survey(AllocCall *call, int index) noexcept nogil:
    cdef AllocStream *stream = &call.streams[index]
    cdef AllocRow *row = &call.rows[index]
    cdef int64_t lowest_bps
    memset(row, 0, sizeof(AllocRow))
    pause(stream, ALLOC_MET)
    stream.budget_bps = call.budget_bps
    row.at = row.next = -1
    row.rank = ~<uint64_t>0
    if not stream.muted:
        row.wanted = hull_wanted(stream.layers, stream.layer_count, &stream.wish)
    if row.wanted == 0:
        stream.reason = ALLOC_MUTED if stream.muted else ALLOC_NO_LAYER
        return
    row.unrefused = row.wanted
    if stream.current_spatial >= 0:
        survey_current(call, stream, row)
    lowest_bps = stream.layers[hull_lowest(stream.layers, row.wanted)].bitrate_bps
    # class, weight, running, rate
    row.rank = <uint64_t>(stream.stream_class & 7) << 60
    row.rank |= <uint64_t>(ALLOC_WEIGHT_MAX - min(stream.weight, <int>ALLOC_WEIGHT_MAX)) << 48
    row.rank |= <uint64_t>(stream.current_spatial < 0) << 47 | <uint64_t>lowest_bps


cdef void survey_current(AllocCall *call, AllocStream *stream, AllocRow *row) noexcept nogil:
    cdef const AllocLayer *layers = stream.layers
    cdef int current = hull_find(layers, stream.layer_count, stream.current_spatial, stream.current_temporal)
    cdef bint corner
    cdef int i
    if current < 0:
        return
    row.current = <int8_t>current
    row.current_bps = layers[current].bitrate_bps
    if call.now_us - stream.last_change_us >= ALLOC_STABLE_US:
        row.keep_bps = row.current_bps
        call.pool_bps += row.keep_bps
    if 0 <= stream.last_upgrade_us and call.now_us - stream.last_upgrade_us < KEY_FRAME_US:
        call.reserved_bps += <int64_t>layers[current].key_frame_bytes * 8
    # The layer in force is a corner of the walk, wherever the hull runs; unless another gives as much for less
    corner = row.wanted >> current & 1
    for i in range(min(stream.layer_count, <int>ALLOC_LAYERS_MAX)):
        if row.wanted >> i & 1 and keeps(stream, row, &layers[i]):
            row.kept |= <uint32_t>1 << i
            corner = corner and (i == current or layers[i].utility < layers[current].utility)
    if not corner:
        row.kept = 0


cdef void sort_by_rank(AllocCall *call) noexcept nogil:
    # by insertion: a viewer's streams are few, and in much the same order from call to call
    cdef int i, k
    for i in range(call.count):
        k = i
        while k > 0 and call.rows[call.order[k - 1]].rank > call.rows[i].rank:
            call.order[k] = call.order[k - 1]
            k -= 1
        call.order[k] = i


# ---- the two phases

cdef void grant(AllocCall *call, AllocRow *row, int layer, int64_t cost_bps) noexcept nogil:
    cdef int64_t kept_bps = min(row.keep_bps, cost_bps)
    row.keep_bps -= kept_bps
    call.pool_bps -= kept_bps
    call.rest_bps -= cost_bps
    row.at = <int8_t>layer


cdef void start_all(AllocCall *call) noexcept nogil:
    cdef AllocStream *stream
    cdef AllocRow *row
    cdef int64_t cost_bps, before_bps = call.budget_bps
    cdef int i, lowest, stream_class = -1
    call.above_bps = 0
    for i in range(2 * call.count):    # those that must be sent, then the others
        stream = &call.streams[call.order[i % call.count]]
        row = &call.rows[call.order[i % call.count]]
        if row.wanted == 0 or (stream.must_send != 0) != (i < call.count):
            continue
        lowest = hull_lowest(stream.layers, row.wanted)
        cost_bps = stream.layers[lowest].bitrate_bps
        if stream.must_send:
            if cost_bps > call.rest_bps:
                stream.reason = ALLOC_OVERSEND
            grant(call, row, lowest, cost_bps)
            continue
        if stream.stream_class != stream_class:
            stream_class = stream.stream_class
            call.above_bps = before_bps - call.rest_bps
        if admits(call, stream, row, lowest, cost_bps):
            grant(call, row, lowest, cost_bps)


cdef void raise_all(AllocCall *call) noexcept nogil:
    cdef int64_t before_bps = call.rest_bps
    cdef int end, start = 0
    while start < call.count:
        end = start
        while end < call.count and (call.streams[call.order[end]].stream_class
                                    == call.streams[call.order[start]].stream_class):
            end += 1
        call.above_bps = before_bps - call.rest_bps
        raise_class(call, start, end)
        start = end


cdef void raise_class(AllocCall *call, int start, int end) noexcept nogil:
    cdef AllocStream *stream
    cdef AllocRow *row
    cdef int64_t cost_bps
    cdef int place
    call.heap_size = 0
    for place in range(start, end):
        row = &call.rows[call.order[place]]
        if row.at >= 0 and find_step(call, place):
            call.heap[call.heap_size] = place
            call.heap_size += 1
    for place in range(call.heap_size // 2 - 1, -1, -1):
        sink(call, place)
    while call.heap_size > 0:
        place = call.heap[0]
        stream = &call.streams[call.order[place]]
        row = &call.rows[call.order[place]]
        cost_bps = stream.layers[row.next].bitrate_bps - stream.layers[row.at].bitrate_bps
        if admits(call, stream, row, row.next, cost_bps):
            grant(call, row, row.next, cost_bps)
        else:
            row.unrefused &= ~(<uint32_t>1 << row.next)
        if not find_step(call, place):
            call.heap_size -= 1
            call.heap[0] = call.heap[call.heap_size]
        sink(call, 0)


cdef bint find_step(AllocCall *call, int place) noexcept nogil:
    # the step of the stream at this place of the order that is next, and its slope
    cdef AllocStream *stream = &call.streams[call.order[place]]
    cdef AllocRow *row = &call.rows[call.order[place]]
    cdef const AllocLayer *layers = stream.layers
    cdef int64_t limit_bps = call.rest_bps if row.limited else <int64_t>1 << NO_LIMIT_SHIFT
    cdef uint32_t later = 0
    cdef uint64_t gain
    if row.kept and row.unrefused >> row.current & 1 and layers[row.at].bitrate_bps < row.current_bps:
        later = row.unrefused & ~row.kept      # first back to where it was
        row.unrefused &= row.kept
    row.next = <int8_t>hull_step(layers, &row.unrefused, row.at, limit_bps)
    row.unrefused |= later
    if row.next < 0:
        return False
    gain = <uint64_t>(layers[row.next].utility - layers[row.at].utility) * stream.weight
    gain *= KEEP_QUARTERS if keeps(stream, row, &layers[row.next]) else 4
    row.slope = (gain << SLOPE_SHIFT) // <uint64_t>max(
        layers[row.next].bitrate_bps - layers[row.at].bitrate_bps, <int64_t>1)
    return True


cdef inline bint before(const AllocCall *call, int place, int other) noexcept nogil:
    cdef uint64_t slope = call.rows[call.order[place]].slope
    cdef uint64_t other_slope = call.rows[call.order[other]].slope
    return slope > other_slope or (slope == other_slope and place < other)


cdef void sink(AllocCall *call, int parent) noexcept nogil:
    cdef int place, child
    if parent >= call.heap_size:
        return
    place = call.heap[parent]
    while True:
        child = 2 * parent + 1
        if child >= call.heap_size:
            break
        if child + 1 < call.heap_size and before(call, call.heap[child + 1], call.heap[child]):
            child += 1
        if not before(call, call.heap[child], place):
            break
        call.heap[parent] = call.heap[child]
        parent = child
    call.heap[parent] = place


# ---- what is admitted

cdef inline bint keeps(const AllocStream *stream, const AllocRow *row, const AllocLayer *layer) noexcept nogil:
    # no more than what is in force, neither of bits, if that layer still flows, nor of layers
    return (layer.spatial <= stream.current_spatial
            and (row.current_bps == 0 or layer.bitrate_bps <= row.current_bps))


cdef inline void refuse(AllocStream *stream, int reason) noexcept nogil:
    if stream.reason == ALLOC_MET:
        stream.reason = <uint8_t>reason


cdef bint admits(AllocCall *call, AllocStream *stream, AllocRow *row, int layer, int64_t cost_bps) noexcept nogil:
    if cost_bps > call.rest_bps:
        refuse(stream, ALLOC_PRIORITY if cost_bps <= call.rest_bps + call.above_bps else ALLOC_BANDWIDTH)
        row.limited = 1
        call.pool_bps -= row.keep_bps      # what the budget has no room for any more proves nothing
        row.keep_bps = 0
        return False
    if stream.stream_class == ALLOC_AUDIO or keeps(stream, row, &stream.layers[layer]):
        return True
    if row.at < 0 and stream.current_spatial >= 0:
        return True                        # what runs goes on, by whichever layer is the cheapest now
    if stream.current_spatial < 0 and stream.last_change_us < 0:
        if row.at < 0 or cost_bps <= call.rest_bps - call.reserved_bps:
            return True
        refuse(stream, ALLOC_HELD)
        return False
    return admits_upgrade(call, stream, row, &stream.layers[layer], cost_bps)


cdef inline bint backs_off(const AllocCall *call, const AllocStream *stream) noexcept nogil:
    return call.now_us < stream.backoff_until_us and (
        stream.upgrade_budget_bps == 0 or call.budget_bps < AMPLE * stream.upgrade_budget_bps)


cdef bint admits_upgrade(AllocCall *call, AllocStream *stream, AllocRow *row, const AllocLayer *layer,
                         int64_t cost_bps) noexcept nogil:
    cdef bint spatial = layer.spatial != stream.current_spatial and (
        row.at < 0 or layer.spatial != stream.layers[row.at].spatial)
    cdef bint carried = max(cost_bps, <int64_t>1) <= call.pool_bps
    cdef int64_t margin_bps = call.budget_bps >> BUDGET_MARGIN_SHIFT
    cdef int64_t key_frame_bps = <int64_t>layer.key_frame_bytes * 8 if spatial else 0
    cdef bint has_room
    if spatial:
        margin_bps = max(margin_bps, cost_bps // STEP_MARGIN + key_frame_bps)
    has_room = cost_bps + margin_bps <= call.rest_bps - call.reserved_bps
    if spatial and backs_off(call, stream) and not (carried and row.at < 0):
        stream.has_room |= has_room
        refuse(stream, ALLOC_BACK_OFF)
        return False
    if carried and (not spatial or call.reserved_bps == 0):
        call.pool_bps -= cost_bps
        call.reserved_bps += key_frame_bps
        return True
    if has_room and (not spatial or stream.proven or (
            stream.room_since_us >= 0 and call.now_us - stream.room_since_us >= ALLOC_STABLE_US)):
        call.reserved_bps += key_frame_bps
        return True
    refuse(stream, ALLOC_HELD)
    stream.has_room |= has_room    # a temporal step that has room is not refused
    if call.narrow_bps == 0 and cost_bps + margin_bps > call.rest_bps:
        call.narrow_bps = max(cost_bps, <int64_t>1)
        call.narrow_need_bps = needed(layer, call.narrow_bps)
    if spatial and not row.reserved:
        call.reserved_bps += max(cost_bps, <int64_t>0)
        row.reserved = 1
    return False


# ---- what is told

cdef void tell(AllocCall *call, AllocResult *result) noexcept nogil:
    cdef AllocStream *stream
    cdef AllocRow *row
    cdef int64_t delta_bps = 0, need_bps = 0, release_bps = 0
    cdef int i, best
    memset(result, 0, sizeof(AllocResult))
    for i in range(call.count):
        stream = &call.streams[i]
        row = &call.rows[i]
        if row.wanted == 0:
            continue
        best = hull_highest(stream.layers, row.wanted)
        result.wanted_bps += stream.layers[best].bitrate_bps
        if row.at >= 0:
            stream.target_spatial = stream.layers[row.at].spatial
            stream.target_temporal = stream.layers[row.at].temporal
            stream.bitrate_bps = stream.layers[row.at].bitrate_bps
            result.total_bps += stream.bitrate_bps
            if stream.layers[row.at].utility == stream.layers[best].utility:
                if stream.reason != ALLOC_OVERSEND:
                    stream.reason = ALLOC_MET
                stream.has_room = 0
                continue
        cheapest_step(stream, row, &delta_bps, &need_bps)
        if backs_off(call, stream) and (release_bps == 0 or AMPLE * stream.upgrade_budget_bps < release_bps):
            release_bps = AMPLE * stream.upgrade_budget_bps
    if call.narrow_bps:            # it keeps its room from all that come later, also from cheaper ones
        delta_bps, need_bps = call.narrow_bps, call.narrow_need_bps
    if need_bps:
        result.next_demand_bps = max(result.total_bps + need_bps, least_budget(result.total_bps + delta_bps))
    result.demand_bps = max(sought(result), min(release_bps, result.wanted_bps * 21 // 20))


cdef int64_t sought(const AllocResult *result) noexcept nogil:
    # More than the next step, which may be so small that the estimate seems to allow it while hysteresis does not, and
    # then nothing would ever move. Half as much again as is used, where so much is wanted at all.
    cdef int64_t half_more_bps
    if result.next_demand_bps == 0:
        return result.total_bps
    half_more_bps = min(result.total_bps * 3 // 2, result.wanted_bps * 21 // 20)
    return max(result.next_demand_bps * 21 // 20, half_more_bps)


cdef void cheapest_step(const AllocStream *stream, const AllocRow *row, int64_t *delta_bps,
                        int64_t *need_bps) noexcept nogil:
    # the step that this stream wants next, where it needs less than what was found so far; 0: nothing was
    cdef int next_layer
    cdef int64_t cost_bps, step_bps
    cdef uint32_t among = row.wanted
    if row.at < 0:
        next_layer = hull_lowest(stream.layers, row.wanted)
        cost_bps = stream.layers[next_layer].bitrate_bps
    else:
        next_layer = hull_step(stream.layers, &among, row.at, <int64_t>1 << NO_LIMIT_SHIFT)
        cost_bps = max(stream.layers[next_layer].bitrate_bps - stream.layers[row.at].bitrate_bps, <int64_t>1)
    step_bps = needed(&stream.layers[next_layer], cost_bps)
    if need_bps[0] == 0 or step_bps < need_bps[0]:
        delta_bps[0] = cost_bps
        need_bps[0] = step_bps


cdef inline int64_t needed(const AllocLayer *layer, int64_t cost_bps) noexcept nogil:
    # what a step to this layer should find, the budget's margin apart
    return max((cost_bps * DEMAND_PERCENT + 99) // 100,
               cost_bps + cost_bps // STEP_MARGIN + <int64_t>layer.key_frame_bytes * 8)


cdef inline int64_t least_budget(int64_t use_bps) noexcept nogil:
    # of which so much leaves the margin
    cdef int64_t parts = (<int64_t>1 << BUDGET_MARGIN_SHIFT) - 1
    return ((use_bps << BUDGET_MARGIN_SHIFT) + parts - 1) // parts


# ---- the Python face

@cython.final
cdef class AllocatorFace:
    """Rows of streams and what is allocated to them, by the same functions as the engine; `allocation` is for users.

    Args:
        wishes: of each stream, its `StreamWish`, which has been checked, and the utility of each of its layers.
    """
    cdef AllocStream *streams
    cdef AllocLayer *layers
    cdef AllocRow *rows
    cdef int32_t *places
    cdef int count
    cdef AllocResult result

    def __cinit__(self, wishes):
        self.count = len(wishes)
        self.streams = <AllocStream *>PyMem_Calloc(self.count + 1, sizeof(AllocStream))
        self.layers = <AllocLayer *>PyMem_Calloc(self.count + 1, ALLOC_LAYERS_MAX * sizeof(AllocLayer))
        self.rows = <AllocRow *>PyMem_Calloc(self.count + 1, sizeof(AllocRow))
        self.places = <int32_t *>PyMem_Calloc(self.count + 1, 2 * sizeof(int32_t))
        if self.streams == NULL or self.layers == NULL or self.rows == NULL or self.places == NULL:
            raise MemoryError
        for i, (wish, utilities) in enumerate(wishes):
            self.set_layers(i, wish.layers, utilities)
            self.set_wish(&self.streams[<int>i], wish)
            self.set_history(&self.streams[<int>i], wish.history)

    def __dealloc__(self):
        PyMem_Free(self.streams)
        PyMem_Free(self.layers)
        PyMem_Free(self.rows)
        PyMem_Free(self.places)

    cdef int set_layers(self, int index, layers, utilities) except -1:
        cdef AllocStream *stream = &self.streams[index]
        cdef AllocLayer *row = &self.layers[ALLOC_LAYERS_MAX * index]
        alloc_stream_init(stream)
        if len(layers) > ALLOC_LAYERS_MAX:
            raise ValueError("a stream has 32 layers at most")
        stream.layers = row
        stream.layer_count = len(layers)
        for layer, worth in zip(layers, utilities, strict=True):
            row.bitrate_bps, row.utility, row.key_frame_bytes = layer.bitrate_bps, worth, layer.key_frame_bytes
            row.height, row.fps = layer.height, layer.fps
            row.spatial, row.temporal = layer.spatial, layer.temporal
            row += 1
        return 0

    cdef int set_wish(self, AllocStream *stream, wish) except -1:
        stream.stream_class, stream.weight = int(wish.stream_class), wish.weight
        stream.must_send, stream.muted, stream.proven = wish.must_send, wish.muted, wish.proven
        stream.wish.max_spatial, stream.wish.max_temporal = wish.max_spatial, wish.max_temporal
        stream.wish.min_spatial, stream.wish.min_temporal = wish.min_spatial, wish.min_temporal
        stream.wish.max_height, stream.wish.max_fps = wish.max_height, wish.max_fps
        return 0

    cdef int set_history(self, AllocStream *stream, history) except -1:
        stream.current_spatial, stream.current_temporal = history.spatial, history.temporal
        stream.failed_upgrades = history.failed_upgrades
        stream.last_change_us, stream.last_upgrade_us = history.last_change_us, history.last_upgrade_us
        stream.room_since_us, stream.backoff_until_us = history.room_since_us, history.backoff_until_us
        stream.upgrade_budget_bps = history.upgrade_budget_bps
        return 0

    def allocate(self, int64_t budget_bps, int64_t now_us):
        """Choose the targets: (spatial, temporal, bitrate_bps, reason, has_room, budget_bps) of each stream."""
        self.allocate_many(budget_bps, now_us, 1)
        return [(self.streams[i].target_spatial, self.streams[i].target_temporal, self.streams[i].bitrate_bps,
                 self.streams[i].reason, bool(self.streams[i].has_room), self.streams[i].budget_bps)
                for i in range(self.count)]

    def allocate_many(self, int64_t budget_bps, int64_t now_us, int times):
        """The same so many times, to be timed; the rate of all targets."""
        cdef int _turn
        with nogil:
            for _turn in range(times):
                if self.count <= ALLOC_STREAMS_MAX:
                    allocate(now_us, budget_bps, self.streams, self.count, &self.result)
                else:
                    allocate_within(now_us, budget_bps, self.streams, self.count, &self.result, self.rows,
                                    self.places)
        return self.result.total_bps

    def set_targets(self, targets):
        """Put `Target`s, one a stream, where `allocate` would."""
        cdef AllocStream *stream
        for i, target in enumerate(targets):
            stream = &self.streams[<int>i]
            stream.target_spatial, stream.target_temporal = target.spatial, target.temporal
            stream.bitrate_bps, stream.reason = target.bitrate_bps, int(target.reason)
            stream.has_room, stream.budget_bps = target.has_room, target.budget_bps

    def applied(self, int64_t now_us):
        """The targets came into force: the fields of each stream's `History`."""
        allocation_applied(now_us, self.streams, self.count)
        return [(self.streams[i].current_spatial, self.streams[i].current_temporal, self.streams[i].last_change_us,
                 self.streams[i].last_upgrade_us, self.streams[i].room_since_us, self.streams[i].backoff_until_us,
                 self.streams[i].failed_upgrades, self.streams[i].upgrade_budget_bps) for i in range(self.count)]

    @property
    def total(self):
        """(total_bps, wanted_bps, next_demand_bps, demand_bps) of the last allocation."""
        result = self.result
        return result.total_bps, result.wanted_bps, result.next_demand_bps, result.demand_bps

    @property
    def row_sizes(self):
        """Bytes of a stream's row, of a layer's, and of the stack that a call takes."""
        return (sizeof(AllocStream), sizeof(AllocLayer),
                ALLOC_STREAMS_MAX * (sizeof(AllocRow) + 2 * sizeof(int32_t)) + sizeof(AllocCall))
