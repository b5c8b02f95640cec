"""Transport-wide feedback in C: packets read and written again, and the recorder that an input's bytes drive."""

from fuzz._dice cimport Dice, below, roll
from fuzz._loop cimport Tally, exact, loop_of, ran
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, malloc
from mediarouter._rtp cimport read_u16, write_u16
from mediarouter._transport_feedback cimport (
    TWCC_HEADER_SIZE,
    TWCC_SIZE_MAX,
    TWCC_TICK_US,
    TwccFeedback,
    TwccStatus,
    TwccWriter,
    twcc_check,
    twcc_parse,
    twcc_writer_add_lost,
    twcc_writer_add_received,
    twcc_writer_finish,
    twcc_writer_init,
)
from mediarouter.congestion._twcc cimport (
    TwccRecord,
    twcc_record_deadline_us,
    twcc_record_free,
    twcc_record_new,
    twcc_record_packet,
    twcc_record_request,
    twcc_record_write,
)

cdef enum:
    ARRIVALS_MAX = 16              # of one input, two bytes each
    STATUSES_MAX = 4096            # of a packet that is also written again
    PACKETS_MAX = 8192             # that may tell of so few arrivals

cdef int[16] numbers = [1, 1, 1, 1, 1, 1, 2, 2, 3, -1, -2, -40, 0, 7, 20, 60]
cdef int64_t[16] steps_us = [
    0, 0, 0, 100, 250, 250, 500, 1000, 1000, 5000, 20000, 64000, 300000, 8200000, -5000, -70000,
]


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # a header that says so, of a length that is right, and a count that the chunks may hold
    if size < TWCC_HEADER_SIZE + 4 or below(dice, 16) == 0:
        return size
    size &= ~3
    data[0] = 0x8F | (data[0] & 0x20)
    data[1] = 205
    write_u16(data + 2, <uint16_t>(size // 4 - 1))
    if data[0] & 0x20 and (data[size - 1] == 0 or data[size - 1] > 3):
        data[size - 1] = <uint8_t>(1 + below(dice, 3))
    if read_u16(data + 14) > 4 * (size - TWCC_HEADER_SIZE) and roll(dice) & 7:
        write_u16(data + 14, <uint16_t>below(dice, 4 * (size - TWCC_HEADER_SIZE)))
    return size


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef TwccFeedback feedback
    cdef const char *wrong = NULL
    cdef int unpadded = max(size - (data[size - 1] if size and data[0] & 0x20 else 0), 0)
    cdef uint8_t *copied = exact(data, unpadded)         # so that padding hides no read too far
    cdef int deltas = twcc_check(copied, unpadded, &feedback)
    ran(tally, data, size, deltas >= 0, shape_of(&feedback, deltas, unpadded) if deltas >= 0 else 0)
    if deltas >= 0 and not TWCC_HEADER_SIZE <= deltas <= unpadded:
        wrong = "steps outside of the packet"
    else:
        wrong = read_all(copied, unpadded, &feedback, deltas)
    free(copied)
    if wrong == NULL:
        wrong = recorded(data, size)
    return wrong


cdef inline uint64_t shape_of(const TwccFeedback *feedback, int deltas, int size) noexcept nogil:
    return (min(<int>feedback.status_count, 255) | <uint64_t>(deltas - TWCC_HEADER_SIZE) << 8
            | <uint64_t>min(size - deltas, 63) << 24)


cdef const char *read_all(const uint8_t *data, int size, const TwccFeedback *checked, int deltas) noexcept nogil:
    cdef TwccFeedback feedback
    cdef int count = checked.status_count if deltas >= 0 else 1
    cdef TwccStatus *statuses = <TwccStatus *>malloc(count * sizeof(TwccStatus))
    cdef const char *wrong = NULL
    cdef int i
    cdef int filled = twcc_parse(data, size, &feedback, statuses, count)
    if deltas < 0:
        if filled != deltas:
            wrong = "a packet that is read though it was refused"
    elif filled != count:
        wrong = "a packet whose statuses are not all read"
    else:
        for i in range(count):
            if statuses[i].seq != <uint16_t>(feedback.base_seq + i):
                wrong = "a status of another number"
            if statuses[i].received > 1 or statuses[i].timed > statuses[i].received:
                wrong = "a time of what did not arrive"
        if wrong == NULL and twcc_parse(data, size, &feedback, statuses, count // 2) != count // 2:
            wrong = "half of a packet that is not half"
        if wrong == NULL and count <= STATUSES_MAX:
            wrong = written_again(&feedback, statuses, count)
    free(statuses)
    return wrong


cdef const char *written_again(const TwccFeedback *feedback, const TwccStatus *statuses, int count) noexcept nogil:
    # as many as a packet of our own holds of them; what came at no time told cannot be written
    cdef TwccWriter writer
    cdef TwccFeedback fixed
    cdef TwccStatus *again
    cdef int capacity = TWCC_HEADER_SIZE + 8 + 4 * (feedback.feedback_count & 31)
    cdef uint8_t *out = <uint8_t *>malloc(capacity)
    cdef const char *wrong = NULL
    cdef int i = 0
    cdef int size, filled
    twcc_writer_init(&writer, out, capacity, feedback.base_seq)
    while i < count and (statuses[i].timed or not statuses[i].received):
        if statuses[i].timed:
            if not twcc_writer_add_received(&writer, statuses[i].arrival_us // TWCC_TICK_US):
                break
        elif not twcc_writer_add_lost(&writer):
            break
        i += 1
    size = twcc_writer_finish(&writer, feedback.sender_ssrc, feedback.media_ssrc, feedback.feedback_count)
    again = <TwccStatus *>malloc((i + 1) * sizeof(TwccStatus))
    if size > capacity or size & 3:
        wrong = "a packet of our own larger than its room, or of no whole words"
    else:
        filled = twcc_parse(out, size - (out[size - 1] if out[0] & 0x20 else 0), &fixed, again, i + 1)
        if filled != i:
            wrong = "a packet of our own that does not hold what was added"
    if wrong == NULL:
        for filled in range(i):
            if again[filled].received != statuses[filled].received or again[filled].timed != statuses[filled].timed:
                wrong = "a status that reads otherwise than it was written"
            # the reference is 24 bits on the wire, and what is read first was near the one before
            if again[filled].timed and not same_time(&again[filled], &statuses[filled]):
                wrong = "a time that reads otherwise than it was written"
    free(again)
    free(out)
    return wrong


cdef inline bint same_time(const TwccStatus *a, const TwccStatus *b) noexcept nogil:
    # on the circle of reference times, 2**24 of 64 ms
    return (a.arrival_us - b.arrival_us) % (<int64_t>(1 << 24) * 64000) == 0


cdef const char *recorded(const uint8_t *data, int size) noexcept nogil:
    # the last bytes say which numbers come when, and when feedback is asked for
    cdef TwccRecord *record = twcc_record_new()
    cdef const char *wrong = NULL
    cdef uint16_t seq = 0
    cdef int64_t now_us = 0
    cdef int i
    for i in range(max(size - 2 * ARRIVALS_MAX, 0), size - 1, 2):
        # long gaps are told number by number: few of them
        seq = <uint16_t>(seq + (33000 if data[i + 1] == 255 else 700 if data[i + 1] > 250 else numbers[data[i] & 15]))
        now_us += steps_us[data[i] >> 4]
        twcc_record_packet(record, seq, now_us)
        if data[i + 1] & 0xF0 == 0xE0:                     # with times: a report without is not for our reader
            twcc_record_request(record, seq, <uint16_t>(0x8000 | data[i] * (data[i + 1] & 15) * 8), now_us)
        if data[i + 1] < 32 and wrong == NULL:
            wrong = drained(record, 1200 if data[i + 1] & 1 else 28 + 4 * (data[i + 1] & 7))
    if wrong == NULL:
        wrong = drained(record, TWCC_SIZE_MAX)
    twcc_record_free(record)
    return wrong


cdef const char *drained(TwccRecord *record, int capacity) noexcept nogil:
    cdef TwccFeedback feedback
    cdef uint8_t *out = <uint8_t *>malloc(capacity)
    cdef const char *wrong = NULL
    cdef int packets = 0
    cdef int size = twcc_record_write(record, out, capacity, 1, 2, 0)
    while size and wrong == NULL:
        packets += 1
        if size > capacity or packets > PACKETS_MAX:
            wrong = "feedback without end, or larger than its room"
        elif twcc_check(out, size - (out[size - 1] if out[0] & 0x20 else 0), &feedback) < 0:
            wrong = "feedback of our own that is none"
        else:
            size = twcc_record_write(record, out, capacity, 1, 2, 0)
    if wrong == NULL and twcc_record_deadline_us(record) >= 0:
        wrong = "feedback that is still due when all is told"
    free(out)
    return wrong


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)
