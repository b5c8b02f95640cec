# The payload of benchmark traffic: who sent it, its number, when, and a checksum over all of it; behind a VP8
# descriptor where a codec is wanted. So a receiver proves that every byte came through.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    VP8_DESCRIPTOR_SIZE = 6        # X, I with 15 bits, L, T (RFC 7741 section 4.2)
    VP8_HEADER_SIZE = 10           # of a key frame (RFC 6386 section 9.1); other packets have as many bytes for it
    STAMP_SIZE = 32                # publisher, number, send time, checksum
    PAYLOAD_MIN = STAMP_SIZE + VP8_HEADER_SIZE

cdef struct Stamp:
    uint32_t publisher
    uint32_t number                # of the packet, from 0
    int64_t sent_ns                # CLOCK_REALTIME
    uint64_t length
    uint64_t checksum              # over what follows, and the fields before

cdef inline uint64_t mix(const uint8_t *data, int size, uint64_t state) noexcept nogil:
    # not a cipher: it finds what was lost, moved or flipped by mistake
    cdef uint64_t word
    cdef int at = 0
    while at + 8 <= size:
        memcpy(&word, data + at, 8)
        state = (state ^ word) * <uint64_t>0x9E3779B97F4A7C15
        state ^= state >> 29
        at += 8
    while at < size:
        state = (state ^ data[at]) * <uint64_t>0x9E3779B97F4A7C15
        at += 1
    return state ^ (state >> 32)

cdef inline uint64_t checksum_of(const Stamp *stamp, const uint8_t *filler, int size) noexcept nogil:
    return mix(filler, size, (<uint64_t>stamp.publisher << 32 | stamp.number) ^ <uint64_t>stamp.sent_ns ^ stamp.length)

# How a frame begins: a tag, and in a key frame start code, width and height of 1280 by 720
cdef inline void write_frame_tag(uint8_t *out, bint key) noexcept nogil:
    out[0] = 0x10 if key else 0x11             # shown; the P bit is the lowest
    if key:
        memcpy(out + 3, <const char *>b"\x9d\x01\x2a\x00\x05\xd0\x02", 7)

# Write a payload of `size` bytes; `size` is at least PAYLOAD_MIN
cdef inline void write_payload(uint8_t *out, int size, bint vp8, bint start, bint key, uint16_t picture_id,
                               uint32_t publisher, uint32_t number, int64_t sent_ns) noexcept nogil:
    cdef Stamp stamp
    cdef int at = 0
    if vp8:
        out[0] = 0x90 if start else 0x80
        out[1] = 0xE0
        out[2] = 0x80 | <uint8_t>(picture_id >> 8)
        out[3] = <uint8_t>picture_id
        out[4] = <uint8_t>picture_id           # every picture is of the base layer
        out[5] = 0
        memset(out + VP8_DESCRIPTOR_SIZE, 0, VP8_HEADER_SIZE)
        if start:
            write_frame_tag(out + VP8_DESCRIPTOR_SIZE, key)
        at = VP8_DESCRIPTOR_SIZE + VP8_HEADER_SIZE
    stamp.publisher = publisher
    stamp.number = number
    stamp.sent_ns = sent_ns
    stamp.length = <uint64_t>size
    stamp.checksum = checksum_of(&stamp, out + at + STAMP_SIZE, size - at - STAMP_SIZE)
    memcpy(out + at, &stamp, STAMP_SIZE)

# False: it is not what was sent
cdef inline bint read_payload(const uint8_t *payload, int size, bint vp8, Stamp *stamp) noexcept nogil:
    cdef int at = VP8_DESCRIPTOR_SIZE + VP8_HEADER_SIZE if vp8 else 0
    if size < at + STAMP_SIZE:
        return False
    memcpy(stamp, payload + at, STAMP_SIZE)
    return (stamp.length == <uint64_t>size
            and stamp.checksum == checksum_of(stamp, payload + at + STAMP_SIZE, size - at - STAMP_SIZE))
