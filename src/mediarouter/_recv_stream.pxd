# One received RTP stream (one SSRC): loss and jitter (RFC 3550 appendix A), what to NACK and when, the last sender
# report. Sans-IO.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._rtcp cimport ReportBlock, SenderInfo

cdef struct NackItem:
    int64_t seq                    # unwrapped
    int64_t missed_at_us           # when the gap was seen
    int64_t asked_at_us            # last
    int64_t send_at_us             # when to ask next
    uint8_t tries

cdef struct NackList:              # what is missing; sorted by seq
    NackItem *items
    int count
    int capacity
    int64_t earliest_us            # no item is due before; means something while count or given_up is set
    bint given_up                  # more was missing than can be asked for

cdef struct RecvStream:
    uint32_t ssrc
    uint32_t clock_rate
    int64_t newest_seq             # unwrapped; -1 before the first packet
    int64_t first_seq              # newest - first + 1 packets were expected; a jump moves it along
    int64_t packets                # received, duplicates not counted, recovered ones counted
    int64_t bytes                  # payload bytes of these
    int64_t recovered              # of them, those that came by RTX
    int64_t expected_prior         # for the fraction lost of the next report
    int64_t received_prior
    uint32_t jitter_q4             # RTP clock units, 4 fractional bits (RFC 3550 A.8)
    uint32_t last_transit
    bint has_transit
    uint32_t newest_timestamp
    int64_t newest_arrival_us
    # sender report
    uint64_t sr_ntp                # 0: none yet
    uint32_t sr_rtp_timestamp
    int64_t sr_arrival_us
    # NACK
    bint nack_enabled
    NackList nacks
    int64_t rtt_us                 # to the publisher, by the answers to our NACKs; 100 ms until known
    int64_t reorder_us             # how late reordered packets come: the first request waits so long
    int64_t jump_seq               # where a jump landed; -1 none: a second packet behind it makes it true
    uint64_t nacks_sent            # sequence numbers asked for, repeats counted

cdef enum RecvOutcome:
    RECV_NEW = 0                   # in order, or a gap before it
    RECV_LATE = 1                  # fills a gap
    RECV_RESET = 2                 # the source jumped: everything before it is forgotten

cdef void recv_stream_init(RecvStream *stream, uint32_t ssrc, uint32_t clock_rate, bint nack_enabled) noexcept nogil
cdef void recv_stream_release(RecvStream *stream) noexcept nogil
# Place a packet. *unwrapped is its number. RecvOutcome, or DROP_RTP_TOO_OLD. Duplicates are the cache's to find.
cdef int recv_stream_handle_packet(RecvStream *stream, uint16_t seq, uint32_t timestamp, int payload_size,
                                   bint recovered, int64_t now_us, int64_t *unwrapped) noexcept nogil
# The next packet may be far from those before: who passes it on has seen the source go there
cdef void recv_stream_expect_jump(RecvStream *stream, uint16_t seq) noexcept nogil
cdef void recv_stream_handle_sender_report(RecvStream *stream, const SenderInfo *info, int64_t now_us) noexcept nogil
cdef void recv_stream_report(RecvStream *stream, ReportBlock *block, int64_t now_us) noexcept nogil
# Whether this number is missing and still asked for
cdef bint recv_stream_awaits(const RecvStream *stream, int64_t seq) noexcept nogil
# When the next NACK is due; -1: none is. Never later than the truth; earlier when what was due first has come.
cdef int64_t recv_stream_nack_deadline_us(const RecvStream *stream) noexcept nogil
# Sequence numbers to ask for now, ascending; how many. *give_up: something is lost for good, ask for a key frame.
cdef int recv_stream_poll_nacks(RecvStream *stream, int64_t now_us, uint16_t *seqs, int capacity,
                                bint *give_up) noexcept nogil
# RTP timestamp of this stream's clock at an NTP time, by the last sender report (RFC 3550 6.4.1)
cdef uint32_t recv_stream_timestamp_at(const RecvStream *stream, uint64_t ntp) noexcept nogil
