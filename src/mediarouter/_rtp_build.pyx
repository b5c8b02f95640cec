"""Write an RTP packet from its parts in one pass over a bytes object of the right size (RFC 3550 5.1, RFC 8285)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from mediarouter._rtp cimport write_u16, write_u32

cdef enum:
    HEADER_SIZE = 12
    BLOCK_HEADER_SIZE = 4
    LARGEST_PACKET = 65535
    NO_BLOCK = -1                  # choose; without elements there is none
    ONE_BYTE = 0xBEDE
    TWO_BYTE = 0x1000


def build(*, payload_type, sequence_number, timestamp, ssrc, marker=False, csrc=(), extensions=None,
          extension_profile=None, extension_data=b"", payload=b"", padding_size=0):
    """The bytes of a packet; the arguments are the fields of `rtp.RtpPacket`.

    Raises:
        ValueError: a field is out of range; the text names it.
    """
    cdef bytes body = payload if type(payload) is bytes else bytes(payload)
    cdef bytes opaque = extension_data if type(extension_data) is bytes else bytes(extension_data)
    cdef list elements = checked_elements(extensions) if extensions else []
    cdef tuple sources = tuple(csrc)
    cdef int profile = chosen_profile(extension_profile, elements, opaque)
    cdef int padding = <int>checked(padding_size, 255, "padding_size")
    cdef int block_size = sizeof_block(profile, elements, opaque)
    cdef Py_ssize_t size = HEADER_SIZE + 4 * len(sources) + block_size + PyBytes_GET_SIZE(body) + padding
    cdef bytes packet
    cdef uint8_t *out
    if len(sources) > 15:
        raise ValueError("csrc must be at most 15 sources")
    if size > LARGEST_PACKET:
        raise ValueError("RTP packet is larger than 65535 bytes")
    packet = PyBytes_FromStringAndSize(NULL, size)
    out = <uint8_t *>PyBytes_AS_STRING(packet)
    out[0] = <uint8_t>(0x80 | len(sources) | (0x10 if block_size else 0) | (0x20 if padding else 0))
    out[1] = <uint8_t>(checked(payload_type, 0x7F, "payload_type") | (0x80 if marker else 0))
    write_u16(out + 2, <uint16_t>checked(sequence_number, 0xFFFF, "sequence_number"))
    write_u32(out + 4, checked(timestamp, 0xFFFFFFFF, "timestamp"))
    write_u32(out + 8, checked(ssrc, 0xFFFFFFFF, "ssrc"))
    out += HEADER_SIZE
    for source in sources:
        write_u32(out, checked(source, 0xFFFFFFFF, "csrc"))
        out += 4
    if block_size:
        write_block(out, block_size, profile, elements, opaque)
        out += block_size
    memcpy(out, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    if padding:
        out += PyBytes_GET_SIZE(body)
        memset(out, 0, padding - 1)
        out[padding - 1] = <uint8_t>padding
    return packet


cdef list checked_elements(object extensions):
    # (id, value), both as they can be written in the two-byte form at least
    cdef list elements = []
    cdef bytes content
    for element_id, value in extensions.items():
        content = value if type(value) is bytes else bytes(value)
        if not 1 <= element_id <= 255:
            raise ValueError("header extension id must be 1..255")
        if PyBytes_GET_SIZE(content) > 255:
            raise ValueError(f"header extension {element_id} is larger than 255 bytes")
        elements.append((element_id, content))
    return elements


cdef int chosen_profile(object wanted, list elements, bytes opaque) except -2:
    # the profile to write, or NO_BLOCK
    cdef int profile = NO_BLOCK if wanted is None else <int>checked(wanted, 0xFFFF, "extension_profile")
    cdef bytes value
    if profile != NO_BLOCK and profile != ONE_BYTE and profile & 0xFFF0 != TWO_BYTE:
        if elements:
            raise ValueError("an opaque extension profile has extension_data, no extensions")
        if PyBytes_GET_SIZE(opaque) & 3:
            raise ValueError("extension_data must be a multiple of 4 bytes")
        return profile
    if PyBytes_GET_SIZE(opaque):
        raise ValueError("extension_data needs an opaque extension_profile")
    if profile == NO_BLOCK and elements:
        profile = ONE_BYTE
    if profile == ONE_BYTE:
        for element_id, value in elements:
            if element_id > 14 or not 0 < PyBytes_GET_SIZE(value) < 17:
                return TWO_BYTE
    return profile


cdef int sizeof_block(int profile, list elements, bytes opaque):
    cdef int head_size = 1 if profile == ONE_BYTE else 2
    cdef int size = <int>PyBytes_GET_SIZE(opaque)
    cdef bytes value
    if profile == NO_BLOCK:
        return 0
    for _, value in elements:
        size += head_size + <int>PyBytes_GET_SIZE(value)
    return BLOCK_HEADER_SIZE + ((size + 3) & ~3)


cdef int write_block(uint8_t *out, int block_size, int profile, list elements, bytes opaque) except -1:
    cdef uint8_t *end = out + block_size
    cdef bytes value
    cdef int size, element_id
    write_u16(out, <uint16_t>profile)
    write_u16(out + 2, <uint16_t>((block_size - BLOCK_HEADER_SIZE) >> 2))
    out += BLOCK_HEADER_SIZE
    memcpy(out, PyBytes_AS_STRING(opaque), PyBytes_GET_SIZE(opaque))
    out += PyBytes_GET_SIZE(opaque)
    for element_id, value in elements:
        size = <int>PyBytes_GET_SIZE(value)
        if profile == ONE_BYTE:
            out[0] = <uint8_t>((element_id << 4) | (size - 1))
            out += 1
        else:
            out[0] = <uint8_t>element_id
            out[1] = <uint8_t>size
            out += 2
        memcpy(out, PyBytes_AS_STRING(value), size)
        out += size
    memset(out, 0, end - out)
    return 0


cdef inline uint32_t checked(object value, uint32_t largest, str name) except? 0xFFFFFFFF:
    if not 0 <= value <= largest:
        raise ValueError(f"{name} must be 0..{largest}")
    return <uint32_t>value
