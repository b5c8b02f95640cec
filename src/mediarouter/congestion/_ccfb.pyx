"""The receiver's end of congestion control feedback (RFC 8888).

Theory of operation
Each stream has a ring of arrival times by unwrapped sequence number, small at first and grown while more is unreported.
A report begins where the last one ended, so what is missing in between is told as not arrived; a packet that comes
after its number was reported moves the beginning back, and the window is told again. After a jump of more than 1,024
numbers a stream begins anew there: to list what is missing would cost more than it tells. All rings together take
64 KiB at most, and where there are more streams than they have room for, the one heard least recently gives way.

Times are kept in 1/65536 s, as the report's own timestamp has them, the last two bits given to the packet's ECN mark:
61 us, where reports tell 1/1024 s. A report costs 5 % of what came in since the one before, as far as an interval of 50
to 100 ms allows.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from mediarouter._congestion_feedback cimport (
    CCFB_ARRIVED,
    CCFB_ECN_SHIFT,
    CCFB_OFFSET_MAX,
    CCFB_OVER_RANGE,
    CCFB_UNKNOWN,
    CcfbWriter,
    ccfb_writer_add,
    ccfb_writer_begin,
    ccfb_writer_finish,
    ccfb_writer_init,
)
from mediarouter._lookup cimport (
    SsrcEntry,
    SsrcTable,
    ssrc_table_find,
    ssrc_table_put,
    ssrc_table_release,
    ssrc_table_remove,
)
from mediarouter._rtp cimport seq_unwrap

cdef enum:
    STREAMS_MAX = 256
    FIRST_CAPACITY = 64            # arrivals of one stream
    CAPACITY_MAX = 4096
    CELLS_MAX = 16384              # arrivals of all: 64 KiB
    NO_ARRIVAL = 0
    LEAST_INTERVAL_US = 50000
    MOST_INTERVAL_US = 100000
    SHARE = 20                     # a report costs one part in so many of what it tells about
    OVERHEAD = 42                  # of a report: IP, UDP, SRTCP
    BACK_WINDOW = 512              # numbers behind the newest that a late packet may still move the report back to
    JUMP_MAX = 1024                # numbers ahead of the newest
    STRAYS_MAX = 32                # so many in a row from far behind: the stream counts anew
    FORGET_US = 60000000           # after such a silence nothing of before is told again
    FIRST_NUMBER = 65536           # unwrapped numbers begin here, so that reordered first packets stay positive
    OFFSET_SHIFT = 6               # 1/1024 s are 64/65536 s
    SMALLEST_PACKET = 28           # with two reports


cdef struct Stream:
    uint32_t ssrc
    uint32_t *arrivals             # by number & (capacity - 1)
    int64_t capacity
    int64_t newest                 # unwrapped; -1 none
    int64_t base                   # the next report begins here
    int64_t heard_us
    uint8_t strays                 # packets in a row from too far behind
    bint news                      # something is to be reported


cdef struct CcfbRecord:
    SsrcTable table                # Stream by SSRC
    Stream *streams[STREAMS_MAX]
    int count
    int64_t cells                  # of all rings
    int64_t first_unreported_us    # arrival of the first packet since the last report; counts while `news`
    int64_t reported_us
    int64_t interval_us
    int64_t bytes_in               # since the last report
    int64_t bytes_out              # of the report that is being written
    bint news


# What a slot holds: 1/65536 s, low 32 bits, half a turn on so that a clock's zero is not NO_ARRIVAL; two bits are ECN's
cdef inline uint32_t slot_of(int64_t tick, int ecn) noexcept nogil:
    cdef uint32_t slot = ((<uint32_t>tick + <uint32_t>0x80000000) & ~<uint32_t>3)
    return (slot if slot != NO_ARRIVAL else 4) | <uint32_t>ecn


cdef inline int64_t tick_of(int64_t time_us) noexcept nogil:
    cdef int64_t second = time_us // 1000000
    cdef int64_t rest_us = time_us - second * 1000000
    if rest_us < 0:                # C rounds towards zero
        second -= 1
        rest_us += 1000000
    return second * 65536 + ((rest_us << 16) + 500000) // 1000000


cdef CcfbRecord *ccfb_record_new() noexcept nogil:
    cdef CcfbRecord *record = <CcfbRecord *>calloc(1, sizeof(CcfbRecord))
    if record != NULL:
        record.interval_us = MOST_INTERVAL_US
    return record


cdef void free_stream(CcfbRecord *record, Stream *stream) noexcept nogil:
    record.cells -= stream.capacity
    free(stream.arrivals)
    free(stream)


cdef void ccfb_record_free(CcfbRecord *record) noexcept nogil:
    cdef int i
    if record == NULL:
        return
    for i in range(record.count):
        free_stream(record, record.streams[i])
    ssrc_table_release(&record.table)
    free(record)


# ---- streams

cdef void drop_least_recent(CcfbRecord *record) noexcept nogil:
    cdef int i
    cdef int found = 0
    for i in range(1, record.count):
        if record.streams[i].heard_us < record.streams[found].heard_us:
            found = i
    ssrc_table_remove(&record.table, record.streams[found].ssrc)
    free_stream(record, record.streams[found])
    record.count -= 1
    record.streams[found] = record.streams[record.count]


cdef Stream *add_stream(CcfbRecord *record, uint32_t ssrc) noexcept nogil:
    cdef Stream *stream
    while record.count and (record.count == STREAMS_MAX or record.cells + FIRST_CAPACITY > CELLS_MAX):
        drop_least_recent(record)
    stream = <Stream *>calloc(1, sizeof(Stream))
    if stream == NULL:
        return NULL
    stream.ssrc = ssrc
    stream.newest = -1
    if not grow(record, stream, FIRST_CAPACITY) or not ssrc_table_put(&record.table, ssrc, 1, stream):
        free_stream(record, stream)
        return NULL
    record.streams[record.count] = stream
    record.count += 1
    return stream


cdef bint grow(CcfbRecord *record, Stream *stream, int64_t capacity) noexcept nogil:
    cdef uint32_t *arrivals
    cdef int64_t i
    if record.cells + capacity - stream.capacity > CELLS_MAX:
        return False
    arrivals = <uint32_t *>calloc(<size_t>capacity, sizeof(uint32_t))
    if arrivals == NULL:
        return False
    if stream.newest >= 0:
        for i in range(max(stream.newest - stream.capacity + 1, 0), stream.newest + 1):
            arrivals[i & (capacity - 1)] = stream.arrivals[i & (stream.capacity - 1)]
    free(stream.arrivals)
    record.cells += capacity - stream.capacity
    stream.arrivals = arrivals
    stream.capacity = capacity
    return True


cdef void make_room(CcfbRecord *record, Stream *stream, int64_t number) noexcept nogil:
    # what is unreported, and as much again that may have to be told again, should fit; where it cannot, less is told
    cdef int64_t capacity = stream.capacity
    while capacity < CAPACITY_MAX and number - stream.base >= capacity // 2:
        capacity *= 2
    if capacity != stream.capacity:
        grow(record, stream, capacity)
    if stream.base <= number - stream.capacity:
        stream.base = number - stream.capacity + 1


cdef void begin(Stream *stream, int64_t number) noexcept nogil:
    memset(stream.arrivals, 0, <size_t>stream.capacity * sizeof(uint32_t))
    stream.base = number
    stream.newest = number - 1
    stream.strays = 0


cdef void forget(Stream *stream, int64_t after, int64_t last) noexcept nogil:
    cdef int64_t i
    for i in range(max(after, last - stream.capacity) + 1, last + 1):
        stream.arrivals[i & (stream.capacity - 1)] = NO_ARRIVAL


# ---- packets

cdef void ccfb_record_packet(CcfbRecord *record, uint32_t ssrc, uint16_t seq, int size_bytes, int ecn,
                             int64_t arrival_us) noexcept nogil:
    cdef const SsrcEntry *entry = ssrc_table_find(&record.table, ssrc)
    cdef Stream *stream = <Stream *>entry.owner if entry != NULL else add_stream(record, ssrc)
    if stream == NULL:
        return
    record.bytes_in += size_bytes
    if not take(record, stream, seq, ecn, arrival_us):
        return
    stream.news = True
    if not record.news:
        record.first_unreported_us = arrival_us
        record.news = True


cdef bint take(CcfbRecord *record, Stream *stream, uint16_t seq, int ecn, int64_t arrival_us) noexcept nogil:
    # False: there is nothing new to tell
    cdef int64_t number
    cdef uint32_t *slot
    if stream.newest < 0 or stream.strays == STRAYS_MAX:
        begin(stream, FIRST_NUMBER + seq)
    elif arrival_us - stream.heard_us > FORGET_US:
        begin(stream, seq_unwrap(stream.newest, seq))
    stream.heard_us = arrival_us
    number = seq_unwrap(stream.newest, seq)
    if number > stream.newest + JUMP_MAX:
        begin(stream, number)
    if number <= stream.newest:
        if number < stream.newest - BACK_WINDOW or number <= stream.newest - stream.capacity:
            stream.strays += 1
            return False
        slot = &stream.arrivals[number & (stream.capacity - 1)]
        if slot[0] != NO_ARRIVAL:
            slot[0] |= <uint32_t>(3 if ecn == 3 else 0)      # the first copy's time, any copy's mark of congestion
            return False
        stream.base = min(stream.base, number)
    make_room(record, stream, number)
    if number > stream.newest:
        forget(stream, stream.newest, number)
        stream.newest = number
    stream.strays = 0
    stream.arrivals[number & (stream.capacity - 1)] = slot_of(tick_of(arrival_us), ecn)
    return True


# ---- reports

cdef int64_t ccfb_record_deadline_us(const CcfbRecord *record) noexcept nogil:
    return record.first_unreported_us + record.interval_us if record.news else -1


cdef inline uint16_t report_of(uint32_t slot, uint32_t now) noexcept nogil:
    cdef int32_t age = <int32_t>(now - (slot & ~<uint32_t>3))
    cdef int offset
    if slot == NO_ARRIVAL:
        return 0
    offset = (age + (1 << OFFSET_SHIFT) // 2) >> OFFSET_SHIFT
    if age < 0:
        offset = 0 if age > -8 else CCFB_UNKNOWN     # what rounding did; else the report is older than the packet
    elif offset > CCFB_OFFSET_MAX:
        offset = CCFB_OVER_RANGE
    return <uint16_t>(CCFB_ARRIVED | (slot & 3) << CCFB_ECN_SHIFT | offset)


cdef bint write_stream(Stream *stream, CcfbWriter *writer, uint32_t now) noexcept nogil:
    # False: there is no more room
    if not ccfb_writer_begin(writer, stream.ssrc, <uint16_t>stream.base):
        return False
    while stream.base <= stream.newest:
        if not ccfb_writer_add(writer, report_of(stream.arrivals[stream.base & (stream.capacity - 1)], now)):
            return False
        stream.base += 1
    stream.news = False
    return True


cdef int ccfb_record_write(CcfbRecord *record, uint8_t *out, int capacity, uint32_t sender_ssrc,
                           int64_t now_us) noexcept nogil:
    cdef CcfbWriter writer
    cdef uint32_t now = <uint32_t>tick_of(now_us) + <uint32_t>0x80000000
    cdef bint whole = True
    cdef int i, size
    if not record.news or capacity < SMALLEST_PACKET:
        return 0
    ccfb_writer_init(&writer, out, capacity)
    for i in range(record.count):
        if record.streams[i].news and not write_stream(record.streams[i], &writer, now):
            whole = False
            break
    size = ccfb_writer_finish(&writer, sender_ssrc, <uint32_t>tick_of(now_us))
    record.bytes_out += size + OVERHEAD
    if whole:
        end_report(record, now_us)
    return size


cdef void end_report(CcfbRecord *record, int64_t now_us) noexcept nogil:
    # as long until the next one as lets it cost its share of what came meanwhile
    cdef int64_t elapsed_us = min(now_us - record.reported_us, <int64_t>1000000)
    record.interval_us = MOST_INTERVAL_US
    if record.bytes_in > 0 and elapsed_us > 0:
        record.interval_us = record.bytes_out * SHARE * elapsed_us // record.bytes_in
        record.interval_us = max(<int64_t>LEAST_INTERVAL_US, min(record.interval_us, <int64_t>MOST_INTERVAL_US))
    record.reported_us = now_us
    record.bytes_in = record.bytes_out = 0
    record.news = False


# ---- the Python face

cdef int64_t TIME_MAX_US = <int64_t>1 << 60


@cython.final
cdef class CcfbRecorder:
    """What a receiver records of the packets it gets, and the feedback of RFC 8888 it owes their sender.

    Feedback is due 50 to 100 ms after the first packet that it will tell about: as soon as it costs no more than 5 % of
    what came in.

    Args:
        sender_ssrc: of whoever sends the feedback.
    """
    cdef CcfbRecord *record
    cdef uint32_t sender_ssrc

    def __cinit__(self, uint32_t sender_ssrc=0):
        self.record = ccfb_record_new()
        if self.record == NULL:
            raise MemoryError
        self.sender_ssrc = sender_ssrc

    def __dealloc__(self):
        ccfb_record_free(self.record)

    def on_packet(self, uint32_t ssrc, int64_t seq, int64_t arrival_us, int size=1200, int ecn=0):
        """Record one packet.

        Args:
            ssrc: its stream.
            seq: RTP sequence number; the low 16 bits count.
            arrival_us: microseconds of any clock, less than 2**60 from its zero.
            size: bytes that the network carried for it, 1..65535.
            ecn: how it was marked (RFC 3168): 0 not capable, 1 ECT(1), 2 ECT(0), 3 congestion experienced.

        Raises:
            ValueError: time, size or mark out of range.
        """
        if not -TIME_MAX_US < arrival_us < TIME_MAX_US:
            raise ValueError("arrival time out of range")
        if not 0 < size <= 65535 or not 0 <= ecn <= 3:
            raise ValueError("size or mark out of range")
        ccfb_record_packet(self.record, ssrc, <uint16_t>(seq & 0xFFFF), size, ecn, arrival_us)

    def poll_timeout(self):
        """When feedback is due, in microseconds; None: nothing is unreported."""
        return ccfb_record_deadline_us(self.record) if self.record.news else None

    def poll_feedback(self, int64_t now_us, int capacity=1200):
        """One RTCP feedback packet when it is due, else None. Call until None: what does not fit one fills more.

        Args:
            now_us: microseconds of the clock of `on_packet`, less than 2**60 from its zero.
            capacity: largest packet, 28..1500 bytes.

        Raises:
            ValueError: an argument is out of range.
        """
        cdef uint8_t out[1500]
        cdef int size
        if not SMALLEST_PACKET <= capacity <= 1500:
            raise ValueError("capacity must be 28..1500 bytes")
        if not -TIME_MAX_US < now_us < TIME_MAX_US:
            raise ValueError("time out of range")
        if not self.record.news or now_us < ccfb_record_deadline_us(self.record):
            return None
        size = ccfb_record_write(self.record, out, capacity, self.sender_ssrc, now_us)
        return (<char *>out)[:size]

    @property
    def memory_size(self):
        """Bytes that the record takes at present, but for its table of streams."""
        return (sizeof(CcfbRecord) + self.record.count * <int64_t>sizeof(Stream)
                + self.record.cells * <int64_t>sizeof(uint32_t))
