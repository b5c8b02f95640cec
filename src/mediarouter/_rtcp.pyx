"""RTCP in C: a bounds-checked walk over compound datagrams, readers of what the engine acts on, writers of what it
sends.

`mediarouter.rtcp` has every packet type as a Python value; here is only what runs without the GIL.
"""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from mediarouter._drop cimport DROP_RTCP_LENGTH, DROP_RTCP_SHORT, DROP_RTCP_VERSION
from mediarouter._rtp cimport read_u16, read_u24, read_u32, write_u16, write_u24, write_u32

cdef enum:
    HEADER_SIZE = 4
    FEEDBACK_SIZE = 12             # header and both SSRCs
    BLOCK_SIZE = 24
    SENDER_INFO_SIZE = 24          # SSRC included
    BLOCKS_MAX = 31
    XR_RRTR = 4
    XR_DLRR = 5


cdef int rtcp_next(RtcpReader *reader, RtcpView *view) noexcept nogil:
    cdef const uint8_t *data = reader.data + reader.position
    cdef int left = reader.size - reader.position
    cdef int size, padding
    if left == 0:
        return 0
    if left < HEADER_SIZE:
        return DROP_RTCP_SHORT
    if data[0] >> 6 != 2:
        return DROP_RTCP_VERSION
    size = (read_u16(data + 2) + 1) * 4
    if size > left:
        return DROP_RTCP_LENGTH
    view.data = data
    view.packet_type = data[1]
    view.count = data[0] & 0x1F
    view.size = <uint16_t>size
    if data[0] & 0x20:
        # Only the last packet of a compound should be padded, by a multiple of four (RFC 3550 6.4.1). What browsers
        # send is transport-wide feedback padded by 1 to 3 bytes, several packets of it in one compound.
        padding = data[size - 1]
        if padding == 0 or padding > size - HEADER_SIZE:
            return DROP_RTCP_LENGTH
        view.size = <uint16_t>(size - padding)
    reader.position += size
    return 1


cdef int rtcp_read_sender_info(const RtcpView *view, SenderInfo *info) noexcept nogil:
    if view.size < HEADER_SIZE + SENDER_INFO_SIZE:
        return DROP_RTCP_LENGTH
    info.ssrc = read_u32(view.data + 4)
    info.ntp = (<uint64_t>read_u32(view.data + 8) << 32) | read_u32(view.data + 12)
    info.rtp_timestamp = read_u32(view.data + 16)
    info.packets = read_u32(view.data + 20)
    info.octets = read_u32(view.data + 24)
    return 0


cdef inline int blocks_offset(const RtcpView *view) noexcept nogil:
    return HEADER_SIZE + SENDER_INFO_SIZE if view.packet_type == RTCP_SR else HEADER_SIZE + 4


cdef int rtcp_report_count(const RtcpView *view) noexcept nogil:
    cdef int room = (view.size - blocks_offset(view)) // BLOCK_SIZE
    if room < 0:
        return 0
    return view.count if view.count < room else room


cdef int rtcp_read_report(const RtcpView *view, int index, ReportBlock *block) noexcept nogil:
    cdef int at = blocks_offset(view) + index * BLOCK_SIZE
    cdef const uint8_t *data = view.data + at
    if index < 0 or at + BLOCK_SIZE > view.size:
        return DROP_RTCP_LENGTH
    block.ssrc = read_u32(data)
    block.fraction_lost = data[4]
    block.cumulative_lost = <int32_t>(read_u24(data + 5) << 8) >> 8
    block.highest_seq = read_u32(data + 8)
    block.jitter = read_u32(data + 12)
    block.last_sr = read_u32(data + 16)
    block.delay_since_last_sr = read_u32(data + 20)
    return 0


cdef int rtcp_feedback_ssrcs(const RtcpView *view, uint32_t *sender, uint32_t *media) noexcept nogil:
    if view.size < FEEDBACK_SIZE:
        return DROP_RTCP_LENGTH
    sender[0] = read_u32(view.data + 4)
    media[0] = read_u32(view.data + 8)
    return 0


