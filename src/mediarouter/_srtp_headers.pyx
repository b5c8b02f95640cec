"""RTP headers under SRTP. Masking goes by RFC 6904: one keystream over the whole block, byte by byte of its place, used
where the value of a chosen id stands. Cryptex encrypts CSRCs and block together with the payload (RFC 9335); two-byte
blocks whose four low bits are set have no mark in that RFC and stay as they are."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32
from mediarouter._srtp_policy cimport RTP_HEADER_SIZE, SrtpPolicy

cdef enum:
    ONE_BYTE = 0xBEDE
    TWO_BYTE = 0x1000
    CRYPTEX_ONE_BYTE = 0xC0DE
    CRYPTEX_TWO_BYTE = 0xC2DE


cdef inline int block_at(const uint8_t *packet) noexcept nogil:
    return RTP_HEADER_SIZE + 4 * (packet[0] & 15)


cdef int header_size(const uint8_t *packet, int size) noexcept nogil:
    cdef int end = block_at(packet)
    if packet[0] & 0x10:
        if size < end + 4:
            return -1
        end += 4 + 4 * read_u16(packet + end + 2)
    return end if size >= end else -1


cdef bint walk(uint8_t *block, int size, bint two_byte, const uint8_t *masked, const uint8_t *stream) noexcept nogil:
    # `stream` NULL: only look. False: an element goes beyond the end
    cdef int i, element_id, length, at = 0
    while at < size:
        if block[at] == 0:         # padding
            at += 1
            continue
        if two_byte:
            if at + 2 > size:
                return True
            element_id, length = block[at], block[at + 1]
            at += 2
        else:
            element_id, length = block[at] >> 4, (block[at] & 15) + 1
            at += 1
        if at + length > size:
            return False
        if element_id == 15 and not two_byte:
            return True
        if stream != NULL and masked[element_id]:
            for i in range(at, at + length):
                block[i] ^= stream[i]
        at += length
    return True


cdef int header_mask_size(const uint8_t *packet, int size) noexcept nogil:
    cdef int profile, start = block_at(packet) + 4
    if not packet[0] & 0x10:
        return 0
    profile = read_u16(packet + start - 4)
    size -= start
    if size > MASK_MAX or (profile != ONE_BYTE and profile & 0xFFF0 != TWO_BYTE):
        return -1
    return size if walk(<uint8_t *>packet + start, size, profile != ONE_BYTE, NULL, NULL) else -1


cdef void header_mask_iv(uint8_t *iv, const uint8_t *packet, uint64_t index) noexcept nogil:
    memset(iv, 0, 16)
    memcpy(iv + 4, packet + 8, 4)
    write_u16(iv + 8, <uint16_t>(index >> 32))
    write_u32(iv + 10, <uint32_t>index)


cdef void header_mask(uint8_t *packet, int size, const SrtpPolicy *policy, const uint8_t *stream) noexcept nogil:
    cdef int start = block_at(packet)
    walk(packet + start + 4, size, read_u16(packet + start) != ONE_BYTE, policy.masked, stream)


cdef bint cryptex_wanted(const uint8_t *packet) noexcept nogil:
    cdef int profile
    if not packet[0] & 0x10:
        return packet[0] & 15 != 0
    profile = read_u16(packet + block_at(packet))
    return profile == ONE_BYTE or profile == TWO_BYTE


cdef int cryptex_mark(uint8_t *packet, int size) noexcept nogil:
    cdef int at = block_at(packet)
    if packet[0] & 0x10:
        write_u16(packet + at, CRYPTEX_ONE_BYTE if read_u16(packet + at) == ONE_BYTE else CRYPTEX_TWO_BYTE)
        return size
    memmove(packet + at + 4, packet + at, size - at)
    write_u32(packet + at, <uint32_t>CRYPTEX_ONE_BYTE << 16)
    packet[0] |= 0x10
    return size + 4


cdef bint cryptex_marked(const uint8_t *packet) noexcept nogil:
    cdef int profile
    if not packet[0] & 0x10:
        return False
    profile = read_u16(packet + block_at(packet))
    return profile == CRYPTEX_ONE_BYTE or profile == CRYPTEX_TWO_BYTE


cdef void cryptex_unmark(uint8_t *packet) noexcept nogil:
    cdef int at = block_at(packet)
    write_u16(packet + at, ONE_BYTE if read_u16(packet + at) == CRYPTEX_ONE_BYTE else TWO_BYTE)


cdef void cryptex_join(uint8_t *packet) noexcept nogil:
    cdef int at = block_at(packet)
    cdef uint32_t mark = read_u32(packet + at)
    memmove(packet + 16, packet + 12, at - 12)
    write_u32(packet + 12, mark)


cdef void cryptex_part(uint8_t *packet) noexcept nogil:
    cdef int at = block_at(packet)
    cdef uint32_t mark = read_u32(packet + 12)
    memmove(packet + 12, packet + 16, at - 12)
    write_u32(packet + at, mark)
