"""Layer selection of one consumer; `_layers.pxd` names the words."""

cimport cython
from libc.stdint cimport int8_t
from libc.string cimport memset
from mediarouter.codecs._codec cimport PayloadInfo


cdef void layers_init(LayerSelector *layers) noexcept nogil:
    layers.preferred_spatial = LAYER_BEST
    layers.preferred_temporal = LAYER_BEST
    layers.allowed_spatial = LAYER_BEST
    layers.allowed_temporal = LAYER_BEST
    layers.target_spatial = LAYER_NONE
    layers.target_temporal = LAYER_BEST
    layers_reset(layers)


cdef void layers_reset(LayerSelector *layers) noexcept nogil:
    layers.current_spatial = LAYER_NONE
    layers.current_temporal = LAYER_NONE


cdef bint layers_update_target(LayerSelector *layers, unsigned int alive) noexcept nogil:
    cdef int8_t before = layers.target_spatial
    cdef int index
    cdef int8_t best = LAYER_NONE
    cdef int8_t wish = min(layers.preferred_spatial, layers.allowed_spatial)
    layers.target_temporal = min(layers.preferred_temporal, layers.allowed_temporal)
    if layers.allowed_spatial == LAYER_NONE:
        layers.target_spatial = LAYER_NONE
        layers_reset(layers)       # at once: the network is full
        return before != LAYER_NONE
    for index in range(8):
        if not alive & (1u << index):
            continue
        # the highest one not above the wish, else the lowest there is
        if best == LAYER_NONE or index <= wish:
            best = <int8_t>index
    if best != LAYER_NONE:
        layers.target_spatial = best
    return layers.target_spatial != before


cdef bint layers_wants_key_frame(const LayerSelector *layers) noexcept nogil:
    return layers.target_spatial != LAYER_NONE and layers.current_spatial != layers.target_spatial


cdef LayerVerdict layers_judge(LayerSelector *layers, int encoding, const PayloadInfo *info, bint key_frames,
                               bint new_picture) noexcept nogil:
    if encoding != layers.current_spatial:
        if encoding != layers.target_spatial:
            return LAYER_OTHER
        if key_frames and not (info.key_frame and info.frame_start):
            return LAYER_OTHER
        layers.current_spatial = <int8_t>encoding
        layers.current_temporal = layers.target_temporal
        return LAYER_SWITCH
    if new_picture:
        step_temporal(layers, info)
    return LAYER_SEND if info.temporal_layer <= layers.current_temporal else LAYER_SKIP


cdef inline void step_temporal(LayerSelector *layers, const PayloadInfo *info) noexcept nogil:
    # down at once; up where the picture depends on nothing that was left out: a key frame, or a layer-sync picture,
    # which refers to the base layer alone (RFC 7741 section 4.2, Y bit). While a lower encoding's key frame is awaited
    # the base layer has to do, since what is wanted is to send less.
    cdef int8_t target = 0 if layers.target_spatial < layers.current_spatial else layers.target_temporal
    if layers.current_temporal == target:
        return
    if target < layers.current_temporal or info.key_frame:
        layers.current_temporal = target
    elif info.layer_sync and layers.current_temporal < info.temporal_layer <= target:
        layers.current_temporal = info.temporal_layer


@cython.final
cdef class LayerSelectorFace:
    """A LayerSelector for tests: the same functions, Python numbers."""
    cdef LayerSelector layers

    def __cinit__(self):
        layers_init(&self.layers)

    @property
    def target(self):
        """(spatial, temporal); -1 none, 127 best."""
        return self.layers.target_spatial, self.layers.target_temporal

    @property
    def current(self):
        """(spatial, temporal); -1 none, 127 best."""
        return self.layers.current_spatial, self.layers.current_temporal

    @property
    def wants_key_frame(self):
        """True while the target can only be reached by a key frame."""
        return bool(layers_wants_key_frame(&self.layers))

    def prefer(self, int spatial, int temporal):
        """Set the preferred layers."""
        self.layers.preferred_spatial = <int8_t>spatial
        self.layers.preferred_temporal = <int8_t>temporal

    def allow(self, int spatial, int temporal):
        """Set what the network carries; spatial -1: nothing."""
        self.layers.allowed_spatial = <int8_t>spatial
        self.layers.allowed_temporal = <int8_t>temporal

    def update_target(self, unsigned int alive):
        """Choose the target among the encodings whose bit is set; True when its encoding changed."""
        return bool(layers_update_target(&self.layers, alive))

    def judge(self, int encoding, *, bint key_frame=False, bint frame_start=True, int temporal_layer=0,
              bint layer_sync=False, bint new_picture=True, bint key_frames=True):
        """The verdict on one packet: "send", "skip", "other" or "switch"."""
        cdef PayloadInfo info
        memset(&info, 0, sizeof(info))
        info.key_frame = key_frame
        info.frame_start = frame_start
        info.temporal_layer = <int8_t>temporal_layer
        info.layer_sync = layer_sync
        return ("send", "skip", "other", "switch")[
            <int>layers_judge(&self.layers, encoding, &info, key_frames, new_picture)]

    def reset(self):
        """Forget the current layer."""
        layers_reset(&self.layers)
