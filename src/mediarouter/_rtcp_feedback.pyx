"""What is asked for again, as Python values: packets (NACK), pictures (PLI, SLI, RPSI), key frames (FIR).

Sources: RFC 4585 section 6, RFC 5104 section 4.3.1.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy
from mediarouter._rtcp cimport RTCP_PSFB, RTCP_RTPFB, RtcpView
from mediarouter._rtcp_packet cimport FeedbackPacket, checked, checked_u32, new_feedback, octets, wire_of
from mediarouter._rtp cimport read_u16, read_u32, write_u16, write_u32

from mediarouter.rtcp_rows import FullIntraRequest, NackPair, SliceLoss

cdef enum:
    FEEDBACK_SIZE = 12             # header and both SSRCs
    FORMAT_NACK = 1
    FORMAT_PLI = 1
    FORMAT_SLI = 2
    FORMAT_RPSI = 3
    FORMAT_FIR = 4


cdef const char *check_nack(const RtcpView *view) noexcept nogil:
    if view.size < FEEDBACK_SIZE + 4 or (view.size - FEEDBACK_SIZE) & 3:
        return "a NACK does not hold whole pairs, one at least"
    return NULL


cdef list pairs_of(object sequence_numbers):
    # as few pairs as their order allows: it is kept
    cdef list pairs = []
    cdef uint16_t first = 0
    cdef uint16_t mask = 0
    cdef uint16_t seq, distance
    cdef bint is_open = False
    for number in sequence_numbers:
        seq = <uint16_t>checked(number, 0xFFFF, "sequence_numbers")
        distance = <uint16_t>(seq - first)
        if is_open and 1 <= distance <= 16 and not mask >> (distance - 1):
            mask |= <uint16_t>(1 << (distance - 1))
            continue
        if is_open:
            pairs.append((first, mask))
        first, mask, is_open = seq, 0, True
    if is_open:
        pairs.append((first, mask))
    return pairs


cdef int write_pairs(Nack packet, object sender_ssrc, object media_ssrc, list pairs) except -1:
    cdef Py_ssize_t i
    cdef uint8_t *out
    if not pairs:
        raise ValueError("a NACK needs at least one sequence number")
    out = new_feedback(packet, RTCP_RTPFB, FORMAT_NACK, sender_ssrc, media_ssrc, FEEDBACK_SIZE + 4 * len(pairs))
    for i, (sequence_number, bitmask) in enumerate(pairs):
        write_u16(out + FEEDBACK_SIZE + 4 * i, <uint16_t>checked(sequence_number, 0xFFFF, "sequence_number"))
        write_u16(out + FEEDBACK_SIZE + 4 * i + 2, <uint16_t>checked(bitmask, 0xFFFF, "bitmask"))
    return 0


@cython.final
cdef class Nack(FeedbackPacket):
    """Packets that did not arrive.

    Args:
        sender_ssrc: of whoever misses them.
        media_ssrc: of the stream they belong to.
        sequence_numbers: one at least, each 0..65535. In ascending order (on the circle: 65535, then 0) they take the
            fewest pairs.

    Raises:
        ValueError: a field is out of range, or there is none.

    Source: RFC 4585 section 6.2.1.
    """

    __match_args__ = ("sender_ssrc", "media_ssrc", "sequence_numbers")

    def __init__(self, sender_ssrc, media_ssrc, sequence_numbers):
        write_pairs(self, sender_ssrc, media_ssrc, pairs_of(sequence_numbers))

    @classmethod
    def from_pairs(cls, sender_ssrc, media_ssrc, pairs):
        """The same from pairs of (sequence number, bitmask of the 16 behind it), both 0..65535."""
        cdef Nack packet = Nack.__new__(Nack)
        write_pairs(packet, sender_ssrc, media_ssrc, list(pairs))
        return packet

    @property
    def pairs(self):
        """`NackPair` values as they are on the wire."""
        cdef const uint8_t *data = wire_of(self)
        cdef int at
        return tuple([NackPair(read_u16(data + at), read_u16(data + at + 2))
                      for at in range(FEEDBACK_SIZE, self.size, 4)])

    @property
    def sequence_numbers(self):
        """All of them in the order of the wire."""
        if self.cached is None:
            self.cached = tuple(read_numbers(self))
        return self.cached


cdef list read_numbers(Nack packet):
    cdef const uint8_t *data = wire_of(packet)
    cdef list found = []
    cdef int at, bit
    cdef uint16_t first, mask
    for at in range(FEEDBACK_SIZE, packet.size, 4):
        first = read_u16(data + at)
        mask = read_u16(data + at + 2)
        found.append(first)
        for bit in range(16):
            if mask & (1 << bit):
                found.append(<uint16_t>(first + bit + 1))
    return found


cdef const char *check_pli(const RtcpView *view) noexcept nogil:
    if view.size != FEEDBACK_SIZE:
        return "a PLI has two SSRCs and nothing else"
    return NULL


@cython.final
cdef class Pli(FeedbackPacket):
    """Picture loss: send something that can be decoded without what came before.

    Args:
        sender_ssrc: of whoever asks.
        media_ssrc: of the stream asked for.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 4585 section 6.3.1.
    """

    __match_args__ = ("sender_ssrc", "media_ssrc")

    def __init__(self, sender_ssrc, media_ssrc):
        new_feedback(self, RTCP_PSFB, FORMAT_PLI, sender_ssrc, media_ssrc, FEEDBACK_SIZE)


cdef const char *check_sli(const RtcpView *view) noexcept nogil:
    if view.size < FEEDBACK_SIZE + 4 or (view.size - FEEDBACK_SIZE) & 3:
        return "an SLI does not hold whole entries, one at least"
    return NULL


@cython.final
cdef class Sli(FeedbackPacket):
    """Slices that were lost.

    Args:
        sender_ssrc: of whoever lost them.
        media_ssrc: of the stream.
        entries: `SliceLoss` values, one at least: first macroblock 0..8191, number 0..8191, picture id 0..63.

    Raises:
        ValueError: a field is out of range, or there is none.

    Source: RFC 4585 section 6.3.2.
    """

    __match_args__ = ("sender_ssrc", "media_ssrc", "entries")

    def __init__(self, sender_ssrc, media_ssrc, entries):
        cdef list packed = [
            checked(first, 0x1FFF, "first") << 19 | checked(number, 0x1FFF, "number") << 6
            | checked(picture_id, 0x3F, "picture_id")
            for first, number, picture_id in entries
        ]
        cdef Py_ssize_t i
        cdef uint8_t *out
        if not packed:
            raise ValueError("an SLI needs at least one entry")
        out = new_feedback(self, RTCP_PSFB, FORMAT_SLI, sender_ssrc, media_ssrc, FEEDBACK_SIZE + 4 * len(packed))
        for i in range(len(packed)):
            write_u32(out + FEEDBACK_SIZE + 4 * i, packed[i])

    @property
    def entries(self):
        """`SliceLoss` values."""
        cdef const uint8_t *data = wire_of(self)
        cdef uint32_t packed
        cdef list found = []
        cdef int at
        for at in range(FEEDBACK_SIZE, self.size, 4):
            packed = read_u32(data + at)
            found.append(SliceLoss(packed >> 19, packed >> 6 & 0x1FFF, packed & 0x3F))
        return tuple(found)


cdef const char *check_rpsi(const RtcpView *view) noexcept nogil:
    if view.size < FEEDBACK_SIZE + 4 or view.data[FEEDBACK_SIZE] > 8 * (view.size - FEEDBACK_SIZE - 2):
        return "an RPSI has no room for its payload type and the bits that it says are padding"
    return NULL


@cython.final
cdef class Rpsi(FeedbackPacket):
    """Reference picture selection: which picture the receiver has, in the codec's own words.

    Args:
        sender_ssrc: of whoever tells.
        media_ssrc: of the stream.
        payload_type: 0..127, says how the bits are meant.
        bit_string: bytes, the last one filled up with zero bits.
        bit_count: bits of it that count, all when it is None; it must end in the last byte.

    Raises:
        ValueError: a field is out of range.

    Source: RFC 4585 section 6.3.3.
    """

    __match_args__ = ("sender_ssrc", "media_ssrc", "payload_type", "bit_string", "bit_count")

    def __init__(self, sender_ssrc, media_ssrc, payload_type, bit_string, bit_count=None):
        cdef bytes content = octets(bit_string)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(content)
        cdef Py_ssize_t bits = 8 * length
        cdef Py_ssize_t size = (FEEDBACK_SIZE + 2 + length + 3) & ~3
        cdef int kind = <int>checked(payload_type, 127, "payload_type")
        cdef uint8_t *out
        if bit_count is not None:
            bits = <Py_ssize_t>checked(bit_count, 8 * length, "bit_count")
        if (bits + 7) // 8 != length:
            raise ValueError("bit_count must end in the last byte of bit_string")
        out = new_feedback(self, RTCP_PSFB, FORMAT_RPSI, sender_ssrc, media_ssrc, max(size, FEEDBACK_SIZE + 4))
        out[FEEDBACK_SIZE] = <uint8_t>(8 * (self.size - FEEDBACK_SIZE - 2) - bits)
        out[FEEDBACK_SIZE + 1] = <uint8_t>kind
        memcpy(out + FEEDBACK_SIZE + 2, PyBytes_AS_STRING(content), length)
        if bits & 7:
            out[FEEDBACK_SIZE + 1 + length] &= <uint8_t>(0xFF << (8 - (bits & 7)))

    @property
    def payload_type(self):
        """Says how the bits are meant, 0..127."""
        return wire_of(self)[FEEDBACK_SIZE + 1] & 0x7F

    @property
    def bit_count(self):
        """How many bits there are."""
        return 8 * (self.size - FEEDBACK_SIZE - 2) - wire_of(self)[FEEDBACK_SIZE]

    @property
    def bit_string(self):
        """The bits, the last byte filled up with zeros."""
        cdef int bits = self.bit_count
        cdef bytearray content = bytearray(
            (<const char *>wire_of(self))[FEEDBACK_SIZE + 2:FEEDBACK_SIZE + 2 + (bits + 7) // 8])
        if bits & 7:
            content[bits // 8] &= 0xFF << (8 - (bits & 7)) & 0xFF
        return bytes(content)


cdef const char *check_fir(const RtcpView *view) noexcept nogil:
    if view.size < FEEDBACK_SIZE + 8 or (view.size - FEEDBACK_SIZE) & 7:
        return "a FIR does not hold whole entries, one at least"
    return NULL


@cython.final
cdef class Fir(FeedbackPacket):
    """Full intra request: start anew with a key frame.

    Args:
        sender_ssrc: of whoever asks.
        entries: `FullIntraRequest` values, one at least: SSRC asked for, sequence number of the request 0..255.
        media_ssrc: has no meaning and should be 0.

    Raises:
        ValueError: a field is out of range, or there is none.

    Source: RFC 5104 section 4.3.1.
    """

    __match_args__ = ("sender_ssrc", "entries", "media_ssrc")

    def __init__(self, sender_ssrc, entries, media_ssrc=0):
        cdef list rows = [(checked_u32(ssrc, "ssrc"), checked(number, 0xFF, "sequence_number"))
                          for ssrc, number in entries]
        cdef Py_ssize_t i
        cdef uint8_t *out
        if not rows:
            raise ValueError("a FIR needs at least one entry")
        out = new_feedback(self, RTCP_PSFB, FORMAT_FIR, sender_ssrc, media_ssrc, FEEDBACK_SIZE + 8 * len(rows))
        for i, (ssrc, number) in enumerate(rows):
            write_u32(out + FEEDBACK_SIZE + 8 * i, ssrc)
            out[FEEDBACK_SIZE + 8 * i + 4] = number

    @property
    def entries(self):
        """`FullIntraRequest` values."""
        cdef const uint8_t *data = wire_of(self)
        cdef int at
        return tuple([FullIntraRequest(read_u32(data + at), data[at + 4])
                      for at in range(FEEDBACK_SIZE, self.size, 8)])
