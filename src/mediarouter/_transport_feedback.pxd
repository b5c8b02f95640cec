# Transport-wide feedback on the wire (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1): RTCP type 205,
# format 15. Reading for whoever sent the media, writing for whoever received it; what is remembered in between is the
# business of mediarouter.congestion.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    TWCC_TICK_US = 250             # unit of arrival times
    TWCC_REFERENCE_TICKS = 256     # unit of the reference time: 64 ms
    TWCC_HEADER_SIZE = 20          # RTCP header, SSRCs, base, count, reference time, feedback count
    TWCC_SIZE_MAX = 1500           # a packet that is written is never larger, whatever room there is
    TWCC_RUN_MAX = 8191            # statuses in one run-length chunk

cdef struct TwccStatus:
    int64_t arrival_us             # receiver's clock, from its reference time; meaningless unless `timed`
    uint16_t seq
    uint8_t received
    uint8_t timed                  # a time was told: not so for lost packets and for the reserved symbol 3

cdef struct TwccFeedback:          # the fixed part
    uint32_t sender_ssrc
    uint32_t media_ssrc            # of any stream of the transport: nothing can be concluded from it
    uint32_t reference_time_64ms   # 24 bits, signed on the wire: twcc_reference()
    uint16_t base_seq
    uint16_t status_count
    uint8_t feedback_count

# Does the packet hold what its status count promises? Reads the fixed part. The offset of the deltas, or a Drop code
# `data` is the whole RTCP packet, padding of the P bit cut off.
cdef int twcc_check(const uint8_t *data, int size, TwccFeedback *feedback) noexcept nogil

# The first `capacity` statuses of a packet: how many, or a Drop code; a packet refused has touched no status.
cdef int twcc_parse(const uint8_t *data, int size, TwccFeedback *feedback,
                    TwccStatus *statuses, int capacity) noexcept nogil

cdef inline int32_t twcc_reference(const TwccFeedback *feedback) noexcept nogil:     # 64 ms, may be negative
    return <int32_t>(feedback.reference_time_64ms << 8) >> 8

# Microseconds in ticks, to the nearest; rounding the time and not the step, errors do not add up over a packet
cdef inline int64_t twcc_tick(int64_t time_us) noexcept nogil:
    cdef int64_t tick = (time_us + TWCC_TICK_US // 2) // TWCC_TICK_US
    return tick - 1 if tick * TWCC_TICK_US > time_us + TWCC_TICK_US // 2 else tick     # C rounds towards zero

# The reference time nearest to `newest` (an unwrapped one) whose low 24 bits are `reference`; it wraps every 12.4 days
cdef inline int64_t twcc_unwrap_reference(int64_t newest, uint32_t reference) noexcept nogil:
    return newest + (<int32_t>((reference - <uint32_t>newest) << 8) >> 8)

# Writes one packet, status by status, in ascending order of sequence numbers.
cdef struct TwccWriter:
    uint8_t *out
    int64_t last_tick              # time of the last received packet as it was written
    int64_t reference              # 64 ms
    int32_t capacity               # bytes of `out`
    int32_t size                   # header and closed chunks
    int32_t delta_size
    int32_t count                  # statuses
    int32_t received
    int32_t pending                # symbols of the open chunk
    uint16_t base_seq
    uint8_t uniform                # they are all the same
    uint8_t large                  # there is a large delta among them
    uint8_t timeless               # no deltas are written: set it after `init`, before the first status
    uint8_t symbols[14]            # of the open chunk; more only while uniform
    uint8_t deltas[TWCC_SIZE_MAX]

cdef void twcc_writer_init(TwccWriter *writer, uint8_t *out, int capacity, uint16_t base_seq) noexcept nogil
# False: no room, or the step from the packet before is beyond a delta (8.19 s). Nothing has changed, finish this one.
cdef bint twcc_writer_add_lost(TwccWriter *writer) noexcept nogil
cdef bint twcc_writer_add_received(TwccWriter *writer, int64_t tick) noexcept nogil
# Bytes of the packet, a multiple of four
cdef int twcc_writer_finish(TwccWriter *writer, uint32_t sender_ssrc, uint32_t media_ssrc,
                            uint8_t feedback_count) noexcept nogil

# The value for Python, `padding` bytes of `size` cut off for reading; None when the packet contradicts itself
cdef class Twcc:
    cdef bytes wire
    cdef TwccFeedback fixed
    cdef int size                  # of `wire` without padding

cdef object twcc_of(const uint8_t *data, int size, int padding)
