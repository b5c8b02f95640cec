# RTP on the wire (RFC 3550 section 5, RFC 8285): parse a packet in place, find its header extensions, arithmetic on
# sequence numbers and timestamps. No allocation, no Python object, no clock.
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef inline uint16_t read_u16(const uint8_t *p) noexcept nogil:
    return <uint16_t>((p[0] << 8) | p[1])

cdef inline uint32_t read_u24(const uint8_t *p) noexcept nogil:
    return (<uint32_t>p[0] << 16) | (<uint32_t>p[1] << 8) | p[2]

cdef inline uint32_t read_u32(const uint8_t *p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]

cdef inline void write_u16(uint8_t *p, uint16_t value) noexcept nogil:
    p[0] = <uint8_t>(value >> 8)
    p[1] = <uint8_t>value

cdef inline void write_u24(uint8_t *p, uint32_t value) noexcept nogil:
    p[0] = <uint8_t>(value >> 16)
    p[1] = <uint8_t>(value >> 8)
    p[2] = <uint8_t>value

cdef inline void write_u32(uint8_t *p, uint32_t value) noexcept nogil:
    p[0] = <uint8_t>(value >> 24)
    p[1] = <uint8_t>(value >> 16)
    p[2] = <uint8_t>(value >> 8)
    p[3] = <uint8_t>value

cdef struct RtpView:               # a parsed packet; borrows `data`, owns nothing
    uint8_t *data                  # first byte of the RTP header
    uint32_t timestamp             # RTP clock units
    uint32_t ssrc
    uint16_t size                  # whole packet, bytes
    uint16_t payload_offset        # header + CSRC + extensions, bytes
    uint16_t payload_size          # bytes, padding not counted
    uint16_t seq                   # as on the wire
    uint16_t extension_profile     # 0xBEDE one-byte form, 0x100X two-byte form, else opaque; 0 when there is no block
    uint16_t extension_offset      # first byte of the extension elements, 0 when there is no block
    uint16_t extension_size        # bytes of the extension elements, a multiple of 4
    uint16_t padding_size          # bytes, 0 when the P bit is not set
    uint16_t located               # bit i is set when extension id i (1..14) was found
    uint16_t element_offset[15]    # by id: where the element's value begins, from `data`; only where located
    uint8_t element_size[15]       # by id: bytes of the value; only where located
    uint8_t payload_type           # 0..127
    uint8_t csrc_count             # 0..15
    uint8_t marker                 # 0 or 1

# 0, or a negative Drop code (RFC 3550 section 5.1, appendix A.1)
cdef int rtp_parse(RtpView *view, uint8_t *data, Py_ssize_t size) noexcept nogil

# Value of the extension element with that id (1..255), its size in *size; NULL when it is absent. Of two elements
# with one id the first counts
cdef const uint8_t *rtp_extension(const RtpView *view, int element_id, int *size) noexcept nogil

cdef struct ExtensionElement:      # where a walk over the elements stands; begin with `next_offset` 0
    const uint8_t *value
    int size                       # bytes of the value
    int element_id                 # 1..255
    int offset                     # of the element's own header, from the packet's first byte
    int next_offset

# The next element in the order of the wire; False behind the last one (RFC 8285 sections 4.2, 4.3)
cdef bint rtp_next_extension(const RtpView *view, ExtensionElement *element) noexcept nogil

# In place: every element's id becomes new_ids[id] (256 entries); 0 takes the element out, padding stands in its room.
# False, and nothing is changed, when an id does not fit the packet's form
cdef bint rtp_renumber_extensions(RtpView *view, const uint8_t *new_ids) noexcept nogil

# Twelve bytes of header without CSRC or extension; their number, or 0 when there is no room
cdef int rtp_write_header(uint8_t *out, int capacity, bint marker, int payload_type, uint16_t seq,
                          uint32_t timestamp, uint32_t ssrc) noexcept nogil

# Writes the extension block behind a header of twelve bytes, element by element (RFC 8285)
cdef struct ExtensionWriter:
    uint8_t *packet
    int position                   # where the next element goes
    int capacity                   # of the packet
    bint two_byte

