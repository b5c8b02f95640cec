"""What RTP header extensions mean: typed values, read from elements and written into them.

    extmap = ExtensionMap.of(rtp_parameters)            # id -> URI, as negotiated
    found = extmap.read(rtp.parse(data))                # every extension of a packet, by name
    found.mid, found.audio_level, found.abs_send_time

    packet.extensions.update(extmap.write(HeaderExtensions(mid="0", transport_cc=17)))

    parse(AUDIO_LEVEL, b"\\x85")                         # one value
    build(AUDIO_LEVEL, AudioLevel(level=5, voice=True))

Values are frozen. A value out of range, or bytes that are no value, are a ValueError. `ExtensionMap.read` alone raises
nothing, since what it reads came from the network: it names what it could not read in `malformed`.
The URIs are those of `mediarouter.parameters`.
"""

from mediarouter.header_extensions.color_space import Chromaticity, ColorSpace, HdrMetadata
from mediarouter.header_extensions.extension_map import ExtensionMap, HeaderExtensions, build, parse
from mediarouter.header_extensions.layers_allocation import AllocatedLayer, LayerResolution, VideoLayersAllocation
from mediarouter.header_extensions.values import (
    AbsCaptureTime,
    AbsSendTime,
    AudioLevel,
    FeedbackRequest,
    PlayoutDelay,
    TransportCc02,
    VideoContentType,
    VideoOrientation,
    VideoTiming,
)
from mediarouter.parameters import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    COLOR_SPACE,
    DEPENDENCY_DESCRIPTOR,
    MID,
    MIXER_AUDIO_LEVEL,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TOFFSET,
    TRANSPORT_CC,
    TRANSPORT_CC_02,
    VIDEO_CONTENT_TYPE,
    VIDEO_LAYERS_ALLOCATION,
    VIDEO_ORIENTATION,
    VIDEO_TIMING,
)

__all__ = [
    "ABS_CAPTURE_TIME",
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "COLOR_SPACE",
    "DEPENDENCY_DESCRIPTOR",
    "MID",
    "MIXER_AUDIO_LEVEL",
    "PLAYOUT_DELAY",
    "REPAIRED_RID",
    "RID",
    "TOFFSET",
    "TRANSPORT_CC",
    "TRANSPORT_CC_02",
    "VIDEO_CONTENT_TYPE",
    "VIDEO_LAYERS_ALLOCATION",
    "VIDEO_ORIENTATION",
    "VIDEO_TIMING",
    "AbsCaptureTime",
    "AbsSendTime",
    "AllocatedLayer",
    "AudioLevel",
    "Chromaticity",
    "ColorSpace",
    "ExtensionMap",
    "FeedbackRequest",
    "HdrMetadata",
    "HeaderExtensions",
    "LayerResolution",
    "PlayoutDelay",
    "TransportCc02",
    "VideoContentType",
    "VideoLayersAllocation",
    "VideoOrientation",
    "VideoTiming",
    "build",
    "parse",
]
