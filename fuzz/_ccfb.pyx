"""Feedback of RFC 8888 in C: packets read, written again and matched, and the recorder that an input's bytes drive."""

from fuzz._dice cimport Dice, below, roll
from fuzz._loop cimport Tally, loop_of, ran
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp
from mediarouter._congestion_feedback cimport (
    CCFB_HEADER_SIZE,
    CCFB_REPORTS_MAX,
    CCFB_STREAM_SIZE,
    CCFB_TIMESTAMP_SIZE,
    FORMAT_CCFB,
    CcfbStreamView,
    CcfbWriter,
    ccfb_check,
    ccfb_next,
    ccfb_timestamp,
    ccfb_writer_add,
    ccfb_writer_begin,
    ccfb_writer_finish,
    ccfb_writer_init,
)
from mediarouter._rtp cimport read_u16, read_u32, write_u16
from mediarouter.congestion._ccfb cimport (
    CcfbRecord,
    ccfb_record_deadline_us,
    ccfb_record_free,
    ccfb_record_new,
    ccfb_record_packet,
    ccfb_record_write,
)
from mediarouter.congestion._ccfb_index cimport CcfbIndex, ccfb_index_add, ccfb_index_init
from mediarouter.congestion._ccfb_match cimport feedback_match_ccfb
from mediarouter.congestion._feedback_match cimport OUTCOMES_MAX, FeedbackMatch, Outcome, feedback_match_init
from mediarouter.congestion._send_history cimport SendHistory, send_history_add, send_history_init

cdef enum:
    ARRIVALS_MAX = 16              # of one input, two bytes each
    STREAMS = 4                    # that are ours, by the low bits of the SSRC
    SENT = 200                     # packets, 7 bytes each
    PACKETS_MAX = 2000             # that may tell of so few arrivals

cdef struct Sender:
    FeedbackMatch match
    SendHistory history
    CcfbIndex index
    Outcome outcomes[OUTCOMES_MAX]

