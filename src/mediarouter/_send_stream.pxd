# One RTP stream that leaves for one receiver: how sequence numbers, timestamps and picture ids of what came in map to
# what goes out. Sans-IO.
#
# Theory of operation
# The mapping is a short list of runs. Inside a run everything differs from its source by constants; a run ends where a
# packet was left out or the source changed. Unwrapped source numbers [first, end) of one encoding become
# [first + seq_offset, end + seq_offset). So a late packet still finds its place, a left-out one leaves no gap, and a
# retransmission is made anew from the shared slab with the very constants it was first sent with: a receiver costs a
# run, not a record per packet.
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    SEND_RUNS_MAX = 128            # history kept; at 15 left-out frames a second this is over 8 s
    RESENDS = 32                   # recently resent packets remembered
    RESENDS_MAX = 3                # times one packet is resent
    RESEND_CREDIT_MAX = 256        # packets resent at once, of different numbers; each new packet sent allows one more

cdef struct SendRun:
    int64_t first                  # unwrapped source number
    int64_t end                    # one past the last; of the newest run: one past the newest packet seen
    int64_t seq_offset             # what goes out = source + this
    uint32_t timestamp_offset
    uint16_t picture_id_offset     # modulo 2^15
    uint8_t tl0_offset
    uint8_t encoding               # which encoding of the producer

cdef struct Resend:
    int64_t seq                    # outgoing, unwrapped
    int64_t sent_at_us
    int count

cdef struct SendStream:
    SendRun *runs                  # a ring; `newest_run` counts up and is masked
    uint32_t run_capacity          # a power of two
    uint32_t run_count
    uint64_t newest_run
    int64_t newest_seq             # outgoing, unwrapped, reserved places included; its low 16 bits are on the wire
    uint32_t newest_timestamp      # outgoing
    uint32_t newest_source_timestamp
    uint32_t timestamp_extra       # what the newest switch added to keep timestamps growing
    int64_t newest_sent_us
    uint16_t newest_picture_id     # outgoing, 15 bits
    uint8_t newest_tl0             # outgoing
    int64_t fallen_seq             # outgoing number of the newest run that began by going down; before it all is past
    bint started
    bint has_picture_id
    bint frame_complete            # the newest packet ended its frame (marker)
    uint32_t packets               # sent, resends not counted (RFC 3550 6.4.1)
    uint32_t octets                # payload bytes of these
    Resend resends[32]
    uint32_t resend_position
    uint16_t resend_credit         # packets that may be resent now
    uint16_t resend_earned_at      # low bits of `packets` when credit was added last

cdef void send_stream_init(SendStream *stream, uint16_t first_seq) noexcept nogil
cdef void send_stream_release(SendStream *stream) noexcept nogil

# Begin a run at a source packet which follows whatever was sent last. `timestamp` is what shall go out for
# `source_timestamp`. A frame that was cut short leaves a hole of one number, so that the decoder can tell.
# False: no memory, nothing changed.
cdef bint send_stream_switch(SendStream *stream, int encoding, int64_t source_seq, uint32_t source_timestamp,
                             uint32_t timestamp, int picture_id, int tl0) noexcept nogil
# The run that a packet belongs to, NULL when it has no place: left out, of another source, or of before our time
cdef const SendRun *send_stream_place(const SendStream *stream, int encoding, int64_t source_seq) noexcept nogil
# Of before the newest key frame that went down to a lower encoding, or began anew: nobody has a use for it any more
cdef bint send_stream_is_past(const SendStream *stream, uint16_t seq) noexcept nogil
# A packet newer than all before it goes out in the newest run; its outgoing number
cdef int64_t send_stream_extend(SendStream *stream, int64_t source_seq) noexcept nogil
# A packet newer than all before it is left out; `new_picture`: it is the first seen of its picture
cdef void send_stream_skip(SendStream *stream, int64_t source_seq, bint new_picture) noexcept nogil
cdef bint send_stream_is_newer(const SendStream *stream, int encoding, int64_t source_seq) noexcept nogil
# What was sent under an outgoing number: its run, and *source_seq; NULL unknown
cdef const SendRun *send_stream_trace(const SendStream *stream, uint16_t seq, int64_t *source_seq) noexcept nogil
# May this number be resent now? Remembers it when so. At most RESENDS_MAX times, a round trip apart; and in all no more
# than was sent, and RESEND_CREDIT_MAX: whatever a viewer asks for, it gets at most twice its stream.
cdef bint send_stream_may_resend(SendStream *stream, uint16_t seq, int64_t rtt_us, int64_t now_us) noexcept nogil

cdef inline SendRun *newest_run(const SendStream *stream) noexcept nogil:
    return &stream.runs[stream.newest_run & (stream.run_capacity - 1)]