cdef void extension_writer_init(ExtensionWriter *writer, uint8_t *packet, int capacity, bint two_byte) noexcept nogil
# False: it does not fit the form (one-byte: id 1..14, 1..16 bytes; two-byte: id 1..255, 0..255 bytes) or the room
cdef bint extension_writer_add(ExtensionWriter *writer, int element_id, const uint8_t *value, int size) noexcept nogil
# Bytes of the block, its header and padding included, 0 when nothing was added; sets the X bit
cdef int extension_writer_finish(ExtensionWriter *writer) noexcept nogil

# Rewriting in place: the packet and the view together
cdef inline void rtp_set_marker(RtpView *view, bint marker) noexcept nogil:
    view.marker = 1 if marker else 0
    view.data[1] = <uint8_t>((view.marker << 7) | view.payload_type)

cdef inline void rtp_set_payload_type(RtpView *view, int payload_type) noexcept nogil:
    view.payload_type = <uint8_t>(payload_type & 0x7F)
    view.data[1] = <uint8_t>((view.marker << 7) | view.payload_type)

cdef inline void rtp_set_seq(RtpView *view, uint16_t seq) noexcept nogil:
    view.seq = seq
    write_u16(view.data + 2, seq)

cdef inline void rtp_set_timestamp(RtpView *view, uint32_t timestamp) noexcept nogil:
    view.timestamp = timestamp
    write_u32(view.data + 4, timestamp)

cdef inline void rtp_set_ssrc(RtpView *view, uint32_t ssrc) noexcept nogil:
    view.ssrc = ssrc
    write_u32(view.data + 8, ssrc)

# 24 bits of seconds as 6.18 fixed point (abs-send-time), to the nearest; it comes round every 64 s
cdef inline uint32_t abs_send_time(int64_t now_us) noexcept nogil:
    return <uint32_t>((((<uint64_t>now_us % 64000000) << 18) + 500000) // 1000000) & 0xFFFFFF

# -dBov, 0 loudest to 127 silence; *voice is the encoder's opinion (RFC 6464 section 3)
cdef inline int read_audio_level(const uint8_t *value, bint *voice) noexcept nogil:
    voice[0] = value[0] >> 7
    return value[0] & 0x7F

# What the header extensions mean; a transport's map of ids leads to one of these
cdef enum ExtensionKind:
    EXT_NONE = 0
    EXT_MID = 1
    EXT_RID = 2
    EXT_REPAIRED_RID = 3
    EXT_AUDIO_LEVEL = 4
    EXT_ABS_SEND_TIME = 5
    EXT_TRANSPORT_CC = 6
    EXT_VIDEO_ORIENTATION = 7
    EXT_TOFFSET = 8
    EXT_PLAYOUT_DELAY = 9
    EXT_VIDEO_CONTENT_TYPE = 10
    EXT_VIDEO_TIMING = 11
    EXT_COLOR_SPACE = 12
    EXT_ABS_CAPTURE_TIME = 13
    EXT_DEPENDENCY_DESCRIPTOR = 14
    EXT_VIDEO_LAYERS_ALLOCATION = 15
    EXT_MIXER_AUDIO_LEVEL = 16
    EXT_TRANSPORT_CC_02 = 17
    EXT_KIND_COUNT = 18

cdef inline int16_t seq_diff(uint16_t a, uint16_t b) noexcept nogil:            # a - b on the circle
    return <int16_t>(a - b)

cdef inline int32_t timestamp_diff(uint32_t a, uint32_t b) noexcept nogil:      # a - b on the circle
    return <int32_t>(a - b)

cdef inline int64_t seq_unwrap(int64_t newest, uint16_t seq) noexcept nogil:
    # the number nearest to `newest` (an unwrapped one) whose low 16 bits are `seq`
    return newest + <int16_t>(seq - <uint16_t>newest)

cdef enum PacketKind:              # RFC 7983, RFC 5761
    PACKET_UNKNOWN = 0
    PACKET_STUN = 1
    PACKET_DTLS = 2
    PACKET_RTP = 3
    PACKET_RTCP = 4

cdef inline PacketKind packet_kind(const uint8_t *data, Py_ssize_t size) noexcept nogil:
    if size < 2:
        return PACKET_UNKNOWN
    if 128 <= data[0] <= 191:
        return PACKET_RTCP if 192 <= data[1] <= 223 else PACKET_RTP
    if 20 <= data[0] <= 63:
        return PACKET_DTLS
    if data[0] <= 3:
        return PACKET_STUN
    return PACKET_UNKNOWN
