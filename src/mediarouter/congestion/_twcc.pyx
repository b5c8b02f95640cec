"""Transport-wide feedback, both ends (draft-holmer-rmcat-transport-wide-cc-extensions-01).

Theory of operation
The recorder is a ring of arrival times over unwrapped transport sequence numbers. A report begins where the last one
ended, so what is missing in between is told as lost; a packet that comes after its number was reported moves the
beginning back, and the window is told again (the sender forgives). Times are kept in ticks of 250 us of one clock, so
rounding does not add up over a report. A step that a delta cannot hold, or a full datagram, ends a report early; the
rest goes into the next one.
"""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from mediarouter._drop cimport DROP_RTCP_LENGTH
from mediarouter._rtp cimport read_u16, read_u24, read_u32, seq_unwrap, write_u16, write_u24, write_u32

cdef enum:
    HEADER_SIZE = 20               # RTCP header, SSRCs, base, count, reference time, feedback count
    FIRST_CAPACITY = 128
    CAPACITY_MAX = 8192            # packets remembered: four seconds at 2,000 a second
    TICK_US = 250
    TICKS_PER_REFERENCE = 256      # 64 ms
    NO_ARRIVAL = -1
    BUSY_INTERVAL_US = 50000
    QUIET_INTERVAL_US = 100000     # where few packets come, feedback would be a large part of what flows
    QUIET_PACKETS = 8
    BACK_WINDOW = 512              # numbers behind the newest that a late packet may still move the report back to
    RUN_MAX = 8191
    FIRST_NUMBER = 65536           # unwrapped numbers begin here, so that reordered first packets stay positive

cdef enum:
    SYMBOL_LOST = 0
    SYMBOL_SMALL = 1
    SYMBOL_LARGE = 2


cdef struct TwccRecord:
    int64_t *arrivals              # ticks, by number & (capacity - 1)
    int64_t capacity
    int64_t newest                 # unwrapped; -1 none
    int64_t base                   # the next report begins here
    int64_t first_unreported_us    # arrival of the first packet since the last report, -1 none
    int64_t interval_us
    int32_t since_report           # packets
    uint8_t feedback_count


cdef TwccRecord *twcc_record_new() noexcept nogil:
    cdef TwccRecord *record = <TwccRecord *>calloc(1, sizeof(TwccRecord))
    if record != NULL:
        record.newest = -1
        record.first_unreported_us = -1
        record.interval_us = QUIET_INTERVAL_US
    return record


cdef void twcc_record_free(TwccRecord *record) noexcept nogil:
    if record != NULL:
        free(record.arrivals)
        free(record)


cdef bint grow(TwccRecord *record, int64_t capacity) noexcept nogil:
    cdef int64_t *arrivals = <int64_t *>malloc(<size_t>capacity * sizeof(int64_t))
    cdef int64_t i
    if arrivals == NULL:
        return False
    for i in range(capacity):
        arrivals[i] = NO_ARRIVAL
    if record.newest >= 0:
        for i in range(max(record.newest - record.capacity + 1, 0), record.newest + 1):
            arrivals[i & (capacity - 1)] = record.arrivals[i & (record.capacity - 1)]
    free(record.arrivals)
    record.arrivals = arrivals
    record.capacity = capacity
    return True


cdef bint make_room(TwccRecord *record, int64_t number) noexcept nogil:
    # what is unreported, and the window that may be told again, must fit
    cdef int64_t capacity = record.capacity if record.capacity else FIRST_CAPACITY
    cdef int64_t oldest = record.base if record.base < number else number
    while capacity < CAPACITY_MAX and number - oldest >= capacity // 2:
        capacity *= 2
    return capacity == record.capacity or grow(record, capacity)