cdef int rtcp_read_nack(const RtcpView *view, uint16_t *seqs, int capacity) noexcept nogil:
    cdef int at = FEEDBACK_SIZE
    cdef int count = 0
    cdef int bit
    cdef uint16_t first, mask
    if view.size < FEEDBACK_SIZE + 4:
        return DROP_RTCP_LENGTH
    while at + 4 <= view.size:
        first = read_u16(view.data + at)
        mask = read_u16(view.data + at + 2)
        at += 4
        if count == capacity:
            return count
        seqs[count] = first
        count += 1
        for bit in range(16):
            if mask & (1 << bit) and count < capacity:
                seqs[count] = <uint16_t>(first + bit + 1)
                count += 1
    return count


cdef int rtcp_read_fir(const RtcpView *view, int index, uint32_t *ssrc, uint8_t *command_seq) noexcept nogil:
    cdef int at = FEEDBACK_SIZE + 8 * index
    if view.size < FEEDBACK_SIZE + 8:
        return DROP_RTCP_LENGTH
    if index < 0 or at + 8 > view.size:
        return 0
    ssrc[0] = read_u32(view.data + at)
    command_seq[0] = view.data[at + 4]
    return 1


cdef int rtcp_read_bye(const RtcpView *view, int index, uint32_t *ssrc) noexcept nogil:
    cdef int at = HEADER_SIZE + 4 * index
    if index < 0 or index >= view.count:
        return 0
    if at + 4 > view.size:
        return DROP_RTCP_LENGTH
    ssrc[0] = read_u32(view.data + at)
    return 1


cdef int rtcp_read_remb(const RtcpView *view, uint64_t *bitrate_bps) noexcept nogil:
    # "REMB", number of SSRCs, then 6 bits of exponent and 18 of mantissa (draft-alvestrand-rmcat-remb-03 2.2)
    cdef uint32_t packed
    cdef int exponent
    cdef uint64_t mantissa
    if view.size < FEEDBACK_SIZE + 8 or read_u32(view.data + 12) != <uint32_t>0x52454D42:
        return 0
    if view.size < FEEDBACK_SIZE + 8 + 4 * view.data[16]:
        return DROP_RTCP_LENGTH
    packed = read_u24(view.data + 17)
    exponent = <int>(packed >> 18)
    mantissa = packed & 0x3FFFF
    if exponent > 46 and mantissa >> (64 - exponent if exponent < 64 else 0):
        return DROP_RTCP_LENGTH
    bitrate_bps[0] = mantissa << exponent
    return 1


cdef int rtcp_read_rrtr(const RtcpView *view, uint64_t *ntp) noexcept nogil:
    cdef int at = HEADER_SIZE + 4
    cdef int length
    while at + 4 <= view.size:
        length = (read_u16(view.data + at + 2) + 1) * 4
        if at + length > view.size:
            return DROP_RTCP_LENGTH
        if view.data[at] == XR_RRTR and length == 12:
            ntp[0] = (<uint64_t>read_u32(view.data + at + 4) << 32) | read_u32(view.data + at + 8)
            return 1
        at += length
    return 0


# ---- writers

