"""Transport-wide feedback on the wire (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

Theory of operation
A packet tells one status for each of `status_count` consecutive sequence numbers, as symbols of two bits in 16-bit
chunks: a run of one symbol, fourteen symbols of one bit, or seven of two. Behind the chunks follow the arrival times,
each as the step from the one before in ticks of 250 us: one byte for a small step, two for a large or a negative one.

Reading goes over the chunks twice. The first time it only adds up how many bytes of steps they ask for, a chunk at a
time, so that a packet that lies is refused before anything is taken from it; the second time nothing needs checking.

Writing keeps one chunk open. A symbol joins it while some form of chunk can hold all of them, else the chunk is closed
in the most compact form that fits. So the size of the packet is known to the byte before a status is added.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.number cimport PyNumber_Index
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from mediarouter._drop cimport DROP_RTCP_LENGTH
from mediarouter._rtcp_packet cimport checked, checked_u32
from mediarouter._rtp cimport read_u16, read_u24, read_u32, write_u16, write_u24, write_u32

import numpy

cdef extern from *:
    int popcount "__builtin_popcount"(unsigned int) noexcept nogil

cdef enum:
    SYMBOL_LOST = 0
    SYMBOL_SMALL = 1               # a step of 0..255 ticks, in one byte
    SYMBOL_LARGE = 2               # of -32768..32767, in two
    SYMBOL_RESERVED = 3            # read as received at an unknown time, never written
    IS_VECTOR = 0x8000
    IS_TWO_BIT = 0x4000
    ONE_BIT_SYMBOLS = 14
    TWO_BIT_SYMBOLS = 7


# ---- reading

cdef inline int chunk_deltas(uint16_t chunk, int room, int *delta_size) noexcept nogil:
    # statuses that a chunk covers, `room` at most; adds the bytes of their steps to *delta_size
    cdef int count
    cdef unsigned int symbols, low, high
    if not chunk & IS_VECTOR:
        count = min(chunk & TWCC_RUN_MAX, room)
        symbols = (chunk >> 13) & 3
        delta_size[0] += count * <int>symbols if symbols != SYMBOL_RESERVED else 0
    elif not chunk & IS_TWO_BIT:
        count = min(ONE_BIT_SYMBOLS, room)
        delta_size[0] += popcount((chunk & 0x3FFFu) >> (ONE_BIT_SYMBOLS - count))
    else:
        count = min(TWO_BIT_SYMBOLS, room)
        symbols = (chunk & 0x3FFFu) >> (2 * (TWO_BIT_SYMBOLS - count))
        low = symbols & 0x1555
        high = (symbols >> 1) & 0x1555
        delta_size[0] += popcount(low & ~high) + 2 * popcount(high & ~low)
    return count


cdef int twcc_check(const uint8_t *data, int size, TwccFeedback *feedback) noexcept nogil:
    cdef int at = TWCC_HEADER_SIZE
    cdef int covered = 0
    cdef int delta_size = 0
    if size < TWCC_HEADER_SIZE:
        return DROP_RTCP_LENGTH
    feedback.sender_ssrc = read_u32(data + 4)
    feedback.media_ssrc = read_u32(data + 8)
    feedback.base_seq = read_u16(data + 12)
    feedback.status_count = read_u16(data + 14)
    feedback.reference_time_64ms = read_u24(data + 16)
    feedback.feedback_count = data[19]
    while covered < feedback.status_count:
        if at + 2 > size:
            return DROP_RTCP_LENGTH
        covered += chunk_deltas(read_u16(data + at), feedback.status_count - covered, &delta_size)
        at += 2
    return at if at + delta_size <= size else DROP_RTCP_LENGTH


cdef inline const uint8_t *put_status(TwccStatus *status, unsigned int symbol, const uint8_t *delta,
                                      int64_t *tick) noexcept nogil:
    status.received = symbol != SYMBOL_LOST
    status.timed = symbol == SYMBOL_SMALL or symbol == SYMBOL_LARGE
    if symbol == SYMBOL_SMALL:
        tick[0] += delta[0]
        delta += 1
    elif symbol == SYMBOL_LARGE:
        tick[0] += <int16_t>read_u16(delta)
        delta += 2
    status.arrival_us = tick[0] * TWCC_TICK_US
    return delta


cdef int twcc_parse(const uint8_t *data, int size, TwccFeedback *feedback,
                    TwccStatus *statuses, int capacity) noexcept nogil:
    cdef int at = TWCC_HEADER_SIZE
    cdef int filled = 0
    cdef int wanted, count, shift, k
    cdef uint16_t chunk
    cdef unsigned int symbol
    cdef int64_t tick
    cdef const uint8_t *delta
    cdef int delta_offset = twcc_check(data, size, feedback)
    if delta_offset < 0:
        return delta_offset
    wanted = min(<int>feedback.status_count, capacity)
    delta = data + delta_offset
    tick = <int64_t>twcc_reference(feedback) * TWCC_REFERENCE_TICKS
    while filled < wanted:
        chunk = read_u16(data + at)
        at += 2
        if not chunk & IS_VECTOR:
            count = min(chunk & TWCC_RUN_MAX, wanted - filled)
            symbol = (chunk >> 13) & 3
            for k in range(filled, filled + count):
                delta = put_status(&statuses[k], symbol, delta, &tick)
        else:
            shift = 2 if chunk & IS_TWO_BIT else 1
            count = min(ONE_BIT_SYMBOLS // shift, wanted - filled)
            chunk = <uint16_t>(chunk << 2)
            for k in range(filled, filled + count):
                delta = put_status(&statuses[k], <unsigned int>chunk >> (16 - shift), delta, &tick)
                chunk = <uint16_t>(chunk << shift)
        filled += count
    for k in range(wanted):
        statuses[k].seq = <uint16_t>(feedback.base_seq + k)
    return wanted


# ---- writing

cdef void twcc_writer_init(TwccWriter *writer, uint8_t *out, int capacity, uint16_t base_seq) noexcept nogil:
    writer.out = out
    writer.capacity = min(capacity, TWCC_SIZE_MAX)
    writer.base_seq = base_seq
    writer.size = TWCC_HEADER_SIZE
    writer.delta_size = 0
    writer.count = 0
    writer.received = 0
    writer.reference = 0
    writer.last_tick = 0
    writer.pending = 0
    writer.uniform = True
    writer.large = False
    writer.timeless = False


cdef inline bint joins_chunk(const TwccWriter *writer, uint8_t symbol) noexcept nogil:
    if writer.pending < TWO_BIT_SYMBOLS:
        return True
    if writer.uniform and symbol == writer.symbols[0]:
        return writer.pending < TWCC_RUN_MAX
    return writer.pending < ONE_BIT_SYMBOLS and not writer.large and symbol != SYMBOL_LARGE


cdef inline void note_pending(TwccWriter *writer, uint8_t symbol) noexcept nogil:
    if writer.pending < ONE_BIT_SYMBOLS:
        writer.symbols[writer.pending] = symbol
    writer.uniform = writer.uniform and symbol == writer.symbols[0]
    writer.large = writer.large or symbol == SYMBOL_LARGE
    writer.pending += 1


cdef void close_chunk(TwccWriter *writer) noexcept nogil:
    # the open chunk in the form that takes most of it; what a two-bit chunk leaves stays open
    cdef uint8_t rest[ONE_BIT_SYMBOLS]
    cdef int count = writer.pending
    cdef int k
    cdef uint16_t chunk
    if writer.uniform:
        chunk = <uint16_t>((writer.symbols[0] << 13) | count)
    elif not writer.large and count == ONE_BIT_SYMBOLS:
        chunk = IS_VECTOR
        for k in range(count):
            chunk |= <uint16_t>(writer.symbols[k] << (13 - k))
    else:
        chunk = IS_VECTOR | IS_TWO_BIT
        count = min(count, TWO_BIT_SYMBOLS)
        for k in range(count):
            chunk |= <uint16_t>(writer.symbols[k] << (12 - 2 * k))
    write_u16(writer.out + writer.size, chunk)
    writer.size += 2
    memcpy(rest, writer.symbols, ONE_BIT_SYMBOLS)
    k = count
    count = writer.pending - count
    writer.pending = 0
    writer.uniform = True
    writer.large = False
    for k in range(k, k + count):
        note_pending(writer, rest[k])


cdef bint add_symbol(TwccWriter *writer, uint8_t symbol) noexcept nogil:
    # the symbol's value is also the size of its step
    cdef bint joins = joins_chunk(writer, symbol)
    cdef int size = writer.size + (2 if joins else 4) + writer.delta_size + (0 if writer.timeless else symbol)
    if (size + 3) & ~3 > writer.capacity or writer.count == 0xFFFF:
        return False
    if not joins:
        close_chunk(writer)
    note_pending(writer, symbol)
    writer.count += 1
    return True


cdef bint twcc_writer_add_lost(TwccWriter *writer) noexcept nogil:
    return add_symbol(writer, SYMBOL_LOST)


cdef bint twcc_writer_add_received(TwccWriter *writer, int64_t tick) noexcept nogil:
    cdef int64_t reference = writer.reference
    cdef int64_t step
    if writer.received == 0:
        reference = tick >> 8      # rounded down, negative times too
        step = tick & (TWCC_REFERENCE_TICKS - 1)
    else:
        step = tick - writer.last_tick
        if not -32768 <= step <= 32767 and not writer.timeless:
            return False
    if writer.timeless:
        if not add_symbol(writer, SYMBOL_SMALL):
            return False
    elif 0 <= step <= 255:
        if not add_symbol(writer, SYMBOL_SMALL):
            return False
        writer.deltas[writer.delta_size] = <uint8_t>step
        writer.delta_size += 1
    else:
        if not add_symbol(writer, SYMBOL_LARGE):
            return False
        write_u16(writer.deltas + writer.delta_size, <uint16_t>step)
        writer.delta_size += 2
    writer.reference = reference
    writer.last_tick = tick
    writer.received += 1
    return True


cdef int twcc_writer_finish(TwccWriter *writer, uint32_t sender_ssrc, uint32_t media_ssrc,
                            uint8_t feedback_count) noexcept nogil:
    cdef uint8_t *out = writer.out
    cdef int size, padding, k
    cdef uint16_t chunk
    if 0 < writer.pending < ONE_BIT_SYMBOLS and not writer.uniform and not writer.large:
        chunk = IS_VECTOR          # the last one may have symbols to spare
        for k in range(writer.pending):
            chunk |= <uint16_t>(writer.symbols[k] << (13 - k))
        write_u16(out + writer.size, chunk)
        writer.size += 2
        writer.pending = 0
    elif writer.pending:
        close_chunk(writer)
    memcpy(out + writer.size, writer.deltas, <size_t>writer.delta_size)
    size = writer.size + writer.delta_size
    padding = -size & 3
    if padding:
        memset(out + size, 0, <size_t>padding)
        size += padding
        out[size - 1] = <uint8_t>padding
    out[0] = <uint8_t>(0x80 | (0x20 if padding else 0) | 15)
    out[1] = 205
    write_u16(out + 2, <uint16_t>(size // 4 - 1))
    write_u32(out + 4, sender_ssrc)
    write_u32(out + 8, media_ssrc)
    write_u16(out + 12, writer.base_seq)
    write_u16(out + 14, <uint16_t>writer.count)
    write_u24(out + 16, <uint32_t>writer.reference & 0xFFFFFF)
    out[19] = feedback_count
    return size


# ---- the Python face

STATUS_DTYPE = numpy.dtype({
    "names": ["arrival_us", "sequence_number", "received", "timed"],
    "formats": ["i8", "u2", "?", "?"],
    "offsets": [0, 8, 10, 11],
    "itemsize": sizeof(TwccStatus),
})
cdef object status_dtype = STATUS_DTYPE
cdef object frombuffer = numpy.frombuffer
cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
@cython.freelist(16)
cdef class Twcc:
    """Transport-wide congestion control feedback: which packets arrived, and when.

    `parse` keeps the packet as it came and reads its statuses when they are asked for; `bytes(packet)` is the packet,
    bit for bit. Two packets are equal when they tell the same.

    Args:
        sender_ssrc: of whoever sends the feedback.
        media_ssrc: of any stream of the transport.
        base_sequence_number: transport-wide sequence number of the first status, 0..65535.
        arrivals_us: arrival of this and each following number in microseconds of the receiver's clock, None for a
            packet that did not arrive. Rounded to the format's 250 us.
        feedback_packet_count: 0..255, one more with each packet.

    Raises:
        ValueError: a field is out of range, nothing arrived, two arrivals in a row are more than 8.19 s apart, or there
            is more than a packet of 1,500 bytes holds; then make several. `mediarouter.congestion.TwccRecorder` does.
        TypeError: a field or an arrival is no integer.

    Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
    """

    def __init__(self, sender_ssrc, media_ssrc, base_sequence_number, arrivals_us, feedback_packet_count=0):
        cdef uint8_t out[TWCC_SIZE_MAX]
        cdef TwccWriter writer
        cdef int64_t arrival_us
        cdef bint added
        cdef int size
        cdef uint32_t sender = checked_u32(sender_ssrc, "sender_ssrc")
        cdef uint32_t media = checked_u32(media_ssrc, "media_ssrc")
        cdef uint16_t base = <uint16_t>checked(base_sequence_number, 0xFFFF, "base_sequence_number")
        cdef uint8_t feedback_count = <uint8_t>checked(feedback_packet_count, 0xFF, "feedback_packet_count")
        twcc_writer_init(&writer, out, sizeof(out), base)
        for arrival in arrivals_us:
            if arrival is None:
                added = twcc_writer_add_lost(&writer)
            else:
                arrival = PyNumber_Index(arrival)
                if not -TIME_MAX_US < arrival < TIME_MAX_US:
                    raise ValueError("arrival time out of range")
                arrival_us = arrival
                added = twcc_writer_add_received(&writer, twcc_tick(arrival_us))
            if not added:
                raise ValueError("does not fit one packet")
        if not writer.received:
            raise ValueError("nothing arrived")
        size = twcc_writer_finish(&writer, sender, media, feedback_count)
        take_wire(self, out, size, size - (out[size - 1] if out[0] & 0x20 else 0))

    @property
    def sender_ssrc(self):
        """SSRC of whoever sent the feedback."""
        return self.fixed.sender_ssrc

    @property
    def media_ssrc(self):
        """SSRC of some stream of the transport; which one has no meaning."""
        return self.fixed.media_ssrc

    @property
    def base_sequence_number(self):
        """Transport-wide sequence number of the first status."""
        return self.fixed.base_seq

    @property
    def packet_status_count(self):
        """How many consecutive sequence numbers are told about, 0..65535."""
        return self.fixed.status_count

    @property
    def reference_time(self):
        """Where the arrivals count from, in units of 64 ms; 24 bits with a sign, so it wraps every 12.4 days."""
        return twcc_reference(&self.fixed)

    @property
    def feedback_packet_count(self):
        """0..255, one more with each packet: a gap means that feedback was lost."""
        return self.fixed.feedback_count

    @property
    def statuses(self):
        """One row a sequence number, as a read-only numpy array of `STATUS_DTYPE`.

        `arrival_us` counts from the receiver's zero of the reference time. It means nothing where `timed` is false:
        the packet was lost, or (reserved symbol 3) `received` at a time that was not told.
        """
        return frombuffer(decoded(self), status_dtype)

    @property
    def arrivals(self):
        """[(sequence number, arrival in microseconds)], None for those that did not arrive, or at no time told."""
        cdef bytes rows = decoded(self)
        cdef const TwccStatus *statuses = <const TwccStatus *><const char *>rows
        cdef int i
        return [(statuses[i].seq, statuses[i].arrival_us if statuses[i].timed else None)
                for i in range(self.fixed.status_count)]

    def __bytes__(self):
        return self.wire

    def __eq__(self, other):
        if not isinstance(other, Twcc):
            return NotImplemented
        return fixed_fields(self) == fixed_fields(other) and decoded(self) == decoded(other)

    def __hash__(self):
        return hash(fixed_fields(self))

    def __reduce__(self):
        return from_bytes, (self.wire,)

    def __repr__(self):
        return (f"Twcc(sender_ssrc={self.fixed.sender_ssrc}, media_ssrc={self.fixed.media_ssrc}, "
                f"reference_time={self.reference_time}, feedback_packet_count={self.fixed.feedback_count}, "
                f"arrivals={self.arrivals})")


cdef object twcc_of(const uint8_t *data, int size, int padding):
    # None when the packet contradicts itself
    cdef Twcc packet = Twcc.__new__(Twcc)
    return packet if take_wire(packet, data, size, size - padding) >= 0 else None


cdef int take_wire(Twcc packet, const uint8_t *data, int size, int unpadded) except? -1:
    packet.wire = PyBytes_FromStringAndSize(<const char *>data, size)
    packet.size = unpadded
    return twcc_check(data, unpadded, &packet.fixed)


cdef bytes decoded(Twcc packet):
    cdef TwccFeedback fixed
    cdef int count = packet.fixed.status_count
    cdef bytes rows = PyBytes_FromStringAndSize(NULL, count * <Py_ssize_t>sizeof(TwccStatus))
    cdef TwccStatus *statuses = <TwccStatus *><char *>rows
    memset(statuses, 0, count * sizeof(TwccStatus))      # the gaps between fields are compared too
    twcc_parse(<const uint8_t *><const char *>packet.wire, packet.size, &fixed, statuses, count)
    return rows


cdef tuple fixed_fields(Twcc packet):
    return (packet.fixed.sender_ssrc, packet.fixed.media_ssrc, packet.fixed.base_seq, packet.fixed.status_count,
            packet.fixed.reference_time_64ms, packet.fixed.feedback_count)


def from_bytes(bytes data not None):
    """The feedback in one RTCP packet of type 205, format 15.

    Raises:
        ValueError: it is none, or contradicts itself.
    """
    cdef const uint8_t *packet = <const uint8_t *><const char *>data
    cdef Py_ssize_t size = len(data)
    cdef int padding = 0
    cdef object found = None
    if (size >= TWCC_HEADER_SIZE and packet[0] & 0xDF == 0x8F and packet[1] == 205
            and size == read_u16(packet + 2) * 4 + 4):
        if packet[0] & 0x20:
            padding = packet[size - 1] or <int>size
        if padding <= size - TWCC_HEADER_SIZE:
            found = twcc_of(packet, <int>size, padding)
    if found is None:
        raise ValueError("no transport-wide feedback")
    return found


def parse_times(bytes data not None, int times):
    """Read one packet into C structs that many times; the number of statuses read. For benchmarks."""
    cdef TwccStatus statuses[1024]
    cdef TwccFeedback fixed
    cdef const uint8_t *packet = <const uint8_t *><const char *>data
    cdef int size = <int>len(data)
    cdef int64_t total = 0
    cdef int _
    with nogil:
        for _ in range(times):
            total += twcc_parse(packet, size, &fixed, statuses, 1024)
    return total


def unwrap_reference_time(int64_t newest, int reference_time):
    """The reference time nearest to `newest` (an unwrapped one) that reads as `reference_time` in 24 bits; in 64 ms.

    A report older than the newest gives a smaller number; keep the larger of both as the next `newest`.
    """
    return twcc_unwrap_reference(newest, <uint32_t>reference_time)