cdef int[16] numbers = [1, 1, 1, 1, 1, 1, 2, 2, 3, -1, -2, -40, 0, 7, 20, 60]
cdef int64_t[16] steps_us = [
    0, 0, 0, 100, 250, 250, 500, 1000, 1000, 5000, 20000, 64000, 300000, 8200000, -5000, 70000000,
]


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # a header that says so, of a length that is right; streams that fill it, the last as far as there is room
    cdef int at = CCFB_HEADER_SIZE
    cdef int room
    if size < CCFB_HEADER_SIZE + CCFB_TIMESTAMP_SIZE or below(dice, 16) == 0:
        return size
    size &= ~3
    data[0] = 0x80 | FORMAT_CCFB
    data[1] = 205
    write_u16(data + 2, <uint16_t>(size // 4 - 1))
    while roll(dice) & 15 and at + CCFB_STREAM_SIZE <= size - CCFB_TIMESTAMP_SIZE:
        room = (size - CCFB_TIMESTAMP_SIZE - at - CCFB_STREAM_SIZE) // 2
        if read_u16(data + at + 6) > room:
            write_u16(data + at + 6, <uint16_t>room)
        at += CCFB_STREAM_SIZE + 2 * (read_u16(data + at + 6) + (read_u16(data + at + 6) & 1))
    return size


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef const char *wrong = NULL
    cdef int result = ccfb_check(data, size)
    ran(tally, data, size, result == 0, shape_of(data, size) if result == 0 else 0)
    if result > 0:
        wrong = "neither well nor a drop code"
    elif result == 0:
        wrong = read_all(data, size)
    if wrong == NULL:
        wrong = matched(data, size, result)
    if wrong == NULL:
        wrong = recorded(data, size)
    return wrong


cdef uint64_t shape_of(const uint8_t *data, int size) noexcept nogil:
    cdef CcfbStreamView view
    cdef uint64_t shape = 0
    cdef int at = CCFB_HEADER_SIZE
    while True:
        at = ccfb_next(data, size, at, &view)
        if at == 0:
            return shape
        shape = shape * 31 + <uint64_t>min(view.count, 40) + 1


cdef const char *read_all(const uint8_t *data, int size) noexcept nogil:
    # and write it again: the same, but for what an odd number is filled up with, and streams of no report
    cdef CcfbStreamView view
    cdef CcfbWriter writer
    cdef uint8_t *out = <uint8_t *>malloc(<size_t>size + 8)
    cdef const char *wrong = NULL
    cdef int at = CCFB_HEADER_SIZE
    cdef int began, i, written
    cdef bint same = True
    ccfb_writer_init(&writer, out, size + 8)
    while wrong == NULL:
        began = at
        at = ccfb_next(data, size, at, &view)
        if at == 0:
            break
        if view.count > CCFB_REPORTS_MAX or view.reports != data + began + CCFB_STREAM_SIZE or (
                at > size - CCFB_TIMESTAMP_SIZE):
            wrong = "a stream outside of its packet"
            break
        same = same and view.count != 0 and (view.count & 1 == 0 or read_u16(view.reports + 2 * view.count) == 0)
        if not ccfb_writer_begin(&writer, view.ssrc, view.begin_seq):
            same = False               # room is asked for a report, and this one may have none
            break
        for i in range(view.count):
            if not ccfb_writer_add(&writer, read_u16(view.reports + 2 * i)):
                wrong = "no room for what came in as much"
    if wrong == NULL:
        written = ccfb_writer_finish(&writer, read_u32(data + 4), ccfb_timestamp(data, size))
        if written > size + 8 or ccfb_check(out, written) < 0:
            wrong = "what is written is too large, or malformed"
        elif same and (written != size or memcmp(out + 4, data + 4, <size_t>size - 4) != 0):
            wrong = "what is written is not what was read"
    free(out)
    return wrong


cdef int stream_of(const void *table, uint32_t ssrc) noexcept nogil:
    return <int>(ssrc & 7) if ssrc & 7 < STREAMS else -1


cdef Sender *sender_of() noexcept nogil:
    cdef Sender *sender = <Sender *>malloc(sizeof(Sender))
    cdef int i
    feedback_match_init(&sender.match)
    send_history_init(&sender.history)
    ccfb_index_init(&sender.index)
    for i in range(SENT):
        send_history_add(&sender.history, <uint16_t>i, 7, 0, i * 1000)
        ccfb_index_add(&sender.index, i % STREAMS, <uint16_t>(65500 + i // STREAMS), sender.history.newest)
    return sender


cdef const char *matched(const uint8_t *data, int size, int checked) noexcept nogil:
    cdef Sender *sender = sender_of()
    cdef const char *wrong = NULL
    cdef int64_t before = sender.history.in_flight_bytes
    cdef int i, lost
    cdef int count = feedback_match_ccfb(&sender.match, &sender.history, &sender.index, stream_of, NULL, data, size,
                                         sender.outcomes, &lost)
    if (count < 0) != (checked < 0):
        wrong = "refused by one and not by the other"
    elif count > SENT or lost > max(count, 0):
        wrong = "more than was sent"
    elif count < 0 and sender.history.in_flight_bytes != before:
        wrong = "a malformed report that changed something"
    elif count >= 0 and before - sender.history.in_flight_bytes < 7 * count:
        wrong = "packets that are still in flight though they were told"
    for i in range(lost + 1, max(count, 0)):
        if sender.outcomes[i].arrival_us < sender.outcomes[i - 1].arrival_us:
            wrong = "arrivals out of order"
    if wrong == NULL and feedback_match_ccfb(&sender.match, &sender.history, &sender.index, stream_of, NULL, data,
                                             size, sender.outcomes, &lost) > 0:
        wrong = "told twice by the same report"
    free(sender)
    return wrong


cdef const char *recorded(const uint8_t *data, int size) noexcept nogil:
    # the last bytes say which packets come when, and when feedback is asked for
    cdef CcfbRecord *record = ccfb_record_new()
    cdef const char *wrong = NULL
    cdef uint16_t seqs[STREAMS]
    cdef int64_t now_us = 0
    cdef int i, stream
    for i in range(STREAMS):
        seqs[i] = <uint16_t>(65500 + i)
    for i in range(max(size - 2 * ARRIVALS_MAX, 0), size - 1, 2):
        stream = data[i + 1] >> 5 & 3
        seqs[stream] = <uint16_t>(seqs[stream] + (33000 if data[i + 1] == 255 else numbers[data[i] & 15]))
        now_us += steps_us[data[i] >> 4]
        ccfb_record_packet(record, <uint32_t>stream + (data[i + 1] << 8 if data[i + 1] & 16 else 0), seqs[stream], 1200,
                           data[i + 1] & 3, now_us)
        if data[i + 1] & 12 == 12 and wrong == NULL:
            wrong = drained(record, 1200 if data[i + 1] & 1 else 28 + 4 * (data[i + 1] & 7), now_us)
    if wrong == NULL:
        wrong = drained(record, 1500, now_us)
    ccfb_record_free(record)
    return wrong


cdef const char *drained(CcfbRecord *record, int capacity, int64_t now_us) noexcept nogil:
    cdef uint8_t *out = <uint8_t *>malloc(capacity)
    cdef const char *wrong = NULL
    cdef int packets = 0
    cdef int size = ccfb_record_write(record, out, capacity, 1, now_us)
    while size and wrong == NULL:
        packets += 1
        if size > capacity or packets > PACKETS_MAX:
            wrong = "feedback without end, or larger than its room"
        elif ccfb_check(out, size) < 0:
            wrong = "feedback of our own that is none"
        else:
            size = ccfb_record_write(record, out, capacity, 1, now_us)
    if wrong == NULL and ccfb_record_deadline_us(record) >= 0:
        wrong = "feedback that is still due when all is told"
    free(out)
    return wrong


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)