cdef inline int write_header(uint8_t *out, int count, int packet_type, int size) noexcept nogil:
    out[0] = <uint8_t>(0x80 | count)
    out[1] = <uint8_t>packet_type
    write_u16(out + 2, <uint16_t>(size // 4 - 1))
    return size


cdef inline int write_feedback(uint8_t *out, int format, int packet_type, uint32_t sender_ssrc, uint32_t media_ssrc,
                               int size) noexcept nogil:
    write_u32(out + 4, sender_ssrc)
    write_u32(out + 8, media_ssrc)
    return write_header(out, format, packet_type, size)


cdef void write_blocks(uint8_t *out, const ReportBlock *blocks, int count) noexcept nogil:
    cdef int i
    cdef const ReportBlock *block
    for i in range(count):
        block = &blocks[i]
        write_u32(out, block.ssrc)
        out[4] = block.fraction_lost
        write_u24(out + 5, <uint32_t>block.cumulative_lost)
        write_u32(out + 8, block.highest_seq)
        write_u32(out + 12, block.jitter)
        write_u32(out + 16, block.last_sr)
        write_u32(out + 20, block.delay_since_last_sr)
        out += BLOCK_SIZE


cdef int rtcp_write_sr(uint8_t *out, int capacity, const SenderInfo *info,
                       const ReportBlock *blocks, int count) noexcept nogil:
    cdef int size = HEADER_SIZE + SENDER_INFO_SIZE + BLOCK_SIZE * count
    if size > capacity or not 0 <= count <= BLOCKS_MAX:
        return 0
    write_u32(out + 4, info.ssrc)
    write_u32(out + 8, <uint32_t>(info.ntp >> 32))
    write_u32(out + 12, <uint32_t>info.ntp)
    write_u32(out + 16, info.rtp_timestamp)
    write_u32(out + 20, info.packets)
    write_u32(out + 24, info.octets)
    write_blocks(out + HEADER_SIZE + SENDER_INFO_SIZE, blocks, count)
    return write_header(out, count, RTCP_SR, size)


cdef int rtcp_write_rr(uint8_t *out, int capacity, uint32_t ssrc,
                       const ReportBlock *blocks, int count) noexcept nogil:
    cdef int size = HEADER_SIZE + 4 + BLOCK_SIZE * count
    if size > capacity or not 0 <= count <= BLOCKS_MAX:
        return 0
    write_u32(out + 4, ssrc)
    write_blocks(out + HEADER_SIZE + 4, blocks, count)
    return write_header(out, count, RTCP_RR, size)


cdef int rtcp_write_sdes_cname(uint8_t *out, int capacity, uint32_t ssrc,
                               const char *cname, int cname_size) noexcept nogil:
    # one chunk: SSRC, item 1, its text, one to four zero bytes to the next word (RFC 3550 6.5)
    cdef int size = (HEADER_SIZE + 4 + 2 + cname_size + 4) & ~3
    if size > capacity or not 0 <= cname_size <= 255:
        return 0
    memset(out, 0, size)
    write_u32(out + 4, ssrc)
    out[8] = 1
    out[9] = <uint8_t>cname_size
    memcpy(out + 10, cname, cname_size)
    return write_header(out, 1, RTCP_SDES, size)


cdef int rtcp_write_bye(uint8_t *out, int capacity, const uint32_t *ssrcs, int count) noexcept nogil:
    cdef int size = HEADER_SIZE + 4 * count
    cdef int i
    if size > capacity or not 0 < count <= BLOCKS_MAX:
        return 0
    for i in range(count):
        write_u32(out + HEADER_SIZE + 4 * i, ssrcs[i])
    return write_header(out, count, RTCP_BYE, size)


cdef int rtcp_write_nack(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t media_ssrc,
                         const uint16_t *seqs, int count) noexcept nogil:
    cdef int size = FEEDBACK_SIZE
    cdef int i = 0
    cdef uint16_t first, mask, distance
    while i < count and size + 4 <= capacity:
        first = seqs[i]
        mask = 0
        i += 1
        while i < count:
            distance = <uint16_t>(seqs[i] - first)
            if distance == 0 or distance > 16:
                break
            mask |= <uint16_t>(1 << (distance - 1))
            i += 1
        write_u16(out + size, first)
        write_u16(out + size + 2, mask)
        size += 4
    if size == FEEDBACK_SIZE:
        return 0
    return write_feedback(out, 1, RTCP_RTPFB, sender_ssrc, media_ssrc, size)


cdef int rtcp_write_pli(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t media_ssrc) noexcept nogil:
    if capacity < FEEDBACK_SIZE:
        return 0
    return write_feedback(out, 1, RTCP_PSFB, sender_ssrc, media_ssrc, FEEDBACK_SIZE)


cdef int rtcp_write_fir(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t media_ssrc,
                        uint8_t command_seq) noexcept nogil:
    # the media source field is 0; the entry names who is meant (RFC 5104 4.3.1.2)
    if capacity < FEEDBACK_SIZE + 8:
        return 0
    write_u32(out + 12, media_ssrc)
    write_u32(out + 16, <uint32_t>command_seq << 24)
    return write_feedback(out, 4, RTCP_PSFB, sender_ssrc, 0, FEEDBACK_SIZE + 8)


cdef int rtcp_write_remb(uint8_t *out, int capacity, uint32_t sender_ssrc, uint64_t bitrate_bps,
                         const uint32_t *ssrcs, int count) noexcept nogil:
    cdef int size = FEEDBACK_SIZE + 8 + 4 * count
    cdef uint32_t exponent = 0
    cdef int i
    if size > capacity or not 0 <= count <= 255:
        return 0
    while bitrate_bps >> exponent > 0x3FFFF:
        exponent += 1
    write_u32(out + 12, <uint32_t>0x52454D42)
    out[16] = <uint8_t>count
    write_u24(out + 17, (exponent << 18) | <uint32_t>(bitrate_bps >> exponent))
    for i in range(count):
        write_u32(out + 20 + 4 * i, ssrcs[i])
    return write_feedback(out, 15, RTCP_PSFB, sender_ssrc, 0, size)


cdef int rtcp_write_tmmbr(uint8_t *out, int capacity, uint32_t sender_ssrc, const uint32_t *ssrcs,
                          const uint64_t *rates_bps, uint32_t overhead_bytes, int count) noexcept nogil:
    # six bits of exponent, 17 of mantissa, 9 of what each packet carries besides
    cdef int size = FEEDBACK_SIZE + 8 * count
    cdef uint32_t exponent
    cdef int i
    if size > capacity or count <= 0:
        return 0
    for i in range(count):
        exponent = 0
        while rates_bps[i] >> exponent > 0x1FFFF:
            exponent += 1
        write_u32(out + FEEDBACK_SIZE + 8 * i, ssrcs[i])
        write_u32(out + FEEDBACK_SIZE + 8 * i + 4,
                  (exponent << 26) | (<uint32_t>(rates_bps[i] >> exponent) << 9) | (overhead_bytes & 0x1FF))
    return write_feedback(out, 3, RTCP_RTPFB, sender_ssrc, 0, size)


cdef int rtcp_write_dlrr(uint8_t *out, int capacity, uint32_t sender_ssrc, uint32_t receiver_ssrc,
                         uint32_t last_rr, uint32_t delay_since_last_rr) noexcept nogil:
    if capacity < HEADER_SIZE + 4 + 16:
        return 0
    write_u32(out + 4, sender_ssrc)
    out[8] = XR_DLRR
    out[9] = 0
    write_u16(out + 10, 3)
    write_u32(out + 12, receiver_ssrc)
    write_u32(out + 16, last_rr)
    write_u32(out + 20, delay_since_last_rr)
    return write_header(out, 0, RTCP_XR, HEADER_SIZE + 4 + 16)


# ---- the Python face, for tests

def walk(bytes data):
    """The packets of a compound, as (packet type, count, bytes without padding), and the Drop code that ended it."""
    cdef RtcpReader reader
    cdef RtcpView view
    cdef list found = []
    cdef int result
    rtcp_reader_init(&reader, <const uint8_t *><const char *>data, <int>len(data))
    while True:
        result = rtcp_next(&reader, &view)
        if result <= 0:
            return found, result
        found.append((view.packet_type, view.count, (<const char *>view.data)[:view.size]))


cdef int first_view(bytes data, RtcpView *view) except -1:
    cdef RtcpReader reader
    rtcp_reader_init(&reader, <const uint8_t *><const char *>data, <int>len(data))
    if rtcp_next(&reader, view) != 1:
        raise ValueError("not RTCP")
    return 0


def read(bytes data):
    """What the engine reads of the first packet: a dict of all readers that apply; negative values are Drop codes.

    Raises:
        ValueError: there is no packet.
    """
    cdef RtcpView view
    cdef SenderInfo info
    cdef ReportBlock block
    cdef uint16_t seqs[1024]
    cdef uint32_t first = 0
    cdef uint32_t second = 0
    cdef uint64_t wide = 0
    cdef uint8_t small = 0
    cdef int result, index
    first_view(data, &view)
    values = {"packet_type": view.packet_type, "count": view.count}
    if view.packet_type == RTCP_SR:
        result = rtcp_read_sender_info(&view, &info)
        values["sender_info"] = <object>result if result < 0 else <object>info
    if view.packet_type in (RTCP_SR, RTCP_RR):
        values["reports"] = []
        for index in range(rtcp_report_count(&view)):
            result = rtcp_read_report(&view, index, &block)
            values["reports"].append(<object>result if result < 0 else <object>block)
    elif view.packet_type == RTCP_BYE:
        values["bye"] = [first for index in range(view.count) if rtcp_read_bye(&view, index, &first) == 1]
    elif view.packet_type == RTCP_XR:
        result = rtcp_read_rrtr(&view, &wide)
        values["rrtr"] = wide if result == 1 else result
    elif view.packet_type in (RTCP_RTPFB, RTCP_PSFB):
        result = rtcp_feedback_ssrcs(&view, &first, &second)
        values["ssrcs"] = <object>result if result < 0 else <object>(first, second)
        if view.packet_type == RTCP_RTPFB and view.count == 1:
            result = rtcp_read_nack(&view, seqs, 1024)
            values["nack"] = result if result < 0 else [seqs[index] for index in range(result)]
        elif view.packet_type == RTCP_PSFB and view.count == 4:
            values["fir"] = [(first, small) for index in range(64)
                             if rtcp_read_fir(&view, index, &first, &small) == 1]
        elif view.packet_type == RTCP_PSFB and view.count == 15:
            result = rtcp_read_remb(&view, &wide)
            values["remb"] = wide if result == 1 else result
    return values


def write(str what, **fields):
    """The bytes of one packet by its writer: "sr", "rr", "sdes", "bye", "nack", "pli", "fir", "remb", "tmmbr" or
    "dlrr"."""
    cdef uint8_t out[1500]
    cdef ReportBlock blocks[31]
    cdef SenderInfo info
    cdef uint16_t seqs[1024]
    cdef uint32_t ssrcs[255]
    cdef uint64_t rates_bps[255]
    cdef bytes cname
    cdef int i
    cdef int size = 0
    cdef int count = 0
    cdef uint32_t sender = fields.get("sender_ssrc", 0)
    cdef uint32_t media = fields.get("media_ssrc", 0)
    for block in fields.get("blocks", ()):
        blocks[count] = block
        count += 1
    if what == "sr":
        info = fields["info"]
        size = rtcp_write_sr(out, sizeof(out), &info, blocks, count)
    elif what == "rr":
        size = rtcp_write_rr(out, sizeof(out), sender, blocks, count)
    elif what == "sdes":
        cname = fields["cname"]
        size = rtcp_write_sdes_cname(out, sizeof(out), sender, cname, <int>len(cname))
    elif what == "nack":
        for i, seq in enumerate(fields["seqs"]):
            seqs[i] = <uint16_t>seq
        size = rtcp_write_nack(out, sizeof(out), sender, media, seqs, <int>len(fields["seqs"]))
    elif what == "pli":
        size = rtcp_write_pli(out, sizeof(out), sender, media)
    elif what == "fir":
        size = rtcp_write_fir(out, sizeof(out), sender, media, fields["command_seq"])
    elif what == "dlrr":
        size = rtcp_write_dlrr(out, sizeof(out), sender, media, fields["last_rr"], fields["delay_since_last_rr"])
    else:
        for i, ssrc in enumerate(fields["ssrcs"]):
            ssrcs[i] = ssrc
        if what == "bye":
            size = rtcp_write_bye(out, sizeof(out), ssrcs, <int>len(fields["ssrcs"]))
        elif what == "remb":
            size = rtcp_write_remb(out, sizeof(out), sender, fields["bitrate_bps"], ssrcs, <int>len(fields["ssrcs"]))
        elif what == "tmmbr":
            for i, rate_bps in enumerate(fields["rates_bps"]):
                rates_bps[i] = rate_bps
            size = rtcp_write_tmmbr(out, sizeof(out), sender, ssrcs, rates_bps, fields["overhead"],
                                    <int>len(fields["ssrcs"]))
    return (<char *>out)[:size]
