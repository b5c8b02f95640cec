# Which layer a consumer gets. Four pairs of (spatial, temporal): preferred is what was asked for, allowed what the
# network carries, target what is possible of both now, current what is being sent. Spatial steps happen at key frames
# of the target, temporal ones at pictures where the codec allows it. Sans-IO.
from libc.stdint cimport int8_t, int64_t, uint8_t
from mediarouter.codecs._payload cimport PayloadInfo

cdef enum:
    LAYER_BEST = 127               # no preference: the best there is
    LAYER_NONE = -1                # nothing is sent yet

cdef struct LayerSelector:
    int8_t preferred_spatial
    int8_t preferred_temporal
    int8_t allowed_spatial         # LAYER_NONE: nothing, until there is room again
    int8_t allowed_temporal
    int8_t target_spatial          # index of the encoding
    int8_t target_temporal
    int8_t current_spatial
    int8_t current_temporal

cdef enum LayerVerdict:
    LAYER_SEND = 0
    LAYER_SKIP = 1                 # of the current encoding, but of a temporal layer above ours
    LAYER_OTHER = 2                # of an encoding that is not sent
    LAYER_SWITCH = 3               # first packet of the key frame that takes us to the target

cdef void layers_init(LayerSelector *layers) noexcept nogil
# `alive`: bit i is set when encoding i flows. True when the target's encoding changed.
cdef bint layers_update_target(LayerSelector *layers, unsigned int alive) noexcept nogil
# True while a key frame of the target is needed
cdef bint layers_wants_key_frame(const LayerSelector *layers) noexcept nogil
# Judge a packet newer than all before it. `key_frames`: the codec tells key frames; else any packet is an entry.
# `new_picture`: no packet of its picture was seen before.
cdef LayerVerdict layers_judge(LayerSelector *layers, int encoding, const PayloadInfo *info, bint key_frames,
                               bint new_picture) noexcept nogil
# Forget the current layer: the next packet sent must be an entry
cdef void layers_reset(LayerSelector *layers) noexcept nogil
