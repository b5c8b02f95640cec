"""The receiver's end of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).

Theory of operation
The recorder is a ring of arrival times over unwrapped transport sequence numbers, small at first and grown when more is
unreported. A report begins where the last one ended, so what is missing in between is told as lost; a packet that comes
after its number was reported moves the beginning back, and the window is told again (the sender forgives). A step that
a delta cannot hold, or a full datagram, ends a report early; the rest goes into the next one.

Where the sender asks for feedback (the header extension transport-wide-cc-02), it gets none but what it asks for: a
report of so many numbers, at once, but no more often than every 5 ms; what is asked for meanwhile is one report then.

Times are ticks of 250 us of one clock, rounded once each, so that errors do not add up over a report. The ring keeps
their low 32 bits: as many as the reference time of the format has.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from mediarouter._rtp cimport seq_unwrap
from mediarouter._transport_feedback cimport (
    TWCC_HEADER_SIZE,
    TWCC_SIZE_MAX,
    TwccWriter,
    twcc_tick,
    twcc_writer_add_lost,
    twcc_writer_add_received,
    twcc_writer_finish,
    twcc_writer_init,
)

cdef enum:
    FIRST_CAPACITY = 128
    CAPACITY_MAX = 8192            # packets remembered: four seconds at 2,000 a second
    NO_ARRIVAL = 0
    BUSY_INTERVAL_US = 50000
    QUIET_INTERVAL_US = 100000     # where few packets come, feedback would be a large part of what flows
    QUIET_PACKETS = 8
    BACK_WINDOW = 512              # numbers behind the newest that a late packet may still move the report back to
    STRAYS_MAX = 32                # so many in a row from far behind: the sender counts anew
    FIRST_NUMBER = 65536           # unwrapped numbers begin here, so that reordered first packets stay positive
    SMALLEST_PACKET = TWCC_HEADER_SIZE + 8
    ASKED_INTERVAL_US = 5000       # whatever a sender asks for
    ASKS_FOR_TIMES = 0x8000


cdef struct TwccRecord:
    uint32_t *arrivals             # ticks, by number & (capacity - 1)
    int64_t capacity
    int64_t newest                 # unwrapped; -1 none
    int64_t base                   # the next report begins here
    int64_t newest_tick            # of the packet recorded last
    int64_t first_unreported_us    # arrival of the first packet since the last report
    int32_t interval_us
    int32_t since_report           # packets; 0: nothing is due
    uint8_t strays                 # packets in a row from too far behind
    uint8_t feedback_count
    bint on_request                # by transport-wide-cc-02: only what is asked for is told
    bint asked                     # numbers from asked_first to asked_last, at asked_us
    bint asked_times
    int64_t asked_first
    int64_t asked_last
    int64_t asked_us
    int64_t answered_us


# What a slot holds: the tick's low 32 bits, half a turn on, so that the one tick in 12.4 days that would read as
# NO_ARRIVAL, and goes in one later, is not the zero of a clock.
cdef inline uint32_t slot_of(int64_t tick) noexcept nogil:
    cdef uint32_t slot = <uint32_t>tick + <uint32_t>0x80000000
    return slot if slot != NO_ARRIVAL else 1


cdef TwccRecord *twcc_record_new() noexcept nogil:
    cdef TwccRecord *record = <TwccRecord *>calloc(1, sizeof(TwccRecord))
    if record != NULL:
        record.newest = -1
        record.interval_us = QUIET_INTERVAL_US
    return record


cdef void twcc_record_free(TwccRecord *record) noexcept nogil:
    if record != NULL:
        free(record.arrivals)
        free(record)


cdef bint grow(TwccRecord *record, int64_t capacity) noexcept nogil:
    cdef uint32_t *arrivals = <uint32_t *>calloc(<size_t>capacity, sizeof(uint32_t))
    cdef int64_t i
    if arrivals == NULL:
        return False
    if record.newest >= 0:
        for i in range(max(record.newest - record.capacity + 1, 0), record.newest + 1):
            arrivals[i & (capacity - 1)] = record.arrivals[i & (record.capacity - 1)]
    free(record.arrivals)
    record.arrivals = arrivals
    record.capacity = capacity
    return True


cdef bint make_room(TwccRecord *record, int64_t number) noexcept nogil:
    # what is unreported, and as much again that may have to be told again, should fit
    cdef int64_t capacity = record.capacity if record.capacity else FIRST_CAPACITY
    while capacity < CAPACITY_MAX and number - record.base >= capacity // 2:
        capacity *= 2
    return capacity == record.capacity or grow(record, capacity)


cdef void begin(TwccRecord *record, uint16_t seq) noexcept nogil:
    record.base = FIRST_NUMBER + seq
    record.newest = record.base - 1
    record.strays = 0
    if record.arrivals != NULL:
        forget(record, record.newest - record.capacity, record.newest)


cdef void forget(TwccRecord *record, int64_t after, int64_t last) noexcept nogil:
    cdef int64_t i
    for i in range(max(after, last - record.capacity) + 1, last + 1):
        record.arrivals[i & (record.capacity - 1)] = NO_ARRIVAL


cdef void twcc_record_packet(TwccRecord *record, uint16_t seq, int64_t arrival_us) noexcept nogil:
    cdef int64_t number
    if record.newest < 0 or record.strays == STRAYS_MAX:
        begin(record, seq)
    number = seq_unwrap(record.newest, seq)
    if number <= record.newest:
        if number < record.newest - BACK_WINDOW or number <= record.newest - record.capacity:
            record.strays += 1
            return
        if record.arrivals[number & (record.capacity - 1)] != NO_ARRIVAL:
            return                 # each number counts once, as it first came
        if number < record.base:
            record.base = number
    if not make_room(record, number):
        return
    if number > record.newest:
        forget(record, record.newest, number)
        record.newest = number
        if record.base <= number - record.capacity:
            record.base = number - record.capacity + 1
    record.strays = 0
    record.newest_tick = twcc_tick(arrival_us)
    record.arrivals[number & (record.capacity - 1)] = slot_of(record.newest_tick)
    if record.since_report == 0:
        record.first_unreported_us = arrival_us
    record.since_report += 1


cdef void twcc_record_request(TwccRecord *record, uint16_t seq, uint16_t request, int64_t now_us) noexcept nogil:
    cdef int count = request & ~ASKS_FOR_TIMES
    cdef int64_t first, last
    if not record.on_request:
        record.on_request = True
        record.answered_us = now_us - ASKED_INTERVAL_US
    if count == 0 or record.newest < 0:
        return
    last = min(seq_unwrap(record.newest, seq), record.newest)
    first = max(last - count + 1, <int64_t>0)
    if record.asked:
        first = min(first, record.asked_first)
        last = max(last, record.asked_last)
    else:
        record.asked_times = False
        record.asked_us = max(now_us, record.answered_us + ASKED_INTERVAL_US)
    record.asked = True
    record.asked_times = record.asked_times or request & ASKS_FOR_TIMES != 0
    record.asked_first = first
    record.asked_last = last


cdef int64_t twcc_record_deadline_us(const TwccRecord *record) noexcept nogil:
    if record.on_request:
        return record.asked_us if record.asked else -1
    return -1 if record.since_report == 0 else record.first_unreported_us + record.interval_us


cdef void fill(const TwccRecord *record, TwccWriter *writer, int64_t *number, int64_t last) noexcept nogil:
    # from `number` on, which goes on to the first that is not written
    cdef uint32_t now = slot_of(record.newest_tick)
    cdef uint32_t arrival
    cdef bint added
    while number[0] <= last:
        arrival = record.arrivals[number[0] & (record.capacity - 1)]
        if arrival == NO_ARRIVAL:
            added = twcc_writer_add_lost(writer)
        else:
            added = twcc_writer_add_received(writer, record.newest_tick + <int32_t>(arrival - now))
        if not added:
            break
        number[0] += 1


cdef int write_asked(TwccRecord *record, uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t media_ssrc,
                     int64_t now_us) noexcept nogil:
    # what was told stays, since it may be asked for again
    cdef TwccWriter writer
    if not record.asked:
        return 0
    record.asked_first = max(record.asked_first, record.newest - record.capacity + 1)
    record.base = min(record.asked_first, record.newest)
    twcc_writer_init(&writer, out, capacity, <uint16_t>record.asked_first)
    writer.timeless = not record.asked_times
    fill(record, &writer, &record.asked_first, record.asked_last)
    if record.asked_first > record.asked_last:
        record.asked = False
        record.answered_us = now_us
        record.since_report = 0
    record.feedback_count += 1
    return twcc_writer_finish(&writer, sender_ssrc, media_ssrc, <uint8_t>(record.feedback_count - 1))


cdef int twcc_record_write(TwccRecord *record, uint8_t *out, int capacity, uint32_t sender_ssrc,
                           uint32_t media_ssrc, int64_t now_us) noexcept nogil:
    cdef TwccWriter writer
    if capacity < SMALLEST_PACKET:
        return 0
    if record.on_request:
        return write_asked(record, out, capacity, sender_ssrc, media_ssrc, now_us)
    if record.since_report == 0:
        return 0
    twcc_writer_init(&writer, out, capacity, <uint16_t>record.base)
    fill(record, &writer, &record.base, record.newest)
    if record.base > record.newest:
        record.interval_us = BUSY_INTERVAL_US if record.since_report >= QUIET_PACKETS else QUIET_INTERVAL_US
        record.since_report = 0
    record.feedback_count += 1
    return twcc_writer_finish(&writer, sender_ssrc, media_ssrc, <uint8_t>(record.feedback_count - 1))


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class TwccRecorder:
    """What a receiver records of the packets it gets, and the feedback it owes their sender.

    Feedback is due 50 ms after the first packet that it will tell about, 100 ms where fewer than 8 packets came.

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

    def on_packet(self, int64_t seq, int64_t arrival_us):
        """Record one packet.

        Args:
            seq: transport-wide sequence number, from the header extension or unwrapped: its low 16 bits count.
            arrival_us: microseconds of any clock, less than 2**60 from its zero.

        Raises:
            ValueError: the time is out of range.
        """
        if not -TIME_MAX_US < arrival_us < TIME_MAX_US:
            raise ValueError("arrival time out of range")
        twcc_record_packet(self.record, <uint16_t>(seq & 0xFFFF), arrival_us)

    def on_request(self, int64_t seq, int request, int64_t now_us):
        """A packet says, by transport-wide-cc-02, when its sender wants feedback: from now on then only.

        Args:
            seq: its transport-wide number, recorded before; the low 16 bits count.
            request: 0, or the 16 bits behind its number: 0x8000 asks for arrival times, the rest is how many numbers
                shall be told, this one the last.
            now_us: microseconds of the clock of `on_packet`.

        Raises:
            ValueError: `request` or `now_us` is out of range.
        """
        if not 0 <= request <= 0xFFFF or not -TIME_MAX_US < now_us < TIME_MAX_US:
            raise ValueError("request or time out of range")
        twcc_record_request(self.record, <uint16_t>(seq & 0xFFFF), <uint16_t>request, now_us)

    def poll_timeout(self):
        """When feedback is due, in microseconds; None: nothing is unreported, or asked for."""
        cdef bint due = self.record.asked if self.record.on_request else self.record.since_report != 0
        return twcc_record_deadline_us(self.record) if due else None

    def poll_feedback(self, int64_t now_us, int capacity=1200):
        """One RTCP feedback packet when it is due, else None. Call until None: what does not fit one fills more.

        Args:
            now_us: microseconds of the clock of `on_packet`.
            capacity: largest packet, 28..1500 bytes.

        Raises:
            ValueError: `capacity` is out of range.
        """
        cdef uint8_t out[TWCC_SIZE_MAX]
        cdef int size
        if not SMALLEST_PACKET <= capacity <= TWCC_SIZE_MAX:
            raise ValueError("capacity must be 28..1500 bytes")
        due_us = self.poll_timeout()
        if due_us is None or now_us < due_us:
            return None
        size = twcc_record_write(self.record, out, capacity, self.sender_ssrc, self.media_ssrc, now_us)
        return (<char *>out)[:size]

    @property
    def memory_size(self):
        """Bytes that the record takes at present."""
        return sizeof(TwccRecord) + self.record.capacity * <int64_t>sizeof(uint32_t)