cdef void twcc_record_packet(TwccRecord *record, uint16_t seq, int64_t arrival_us) noexcept nogil:
    cdef int64_t number, i
    if record.newest < 0:
        number = FIRST_NUMBER + seq
        record.base = number
    else:
        number = seq_unwrap(record.newest, seq)
    if not make_room(record, number):
        return
    if record.newest < 0:
        record.newest = number - 1
    if number > record.newest:
        for i in range(max(record.newest + 1, number - record.capacity + 1), number):
            record.arrivals[i & (record.capacity - 1)] = NO_ARRIVAL
        record.newest = number
        if record.base <= number - record.capacity:
            record.base = number - record.capacity + 1
    elif number <= record.newest - record.capacity or number < record.newest - BACK_WINDOW:
        return
    elif record.arrivals[number & (record.capacity - 1)] != NO_ARRIVAL:
        return                     # each number counts once, as it first came
    record.arrivals[number & (record.capacity - 1)] = (arrival_us + TICK_US // 2) // TICK_US
    if number < record.base:
        record.base = number
    if record.first_unreported_us < 0:
        record.first_unreported_us = arrival_us
    record.since_report += 1


cdef int64_t twcc_record_deadline_us(const TwccRecord *record) noexcept nogil:
    return -1 if record.first_unreported_us < 0 else record.first_unreported_us + record.interval_us


cdef int collect(const TwccRecord *record, uint8_t *symbols, int16_t *deltas, int capacity, int64_t *reference,
                 int *delta_count) noexcept nogil:
    # statuses from base on, as many as fit: their number
    cdef int count = 0
    cdef int received = 0
    cdef int end = 0               # behind the last received one
    cdef int received_at_end = 0
    cdef int delta_size = 0
    cdef int64_t last = 0
    cdef int64_t arrival, step, number
    for number in range(record.base, record.newest + 1):
        if HEADER_SIZE + 2 * (count // 7 + 2) + delta_size + 2 + 3 > capacity or count == CAPACITY_MAX:
            break
        arrival = record.arrivals[number & (record.capacity - 1)]
        if arrival == NO_ARRIVAL:
            symbols[count] = SYMBOL_LOST
            count += 1
            continue
        if received == 0:
            reference[0] = arrival // TICKS_PER_REFERENCE
            last = reference[0] * TICKS_PER_REFERENCE
        step = arrival - last
        if not -32768 <= step <= 32767:
            break
        symbols[count] = SYMBOL_SMALL if 0 <= step <= 255 else SYMBOL_LARGE
        delta_size += symbols[count]
        deltas[received] = <int16_t>step
        last = arrival
        received += 1
        count += 1
        end = count
        received_at_end = received
    delta_count[0] = received_at_end
    return end


cdef int write_chunks(uint8_t *out, const uint8_t *symbols, int count) noexcept nogil:
    cdef uint8_t *at = out
    cdef int i = 0
    cdef int run, k, part
    cdef uint16_t chunk
    cdef bint large
    while i < count:
        run = 1
        while i + run < count and run < RUN_MAX and symbols[i + run] == symbols[i]:
            run += 1
        large = False
        for k in range(i, min(i + 14, count)):
            large = large or symbols[k] == SYMBOL_LARGE
        if run >= (7 if large else 14) or i + run == count:
            chunk = <uint16_t>((symbols[i] << 13) | run)
            part = run
        elif large:
            chunk = 0xC000
            part = min(7, count - i)
            for k in range(part):
                chunk |= <uint16_t>(symbols[i + k] << (12 - 2 * k))
        else:
            chunk = 0x8000
            part = min(14, count - i)
            for k in range(part):
                chunk |= <uint16_t>(symbols[i + k] << (13 - k))
        write_u16(at, chunk)
        at += 2
        i += part
    return <int>(at - out)


cdef int twcc_record_write(TwccRecord *record, uint8_t *out, int capacity, uint32_t sender_ssrc,
                           uint32_t media_ssrc, int64_t now_us) noexcept nogil:
    cdef uint8_t symbols[CAPACITY_MAX]
    cdef int16_t deltas[CAPACITY_MAX]
    cdef int64_t reference = 0
    cdef int received = 0
    cdef int count, size, k, padding
    if record.first_unreported_us < 0 or capacity < HEADER_SIZE + 16:
        return 0
    count = collect(record, symbols, deltas, capacity, &reference, &received)
    if count == 0:
        record.interval_us = BUSY_INTERVAL_US if record.since_report >= QUIET_PACKETS else QUIET_INTERVAL_US
        record.first_unreported_us = -1
        record.since_report = 0
        return 0
    size = HEADER_SIZE + write_chunks(out + HEADER_SIZE, symbols, count)
    for k in range(received):
        if 0 <= deltas[k] <= 255:
            out[size] = <uint8_t>deltas[k]
            size += 1
        else:
            write_u16(out + size, <uint16_t>deltas[k])
            size += 2
    padding = -size & 3
    for k in range(padding):
        out[size + k] = <uint8_t>(padding if k == padding - 1 else 0)
    size += padding
    out[0] = 0x80 | (0x20 if padding else 0) | 15
    out[1] = 205
    write_u16(out + 2, <uint16_t>(size // 4 - 1))
    write_u32(out + 4, sender_ssrc)
    write_u32(out + 8, media_ssrc)
    write_u16(out + 12, <uint16_t>record.base)
    write_u16(out + 14, <uint16_t>count)
    write_u24(out + 16, <uint32_t>reference)
    out[19] = record.feedback_count
    record.feedback_count += 1
    record.base += count
    return size


# ---- reading

cdef inline int expand_chunk(uint16_t chunk, uint8_t *symbols, int room) noexcept nogil:
    # symbols of one chunk, `room` at most
    cdef int count, k
    if not chunk & 0x8000:
        count = min(chunk & 0x1FFF, room)
        for k in range(count):
            symbols[k] = <uint8_t>((chunk >> 13) & 3)
    elif not chunk & 0x4000:
        count = min(14, room)
        for k in range(count):
            symbols[k] = <uint8_t>((chunk >> (13 - k)) & 1)
    else:
        count = min(7, room)
        for k in range(count):
            symbols[k] = <uint8_t>((chunk >> (12 - 2 * k)) & 3)
    return count


cdef int twcc_parse(const uint8_t *data, int size, TwccFeedback *feedback,
                    TwccStatus *statuses, int capacity) noexcept nogil:
    cdef uint8_t symbols[RUN_MAX]
    cdef int at = HEADER_SIZE
    cdef int filled = 0
    cdef int wanted, part, k
    cdef int64_t arrival_us
    if size < HEADER_SIZE:
        return DROP_RTCP_LENGTH
    feedback.sender_ssrc = read_u32(data + 4)
    feedback.media_ssrc = read_u32(data + 8)
    feedback.base_seq = read_u16(data + 12)
    feedback.status_count = read_u16(data + 14)
    feedback.reference_time_64ms = read_u24(data + 16)
    feedback.feedback_count = data[19]
    wanted = feedback.status_count
    if wanted > capacity:
        return DROP_RTCP_LENGTH
    while filled < wanted:
        if at + 2 > size:
            return DROP_RTCP_LENGTH
        part = expand_chunk(read_u16(data + at), symbols, wanted - filled)
        if part == 0:
            return DROP_RTCP_LENGTH      # a run of none covers nothing: it could go on for ever
        at += 2
        for k in range(part):
            statuses[filled + k].seq = <uint16_t>(feedback.base_seq + filled + k)
            statuses[filled + k].arrival_us = symbols[k]
        filled += part
    # sign-extended: the reference time may be negative
    arrival_us = <int64_t>(<int32_t>(feedback.reference_time_64ms << 8) >> 8) * TICKS_PER_REFERENCE * TICK_US
    for k in range(filled):
        part = <int>statuses[k].arrival_us
        statuses[k].received = part != SYMBOL_LOST
        if part == SYMBOL_SMALL:
            if at + 1 > size:
                return DROP_RTCP_LENGTH
            arrival_us += data[at] * TICK_US
            at += 1
        elif part == SYMBOL_LARGE:
            if at + 2 > size:
                return DROP_RTCP_LENGTH
            arrival_us += <int16_t>read_u16(data + at) * TICK_US
            at += 2
        statuses[k].arrival_us = arrival_us
    return filled


# ---- the Python face

@cython.final
cdef class TwccRecorder:
    """What a receiver records of the packets it gets, and the feedback it owes their sender.

    Args:
        sender_ssrc: of whoever sends the feedback.
        media_ssrc: of a stream that is reported on; any of the transport.
    """
    cdef TwccRecord *record
    cdef uint32_t sender_ssrc
    cdef uint32_t media_ssrc

    def __cinit__(self, uint32_t sender_ssrc=0, uint32_t media_ssrc=0):
        self.record = twcc_record_new()
        if self.record == NULL:
            raise MemoryError
        self.sender_ssrc = sender_ssrc
        self.media_ssrc = media_ssrc

    def __dealloc__(self):
        twcc_record_free(self.record)

    def on_packet(self, int seq, int64_t arrival_us):
        """A packet with this transport sequence number (0..65535) came at this time."""
        twcc_record_packet(self.record, <uint16_t>(seq & 0xFFFF), arrival_us)

    def poll_timeout(self):
        """When feedback is due, in microseconds; None: nothing is unreported."""
        deadline_us = twcc_record_deadline_us(self.record)
        return None if deadline_us < 0 else deadline_us

    def poll_feedback(self, int64_t now_us, int capacity=1200):
        """One RTCP feedback packet when it is due; None. Call until None: what does not fit one packet fills more.

        Args:
            now_us: microseconds of the clock of `on_packet`.
            capacity: largest packet, bytes.
        """
        cdef uint8_t out[1500]
        cdef int size
        deadline_us = twcc_record_deadline_us(self.record)
        if deadline_us < 0 or now_us < deadline_us:
            return None
        size = twcc_record_write(self.record, out, min(capacity, 1500), self.sender_ssrc, self.media_ssrc, now_us)
        return (<char *>out)[:size] if size else None


def parse_feedback(data):
    """Read a feedback packet.

    Args:
        data: one RTCP packet (type 205, format 15), padding included or not.

    Returns:
        (fixed part as a dict, [(sequence number, arrival in microseconds or None if it is lost)]); a negative Drop code
        when it is malformed. Arrivals count from the sender's zero of the reference time, which wraps after 12.4 days.
    """
    cdef bytes copy = bytes(data)
    cdef const uint8_t *packet = <const uint8_t *><const char *>copy
    cdef int size = <int>len(copy)
    cdef TwccFeedback feedback
    cdef TwccStatus *statuses
    cdef int count, i
    if size >= HEADER_SIZE and packet[0] & 0x20:
        if packet[size - 1] == 0 or packet[size - 1] > size - HEADER_SIZE:
            return <int>DROP_RTCP_LENGTH
        size -= packet[size - 1]
    statuses = <TwccStatus *>malloc(65536 * sizeof(TwccStatus))
    if statuses == NULL:
        raise MemoryError
    try:
        count = twcc_parse(packet, size, &feedback, statuses, 65536)
        if count < 0:
            return count
        return feedback, [(statuses[i].seq, statuses[i].arrival_us if statuses[i].received else None)
                          for i in range(count)]
    finally:
        free(statuses)
