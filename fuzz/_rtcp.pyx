"""RTCP datagrams in C: walked, each packet checked as its class would, read as the engine reads, written again."""

from fuzz._dice cimport Dice, below, roll
from fuzz._loop cimport Tally, exact, loop_of, ran
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset
from mediarouter._drop cimport DROP_RTCP_LENGTH, DROP_RTCP_SHORT
from mediarouter._rtcp cimport (
    RTCP_APP,
    RTCP_BYE,
    RTCP_PSFB,
    RTCP_RR,
    RTCP_RTPFB,
    RTCP_SDES,
    RTCP_SR,
    RTCP_XR,
    ReportBlock,
    RtcpReader,
    RtcpView,
    SenderInfo,
    rtcp_feedback_ssrcs,
    rtcp_next,
    rtcp_read_bye,
    rtcp_read_fir,
    rtcp_read_nack,
    rtcp_read_remb,
    rtcp_read_report,
    rtcp_read_rrtr,
    rtcp_read_sender_info,
    rtcp_reader_init,
    rtcp_report_count,
    rtcp_write_bye,
    rtcp_write_nack,
    rtcp_write_remb,
    rtcp_write_rr,
    rtcp_write_sr,
)
from mediarouter._rtcp_bitrates cimport check_remb, check_tmmbn, check_tmmbr, is_remb
from mediarouter._rtcp_ccfb cimport check_ccfb
from mediarouter._rtcp_feedback cimport check_fir, check_nack, check_pli, check_rpsi, check_sli
from mediarouter._rtcp_reports cimport check_receiver_report, check_sender_report
from mediarouter._rtcp_sources cimport check_app, check_bye, check_sdes
from mediarouter._rtcp_xr cimport check_xr
from mediarouter._rtp cimport read_u16, write_u16
from mediarouter._transport_feedback cimport TwccFeedback, twcc_check

