"""One received stream: numbers, loss, jitter, what to ask for again. `_recv_stream.pxd` shows the state."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove, memset
from mediarouter._drop cimport DROP_RTP_TOO_OLD
from mediarouter._rtcp cimport ReportBlock, SenderInfo
from mediarouter._rtp cimport seq_unwrap

cdef enum:
    MAX_DROPOUT = 3000             # a larger step forward must be confirmed (RFC 3550 appendix A.1)
    MAX_MISORDER = 3000            # the same backwards
    FIRST_CYCLE = 65536            # unwrapped numbers begin here, so that what came before is still positive
    DEFAULT_RTT_US = 100000
    DEFAULT_REORDER_US = 10000
    MAX_REORDER_US = 20000
    MIN_RETRY_US = 20000
    MAX_RTT_US = 1000000
    MAX_JITTER_S = 10              # a larger change of transit is another clock, not jitter
    MAX_TRIES = 10
    MAX_NACKS = 1000
    MAX_NACK_AGE = 10000           # packets behind the newest


cdef void recv_stream_init(RecvStream *stream, uint32_t ssrc, uint32_t clock_rate, bint nack_enabled) noexcept nogil:
    memset(stream, 0, sizeof(RecvStream))
    stream.ssrc = ssrc
    stream.clock_rate = clock_rate
    stream.newest_seq = -1
    stream.first_seq = -1
    stream.jump_seq = -1
    stream.nack_enabled = nack_enabled
    stream.rtt_us = DEFAULT_RTT_US
    stream.reorder_us = DEFAULT_REORDER_US


cdef void recv_stream_release(RecvStream *stream) noexcept nogil:
    free(stream.nacks.items)
    memset(&stream.nacks, 0, sizeof(NackList))


cdef int recv_stream_handle_packet(RecvStream *stream, uint16_t seq, uint32_t timestamp, int payload_size,
                                   bint recovered, int64_t now_us, int64_t *unwrapped) noexcept nogil:
    cdef int64_t number = 0
    cdef int outcome = RECV_NEW
    if stream.newest_seq < 0:
        number = FIRST_CYCLE + seq
        stream.newest_seq = number
        stream.first_seq = number
    else:
        outcome = place(stream, seq, recovered, now_us, &number)
        if outcome < 0:
            return outcome
    unwrapped[0] = number
    stream.packets += 1
    stream.bytes += payload_size
    if recovered:
        stream.recovered += 1
    else:
        stream.jump_seq = -1
        update_jitter(stream, timestamp, now_us)
    if outcome != RECV_LATE:
        stream.newest_timestamp = timestamp
    stream.newest_arrival_us = now_us
    return outcome


cdef int place(RecvStream *stream, uint16_t seq, bint recovered, int64_t now_us, int64_t *unwrapped) noexcept nogil:
    cdef int64_t number = seq_unwrap(stream.newest_seq, seq)
    cdef int64_t step = number - stream.newest_seq
    cdef int at = -1
    if step <= 0:
        at = find_nack(&stream.nacks, number)
    if step > MAX_DROPOUT or step < -MAX_MISORDER:
        # a retransmission proves no jump; but one that was asked for is welcome however late it comes
        if recovered and at < 0:
            return DROP_RTP_TOO_OLD
        if not recovered:
            if stream.jump_seq < 0 or <uint16_t>(stream.jump_seq + 1) != seq:
                stream.jump_seq = seq
                return DROP_RTP_TOO_OLD
            # two in a row: the source really went there
            unwrapped[0] = begin_anew(stream, seq, now_us)
            return RECV_RESET
    unwrapped[0] = number
    if step > 0:
        if stream.nack_enabled and step > 1:
            note_missing(stream, stream.newest_seq + 1, number, now_us + stream.reorder_us, now_us)
        stream.newest_seq = number
        return RECV_NEW
    if at >= 0:
        learn_from(stream, &stream.nacks.items[at], recovered, now_us)
        remove_nack(&stream.nacks, at)
    return RECV_LATE


cdef void recv_stream_expect_jump(RecvStream *stream, uint16_t seq) noexcept nogil:
    stream.jump_seq = <uint16_t>(seq - 1)


cdef int64_t begin_anew(RecvStream *stream, uint16_t seq, int64_t now_us) noexcept nogil:
    # Numbers go on upwards, so that nothing of before is met again, and the counts go on as if nothing lay between. The
    # packet before this one was refused, since nobody could know; it is likely the first of a key frame: ask for it.
    cdef int64_t number = stream.newest_seq + 1 + <uint16_t>(seq - <uint16_t>(stream.newest_seq + 1))
    stream.first_seq += number - 2 - stream.newest_seq
    stream.newest_seq = number
    stream.has_transit = False
    stream.sr_ntp = 0
    forget_nacks(&stream.nacks)
    if stream.nack_enabled:
        note_missing(stream, number - 1, number, now_us, now_us)
    return number


cdef void update_jitter(RecvStream *stream, uint32_t timestamp, int64_t now_us) noexcept nogil:
    # RFC 3550 A.8, on the stream's own clock; seconds apart, so that no clock reading overflows
    cdef uint32_t arrival = <uint32_t>(now_us // 1000000 * <int64_t>stream.clock_rate +
                                       now_us % 1000000 * <int64_t>stream.clock_rate // 1000000)
    cdef uint32_t transit = arrival - timestamp
    cdef int32_t change = <int32_t>(transit - stream.last_transit)
    if stream.has_transit:
        change = -change if change < 0 else change
        if 0 <= change < <int32_t>(MAX_JITTER_S * stream.clock_rate):
            stream.jitter_q4 += <uint32_t>change - ((stream.jitter_q4 + 8) >> 4)
    stream.last_transit = transit
    stream.has_transit = True


cdef void recv_stream_handle_sender_report(RecvStream *stream, const SenderInfo *info, int64_t now_us) noexcept nogil:
    if info.ntp == 0:
        return                     # RFC 3550 6.4.1: the sender has no wall clock
    stream.sr_ntp = info.ntp
    stream.sr_rtp_timestamp = info.rtp_timestamp
    stream.sr_arrival_us = now_us


cdef void recv_stream_report(RecvStream *stream, ReportBlock *block, int64_t now_us) noexcept nogil:
    # RFC 3550 A.3
    cdef int64_t expected = stream.newest_seq - stream.first_seq + 1
    cdef int64_t lost = expected - stream.packets
    cdef int64_t expected_now = expected - stream.expected_prior
    cdef int64_t lost_now = expected_now - (stream.packets - stream.received_prior)
    cdef int64_t delay
    stream.expected_prior = expected
    stream.received_prior = stream.packets
    block.ssrc = stream.ssrc
    block.fraction_lost = 0
    if expected_now > 0 and lost_now > 0:
        block.fraction_lost = <unsigned char>(min(lost_now * 256 // expected_now, 255))
    block.cumulative_lost = <int32_t>max(min(lost, 0x7FFFFF), -0x800000)
    block.highest_seq = <uint32_t>(stream.newest_seq - FIRST_CYCLE)
    block.jitter = stream.jitter_q4 >> 4
    block.last_sr = <uint32_t>(stream.sr_ntp >> 16)
    block.delay_since_last_sr = 0
    if stream.sr_ntp:
        delay = ((now_us - stream.sr_arrival_us) << 16) // 1000000
        block.delay_since_last_sr = <uint32_t>delay


cdef uint32_t recv_stream_timestamp_at(const RecvStream *stream, uint64_t ntp) noexcept nogil:
    # the difference is at most some hours: 32.32 fixed point of it times the clock rate fits when split
    cdef int64_t difference = <int64_t>(ntp - stream.sr_ntp)
    cdef int64_t seconds = difference >> 32
    cdef uint64_t fraction = <uint32_t>difference
    cdef int64_t ticks = seconds * <int64_t>stream.clock_rate
    ticks += <int64_t>((fraction * stream.clock_rate + (<uint64_t>1 << 31)) >> 32)
    return stream.sr_rtp_timestamp + <uint32_t>ticks


# ---- NACK

cdef void note_missing(RecvStream *stream, int64_t first, int64_t end, int64_t send_at_us,
                       int64_t now_us) noexcept nogil:
    # numbers from first to end - 1, all above those in the list
    cdef NackList *nacks = &stream.nacks
    cdef NackItem *items
    cdef int64_t seq
    cdef int wanted = <int>(nacks.count + end - first)
    if wanted > MAX_NACKS:
        # not repaired one by one any more: only a key frame helps
        forget_nacks(nacks)
        nacks.given_up = True
        nacks.earliest_us = now_us
        return
    if wanted > nacks.capacity:
        items = <NackItem *>realloc(nacks.items, <size_t>(wanted + 32) * sizeof(NackItem))
        if items == NULL:
            return
        nacks.items = items
        nacks.capacity = wanted + 32
    if (nacks.count == 0 and not nacks.given_up) or send_at_us < nacks.earliest_us:
        nacks.earliest_us = send_at_us
    for seq in range(first, end):
        items = &nacks.items[nacks.count]
        items.seq = seq
        items.missed_at_us = now_us
        items.asked_at_us = 0
        items.send_at_us = send_at_us
        items.tries = 0
        nacks.count += 1


cdef inline void forget_nacks(NackList *nacks) noexcept nogil:
    nacks.count = 0
    nacks.given_up = False


cdef bint recv_stream_awaits(const RecvStream *stream, int64_t seq) noexcept nogil:
    return find_nack(&stream.nacks, seq) >= 0


cdef int find_nack(const NackList *nacks, int64_t seq) noexcept nogil:
    cdef int low = 0
    cdef int high = nacks.count
    cdef int middle
    while low < high:
        middle = (low + high) >> 1
        if nacks.items[middle].seq < seq:
            low = middle + 1
        else:
            high = middle
    return low if low < nacks.count and nacks.items[low].seq == seq else -1


cdef void remove_nack(NackList *nacks, int at) noexcept nogil:
    nacks.count -= 1
    memmove(&nacks.items[at], &nacks.items[at + 1], <size_t>(nacks.count - at) * sizeof(NackItem))


cdef void learn_from(RecvStream *stream, const NackItem *item, bint recovered, int64_t now_us) noexcept nogil:
    cdef int64_t sample_us
    if recovered:
        if item.tries:
            # it was truly lost: waiting for it was in vain
            stream.reorder_us -= stream.reorder_us // 16
        if item.tries == 1:
            # asked for once, so this is the answer (RFC 6298 section 3). Up fast and down slowly: a second request that
            # crosses the answer to the first is waste
            sample_us = min(max(now_us - item.asked_at_us, 0), MAX_RTT_US)
            stream.rtt_us += (sample_us - stream.rtt_us) // (2 if sample_us > stream.rtt_us else 8)
        return
    sample_us = now_us - item.missed_at_us
    if sample_us <= MAX_REORDER_US:
        # merely reordered: wait twice as long as such packets take. What comes later may be a retransmission under the
        # same SSRC, and says nothing
        stream.reorder_us += (min(sample_us * 2, MAX_REORDER_US) - stream.reorder_us) // 8


cdef int64_t recv_stream_nack_deadline_us(const RecvStream *stream) noexcept nogil:
    return stream.nacks.earliest_us if stream.nacks.count or stream.nacks.given_up else -1


cdef int recv_stream_poll_nacks(RecvStream *stream, int64_t now_us, uint16_t *seqs, int capacity,
                                bint *give_up) noexcept nogil:
    cdef NackList *nacks = &stream.nacks
    cdef NackItem *item
    cdef int64_t earliest_us = 0x7FFFFFFFFFFFFFFF
    cdef int i
    cdef int count = 0
    cdef int kept = 0
    give_up[0] = nacks.given_up
    nacks.given_up = False
    for i in range(nacks.count):
        item = &nacks.items[i]
        if item.send_at_us <= now_us and count < capacity:
            if item.tries == MAX_TRIES or stream.newest_seq - item.seq > MAX_NACK_AGE:
                give_up[0] = True
                continue
            seqs[count] = <uint16_t>item.seq
            count += 1
            item.tries += 1
            item.asked_at_us = now_us
            item.send_at_us = now_us + max(stream.rtt_us, MIN_RETRY_US)
        if item.send_at_us < earliest_us:
            earliest_us = item.send_at_us
        if kept != i:
            nacks.items[kept] = item[0]
        kept += 1
    nacks.count = kept
    nacks.earliest_us = earliest_us
    stream.nacks_sent += <uint64_t>count
    return count


@cython.final
cdef class RecvStreamFace:
    """A RecvStream for tests: the same functions, Python numbers.

    Args:
        ssrc: of the stream.
        clock_rate: of its RTP timestamps, Hz.
        nack: missing packets are asked for again.
    """
    cdef RecvStream stream

    def __cinit__(self, uint32_t ssrc, uint32_t clock_rate, bint nack=True):
        recv_stream_init(&self.stream, ssrc, clock_rate, nack)

    def __dealloc__(self):
        recv_stream_release(&self.stream)

    @property
    def newest_seq(self):
        """Unwrapped; -1 before the first packet."""
        return self.stream.newest_seq

    @property
    def packets(self):
        """Received, recovered ones counted."""
        return self.stream.packets

    @property
    def missing(self):
        """Unwrapped numbers that are asked for, or will be."""
        return [self.stream.nacks.items[i].seq for i in range(self.stream.nacks.count)]

    @property
    def recovered(self):
        """Of the packets, those that came by RTX."""
        return self.stream.recovered

    @property
    def nacks_sent(self):
        """Sequence numbers asked for, repeats counted."""
        return self.stream.nacks_sent

    @property
    def rtt_us(self):
        """Round trip to the publisher: 100,000 until an answer to a NACK has told."""
        return self.stream.rtt_us

    @property
    def reorder_us(self):
        """How long the first request for a missing packet waits."""
        return self.stream.reorder_us

    def handle_packet(self, int seq, uint32_t timestamp, int payload_size, int64_t now_us, bint recovered=False):
        """("new", "late" or "reset", unwrapped number), or a negative Drop code."""
        cdef int64_t unwrapped = 0
        cdef int outcome = recv_stream_handle_packet(&self.stream, <uint16_t>seq, timestamp, payload_size, recovered,
                                                     now_us, &unwrapped)
        return outcome if outcome < 0 else (("new", "late", "reset")[outcome], unwrapped)

    def handle_many(self, int seq, int payload_size, int64_t now_us, int count, int lose):
        """Handle `count` numbers in a row, 1 ms apart, but for each `lose`-th (0: all), and poll NACKs each 20th.

        No Python runs between; for measuring.

        Returns:
            (packets taken, the number after the last).
        """
        cdef uint16_t seqs[1024]
        cdef bint give_up = False
        cdef int64_t unwrapped = 0
        cdef int taken = 0
        cdef int i
        with nogil:
            for i in range(count):
                now_us += 1000
                if lose == 0 or i % lose != lose - 1:
                    taken += recv_stream_handle_packet(&self.stream, <uint16_t>(seq + i), <uint32_t>(now_us * 9 // 100),
                                                       payload_size, False, now_us, &unwrapped) >= 0
                if 0 <= recv_stream_nack_deadline_us(&self.stream) <= now_us and i % 20 == 0:
                    recv_stream_poll_nacks(&self.stream, now_us, seqs, 1024, &give_up)
        return taken, (seq + count) % 65536

    def handle_sender_report(self, uint64_t ntp, uint32_t rtp_timestamp, int64_t now_us):
        """Take the NTP time (32.32) and timestamp of a sender report."""
        cdef SenderInfo info
        info.ntp = ntp
        info.rtp_timestamp = rtp_timestamp
        recv_stream_handle_sender_report(&self.stream, &info, now_us)

    def report(self, int64_t now_us):
        """The next report block as a dict."""
        cdef ReportBlock block
        recv_stream_report(&self.stream, &block, now_us)
        return {
            "ssrc": block.ssrc, "fraction_lost": block.fraction_lost, "cumulative_lost": block.cumulative_lost,
            "highest_seq": block.highest_seq, "jitter": block.jitter, "last_sr": block.last_sr,
            "delay_since_last_sr": block.delay_since_last_sr,
        }

    def nack_deadline_us(self):
        """When `poll_nacks` is due; -1: nothing is missing."""
        return recv_stream_nack_deadline_us(&self.stream)

    def poll_nacks(self, int64_t now_us, int capacity=1024):
        """(sequence numbers to ask for now, at most `capacity` and 1,024; something was given up)."""
        cdef uint16_t seqs[1024]
        cdef bint give_up = False
        cdef int count = recv_stream_poll_nacks(&self.stream, now_us, seqs, min(capacity, 1024), &give_up)
        return [seqs[i] for i in range(count)], bool(give_up)

    def timestamp_at(self, uint64_t ntp):
        """RTP timestamp at an NTP time (32.32), by the last sender report."""
        return recv_stream_timestamp_at(&self.stream, ntp)
