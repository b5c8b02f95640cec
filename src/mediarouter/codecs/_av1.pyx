"""AV1 in RTP (RTP Payload Format For AV1, section 4.4): the aggregation header Z Y W W N - - -."""

from libc.stdint cimport uint8_t
from libc.string cimport memset
from mediarouter.codecs._payload cimport PayloadInfo


cdef int av1_parse(PayloadInfo *info, const uint8_t *payload, int size) noexcept nogil:
    memset(info, 0, sizeof(PayloadInfo))
    if size < 2:
        return 1
    info.descriptor_size = 1
    # Z: the first element goes on from the packet before. N: a coded video sequence, and so a key frame, begins here;
    # that and Z contradict each other
    info.frame_start = payload[0] & 0x80 == 0
    info.key_frame = info.frame_start and payload[0] & 0x08 != 0
    return 0
