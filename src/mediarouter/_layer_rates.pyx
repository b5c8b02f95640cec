"""The rates of layers; `_layer_rates.pxd` names the words.

Theory of operation
Bytes are counted by temporal layer, and once a second they become a rate. The table has the larger of that rate and its
average over some five seconds: a layer that has just begun, or a talker who sits still for a moment, must not look
cheap, or the next frame is more than the network carries. Where there is one encoding alone, as screens are shared, it
is the average: there is nothing smaller to fall back to, and a slide that turns must not pause what fits on the whole,
while the pacer spreads what is too much for the moment. An encoding that flows but was not measured yet costs what it
did when it flowed before, else what browsers send in its place.

What a layer is worth follows from its size and rate of pictures, which are not known here: an encoding has twice the
width and height of the one below, a temporal layer twice the pictures, as simulcast is configured everywhere. Only the
order and the proportions count.
"""

from libc.stdint cimport int8_t, int64_t, uint64_t
from libc.string cimport memset
from mediarouter._plane cimport Encoding, Producer
from mediarouter.congestion._layer_hull cimport AllocLayer, layer_utility

cdef enum:
    WINDOW_US = 1000000
    FIRST_WINDOW_US = 200000       # soon enough for a viewer who waits
    AVERAGED = 5                   # windows, about
    PIXELS = 57600                 # 320 x 180, of the lowest encoding
    PICTURES = 30                  # a second, of all temporal layers together
    GUESS_BPS = 150000             # of the lowest encoding, four times as much of each above
    GUESS_AUDIO_BPS = 40000
    LEAST_BPS = 1000               # an average below is not kept: the layer is gone
    BITS = 8


cdef void layer_rates_begin(Encoding *encoding, int64_t now_us) noexcept nogil:
    encoding.meter_began_us = now_us
    encoding.meter_bytes = <uint64_t>encoding.stream.bytes
    encoding.bitrate_bps = 0
    memset(encoding.temporal_bytes, 0, sizeof(encoding.temporal_bytes))
    memset(encoding.temporal_bps, 0, sizeof(encoding.temporal_bps))


cdef void layer_rates_measure(Encoding *encoding, int64_t now_us) noexcept nogil:
    cdef int64_t span_us = now_us - encoding.meter_began_us
    cdef int64_t rate_bps
    cdef int64_t total_bps = 0
    cdef uint64_t bytes = encoding.stream.bytes
    cdef bint alone = encoding.producer.encoding_count == 1 and encoding.producer.is_video
    cdef int i
    if span_us < FIRST_WINDOW_US or (span_us < WINDOW_US and (alone or encoding.bitrate_bps)):
        return
    for i in range(TEMPORAL_MAX):
        rate_bps = <int64_t>encoding.temporal_bytes[i] * BITS * 1000000 // span_us
        total_bps += rate_bps
        if alone and encoding.temporal_bps[i] < LEAST_BPS:
            encoding.temporal_bps[i] = rate_bps // 2     # a share begins with a burst
        elif encoding.temporal_bps[i] < LEAST_BPS or (rate_bps > encoding.temporal_bps[i] and not alone):
            encoding.temporal_bps[i] = rate_bps
        else:
            encoding.temporal_bps[i] += (rate_bps - encoding.temporal_bps[i]) // AVERAGED
        encoding.temporal_bytes[i] = 0
    if span_us >= WINDOW_US:
        note_usual(encoding, total_bps)
    encoding.bitrate_bps = (bytes - encoding.meter_bytes) * BITS * 1000000 // <uint64_t>span_us
    encoding.meter_bytes = bytes
    encoding.meter_began_us = now_us


cdef inline void note_usual(Encoding *encoding, int64_t rate_bps) noexcept nogil:
    # silence says nothing of what it costs when it flows
    if rate_bps > encoding.usual_bps:
        encoding.usual_bps = rate_bps
    elif rate_bps >= LEAST_BPS:
        encoding.usual_bps += (rate_bps - encoding.usual_bps) // AVERAGED


cdef int64_t layer_rates_guess_bps(const Producer *producer, int encoding) noexcept nogil:
    return <int64_t>GUESS_BPS << (2 * encoding) if producer.is_video else GUESS_AUDIO_BPS


cdef void layer_rates_tabulate(Producer *producer) noexcept nogil:
    cdef Encoding *encoding
    cdef int i
    producer.layer_count = 0
    for i in range(producer.encoding_count):
        encoding = &producer.encodings[i]
        if not producer.alive & (1u << i):
            continue
        if encoding.bitrate_bps == 0:
            add(producer, i, 0, 0, encoding.usual_bps if encoding.usual_bps else layer_rates_guess_bps(producer, i))
        else:
            add_measured(producer, encoding)


cdef void add_measured(Producer *producer, Encoding *encoding) noexcept nogil:
    cdef int64_t total_bps = 0
    cdef int top = TEMPORAL_MAX - 1
    cdef int t
    while top > 0 and encoding.temporal_bps[top] == 0:
        top -= 1
    for t in range(top + 1):
        if encoding.temporal_bps[t] == 0:
            continue
        if total_bps == 0:
            encoding.least_bps = encoding.temporal_bps[t]
        total_bps += encoding.temporal_bps[t]
        add(producer, encoding.index, t, top - t, total_bps)


cdef void add(Producer *producer, int spatial, int temporal, int below_top, int64_t bitrate_bps) noexcept nogil:
    cdef AllocLayer *layer = &producer.layers[producer.layer_count]
    memset(layer, 0, sizeof(AllocLayer))
    layer.spatial = <int8_t>spatial
    layer.temporal = <int8_t>temporal
    layer.bitrate_bps = bitrate_bps
    layer.utility = layer_utility(<int64_t>PIXELS << (2 * spatial), max(PICTURES >> below_top, 1))
    producer.layer_count += 1