cdef enum:
    HEADER_SIZE = 4
    FEEDBACK_SIZE = 12
    BLOCKS_MAX = 31
    NUMBERS_MAX = 2048             # of one NACK that is written again


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # version, lengths and padding of each packet, so that the walk comes to the end; what is in them stays
    cdef int at = 0
    cdef int length, content
    if size < HEADER_SIZE or below(dice, 16) == 0:
        return size
    size &= ~3
    while at < size:
        data[at] = 0x80 | (data[at] & 0x3F)
        length = 4 * (read_u16(data + at + 2) + 1)
        if length > size - at:
            length = size - at
            write_u16(data + at + 2, <uint16_t>(length // 4 - 1))
        content = length - HEADER_SIZE
        if data[at] & 0x20:
            if content == 0:
                data[at] ^= 0x20
            elif data[at + length - 1] == 0 or data[at + length - 1] > content:
                data[at + length - 1] = <uint8_t>(1 + below(dice, 4))
        if data[at + 1] - 200 > 7u and roll(dice) & 3:
            data[at + 1] = <uint8_t>(200 + below(dice, 8))
        at += length
    return size


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef RtcpReader reader
    cdef RtcpView view
    cdef const char *wrong = NULL
    cdef bint sound = True
    cdef uint64_t shape = 0
    cdef int before = 0
    cdef int result
    rtcp_reader_init(&reader, data, size)
    while wrong == NULL:
        result = rtcp_next(&reader, &view)
        if result <= 0:
            break
        if not (view.data == data + before and before + HEADER_SIZE <= before + view.size <= reader.position <= size):
            wrong = "a packet outside of its datagram"
            break
        before = reader.position
        shape = shape * 31 + kind_of(&view)
        wrong = read_alone(&view, &sound)
    ran(tally, data, size, sound and result == 0, shape)
    if wrong == NULL and result < 0 and not DROP_RTCP_LENGTH <= result <= DROP_RTCP_SHORT:
        wrong = "a refusal that is none of RTCP's"
    return wrong


cdef const char *read_alone(RtcpView *view, bint *sound) noexcept nogil:
    # in memory of its own, so that neither its padding nor the next packet hides a read too far
    cdef uint8_t *copied = exact(view.data, view.size)
    cdef const char *wrong
    view.data = copied
    if contradiction(view) == NULL:
        wrong = read_sound(view)
    else:
        sound[0] = False
        wrong = read_any(view)
    free(copied)
    return wrong


cdef inline uint64_t kind_of(const RtcpView *view) noexcept nogil:
    return 1 + view.packet_type + <uint64_t>view.count * 256 + <uint64_t>min(<int>view.size >> 2, 31) * 8192


cdef const char *contradiction(const RtcpView *view) noexcept nogil:
    # as `_rtcp_parse` asks, without the classes
    cdef TwccFeedback feedback
    if view.packet_type == RTCP_SR:
        return check_sender_report(view)
    if view.packet_type == RTCP_RR:
        return check_receiver_report(view)
    if view.packet_type == RTCP_SDES:
        return check_sdes(view)
    if view.packet_type == RTCP_BYE:
        return check_bye(view)
    if view.packet_type == RTCP_APP:
        return check_app(view)
    if view.packet_type == RTCP_XR:
        return check_xr(view)
    if view.packet_type == RTCP_RTPFB and view.count == 15:
        if twcc_check(view.data, view.size, &feedback) < 0:
            return "transport-wide feedback"
        return NULL
    if view.packet_type == RTCP_RTPFB:
        return (check_nack(view) if view.count == 1 else check_tmmbr(view) if view.count == 3
                else check_tmmbn(view) if view.count == 4 else check_ccfb(view) if view.count == 11 else NULL)
    if view.packet_type == RTCP_PSFB:
        return (check_pli(view) if view.count == 1 else check_sli(view) if view.count == 2
                else check_rpsi(view) if view.count == 3 else check_fir(view) if view.count == 4
                else check_remb(view) if view.count == 15 and is_remb(view) else NULL)
    return NULL


cdef const char *read_any(const RtcpView *view) noexcept nogil:
    # every reader over a packet that contradicts itself: no more than what is there
    cdef SenderInfo info
    cdef ReportBlock block
    cdef uint16_t seqs[64]
    cdef uint32_t first, second
    cdef uint64_t wide
    cdef uint8_t small
    cdef int i
    rtcp_read_sender_info(view, &info)
    for i in range(rtcp_report_count(view) + 1):
        if rtcp_read_report(view, i, &block) != 0 and i < rtcp_report_count(view):
            return "a report that is counted and not read"
    rtcp_feedback_ssrcs(view, &first, &second)
    if rtcp_read_nack(view, seqs, 64) > 64:
        return "more sequence numbers than there is room for"
    for i in range(4):
        rtcp_read_fir(view, i, &first, &small)
        rtcp_read_bye(view, i, &first)
    rtcp_read_remb(view, &wide)
    rtcp_read_rrtr(view, &wide)
    return NULL


cdef const char *read_sound(const RtcpView *view) noexcept nogil:
    if view.packet_type == RTCP_SR or view.packet_type == RTCP_RR:
        return reports(view)
    if view.packet_type == RTCP_RTPFB and view.count == 1:
        return nack(view)
    if view.packet_type == RTCP_PSFB and view.count == 15 and is_remb(view):
        return remb(view)
    if view.packet_type == RTCP_BYE:
        return bye(view)
    return read_any(view)


cdef const char *reports(const RtcpView *view) noexcept nogil:
    # the reports written again are those that came, to the byte
    cdef SenderInfo info
    cdef ReportBlock blocks[BLOCKS_MAX]
    cdef bint sender = view.packet_type == RTCP_SR
    cdef int room = HEADER_SIZE + (24 if sender else 4) + 24 * view.count
    cdef uint8_t *out
    cdef const char *wrong = NULL
    cdef int i, size
    if rtcp_report_count(view) != view.count:
        return "reports that are there and are not counted"
    for i in range(view.count):
        if rtcp_read_report(view, i, &blocks[i]) != 0:
            return "a report that is there and is not read"
    if sender and rtcp_read_sender_info(view, &info) != 0:
        return "a sender's information that is not read"
    out = <uint8_t *>malloc(room)
    if sender:
        size = rtcp_write_sr(out, room, &info, blocks, view.count)
    else:
        size = rtcp_write_rr(out, room, 0, blocks, view.count)
    i = HEADER_SIZE if sender else HEADER_SIZE + 4     # the reporter's own SSRC nobody reads
    if size != room or memcmp(out + i, view.data + i, size - i) != 0:
        wrong = "reports that are written otherwise than they came"
    free(out)
    return wrong


cdef const char *nack(const RtcpView *view) noexcept nogil:
    # the numbers written again are the same, though maybe in other pairs
    cdef uint16_t seqs[NUMBERS_MAX]
    cdef uint16_t again[NUMBERS_MAX]
    cdef uint8_t asked[8192]
    cdef RtcpView copied
    cdef RtcpReader reader
    cdef uint8_t *out
    cdef const char *wrong = NULL
    cdef int count = rtcp_read_nack(view, seqs, NUMBERS_MAX)
    cdef int room = FEEDBACK_SIZE + 4 * count
    cdef int i, size
    if count < 1 or count > NUMBERS_MAX:
        return "a NACK without numbers, or with more than there is room for"
    out = <uint8_t *>malloc(room)
    size = rtcp_write_nack(out, room, 1, 2, seqs, count)
    rtcp_reader_init(&reader, out, size)
    if size > room or rtcp_next(&reader, &copied) != 1 or rtcp_read_nack(&copied, again, NUMBERS_MAX) > count:
        wrong = "a NACK of our own that is none, or asks for more"
    else:
        memset(asked, 0, sizeof(asked))
        for i in range(rtcp_read_nack(&copied, again, NUMBERS_MAX)):
            asked[again[i] >> 3] |= <uint8_t>(1 << (again[i] & 7))
        for i in range(count):
            if not asked[seqs[i] >> 3] >> (seqs[i] & 7) & 1:
                wrong = "a number that is no longer asked for"
    free(out)
    return wrong


cdef const char *remb(const RtcpView *view) noexcept nogil:
    cdef RtcpView copied
    cdef RtcpReader reader
    cdef uint32_t ssrcs[255]
    cdef uint64_t bitrate_bps = 0
    cdef uint64_t again = 0
    cdef int room = FEEDBACK_SIZE + 8 + 4 * view.data[16]
    cdef int result = rtcp_read_remb(view, &bitrate_bps)
    cdef const char *wrong = NULL
    cdef uint8_t *out
    if result < 0:
        return NULL                # a bitrate beyond 64 bits, which only Python can hold
    memset(ssrcs, 0x5A, sizeof(ssrcs))
    out = <uint8_t *>malloc(room)
    rtcp_reader_init(&reader, out, rtcp_write_remb(out, room, 1, bitrate_bps, ssrcs, view.data[16]))
    if result != 1 or rtcp_next(&reader, &copied) != 1 or reader.position != room:
        wrong = "a REMB that is not read, or of our own that is none"
    elif rtcp_read_remb(&copied, &again) != 1 or again != bitrate_bps or check_remb(&copied) != NULL:
        wrong = "a bitrate that reads otherwise than it was written"
    free(out)
    return wrong


cdef const char *bye(const RtcpView *view) noexcept nogil:
    cdef uint32_t ssrcs[BLOCKS_MAX]
    cdef int room = HEADER_SIZE + 4 * view.count
    cdef const char *wrong = NULL
    cdef uint8_t *out
    cdef int i, size
    for i in range(view.count):
        if rtcp_read_bye(view, i, &ssrcs[i]) != 1:
            return "a source that leaves and is not read"
    if rtcp_read_bye(view, view.count, &ssrcs[0]) != 0:
        return "a source more than leaves"
    if view.count == 0:
        return NULL
    out = <uint8_t *>malloc(room)
    size = rtcp_write_bye(out, room, ssrcs, view.count)
    if size != room or memcmp(out + HEADER_SIZE, view.data + HEADER_SIZE, size - HEADER_SIZE) != 0:
        wrong = "sources that are written otherwise than they came"
    free(out)
    return wrong


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)
