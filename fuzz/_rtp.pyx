"""RTP packets in C: parsed, walked, rewritten in place, written anew."""

from fuzz._dice cimport Dice, below, roll
from fuzz._loop cimport Tally, exact, loop_of, ran
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset
from mediarouter._drop cimport DROP_RTP_PADDING, DROP_RTP_SHORT
from mediarouter._rtp cimport (
    PACKET_RTCP,
    PACKET_RTP,
    ExtensionElement,
    ExtensionWriter,
    RtpView,
    extension_writer_add,
    extension_writer_finish,
    extension_writer_init,
    packet_kind,
    read_u16,
    rtp_extension,
    rtp_next_extension,
    rtp_parse,
    rtp_renumber_extensions,
    rtp_set_marker,
    rtp_set_payload_type,
    rtp_set_seq,
    rtp_set_ssrc,
    rtp_set_timestamp,
    rtp_write_header,
    write_u16,
)

cdef enum:
    HEADER_SIZE = 12
    BLOCK_HEADER_SIZE = 4
    ONE_BYTE = 0xBEDE


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # version 2; an extension block and padding that fit, mostly
    cdef int at
    if size < HEADER_SIZE or below(dice, 16) == 0:
        return size
    data[0] = 0x80 | (data[0] & 0x3F)
    at = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if below(dice, 8) == 0:
        return size
    if data[0] & 0x10:
        if at + BLOCK_HEADER_SIZE > size:
            data[0] ^= 0x10
        elif at + BLOCK_HEADER_SIZE + 4 * read_u16(data + at + 2) > size:
            write_u16(data + at + 2, <uint16_t>below(dice, (size - at) // 4))
        if roll(dice) & 1 and at + BLOCK_HEADER_SIZE <= size:
            write_u16(data + at, ONE_BYTE if roll(dice) & 1 else <uint16_t>(0x1000 | below(dice, 16)))
    if data[0] & 0x20 and size > HEADER_SIZE and (data[size - 1] == 0 or data[size - 1] > size - HEADER_SIZE):
        data[size - 1] = <uint8_t>(1 + below(dice, 8))
    return size


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef RtpView view
    cdef int result
    cdef const char *wrong
    memset(&view, 0xA5, sizeof(view))
    result = rtp_parse(&view, data, size)
    ran(tally, data, size, result == 0, shape_of(&view) if result == 0 else 0)
    if result != 0:
        return refusal(result)
    if packet_kind(data, size) != PACKET_RTP and packet_kind(data, size) != PACKET_RTCP:
        return "an RTP packet that a port would not take for one"
    if view.size != size or view.payload_offset + view.payload_size + view.padding_size != size:
        return "parts that do not add up to the packet"
    if view.payload_offset < HEADER_SIZE + 4 * view.csrc_count:
        return "a payload inside of the header"
    wrong = elements_are_sound(&view)
    if wrong == NULL:
        wrong = written_anew(&view)
    if wrong == NULL:
        wrong = rewritten(&view, data, size)
    return wrong


cdef const char *refusal(int result) noexcept nogil:
    if not DROP_RTP_PADDING <= result <= DROP_RTP_SHORT:
        return "a refusal that is none of RTP's"
    return NULL


cdef inline uint64_t shape_of(const RtpView *view) noexcept nogil:
    cdef uint64_t profile = 0
    if view.extension_offset:
        profile = 1 if view.extension_profile == ONE_BYTE else 2 if view.extension_profile & 0xFFF0 == 0x1000 else 3
    return (view.csrc_count | profile << 4 | <uint64_t>view.located << 8 | <uint64_t>(view.padding_size != 0) << 24
            | <uint64_t>(view.payload_size != 0) << 25 | <uint64_t>min(<int>view.extension_size >> 2, 15) << 26)


cdef const char *elements_are_sound(const RtpView *view) noexcept nogil:
    # the walk, the table of the parser and the look-up agree
    cdef ExtensionElement element
    cdef const uint8_t *value
    cdef uint8_t met[256]
    cdef unsigned int located = 0
    cdef int end = view.extension_offset + view.extension_size
    cdef int size, i, before = view.extension_offset
    memset(met, 0, sizeof(met))
    element.next_offset = 0
    while rtp_next_extension(view, &element):
        if not (before <= element.offset < element.next_offset <= end) or not 1 <= element.element_id <= 255:
            return "an element outside of its block"
        if element.value < view.data + element.offset or element.value + element.size > view.data + end:
            return "a value outside of its element"
        before = element.next_offset
        if met[element.element_id]:
            continue
        met[element.element_id] = 1
        value = rtp_extension(view, element.element_id, &size)
        if value != element.value or size != element.size:
            return "a look-up that finds another element than the walk"
        if element.element_id < 15:
            located |= 1u << element.element_id
            if (view.element_offset[element.element_id] != element.value - view.data
                    or view.element_size[element.element_id] != element.size):
                return "an element that the parser has elsewhere"
    if located != view.located:
        return "elements that the parser alone has, or has not"
    for i in range(0, 256, 15):
        if not met[i] and rtp_extension(view, i, &size) != NULL:
            return "a look-up of what is not there"
    return NULL


cdef const char *written_anew(const RtpView *view) noexcept nogil:
    # the same elements through the writer, in exactly the room it may need, and in less
    cdef ExtensionElement element
    cdef bint two_byte = view.extension_profile != ONE_BYTE
    cdef int room = HEADER_SIZE + BLOCK_HEADER_SIZE + 3
    cdef const char *wrong
    element.next_offset = 0
    while rtp_next_extension(view, &element):
        room += 1 + two_byte + element.size
    wrong = written(view, two_byte, room, True)
    if wrong == NULL:
        wrong = written(view, two_byte, max(room - 1 - view.seq % 40, HEADER_SIZE + BLOCK_HEADER_SIZE), False)
    return wrong


cdef const char *written(const RtpView *view, bint two_byte, int room, bint suffices) noexcept nogil:
    cdef ExtensionWriter writer
    cdef ExtensionElement element
    cdef ExtensionElement again
    cdef RtpView copied
    cdef uint8_t *packet = <uint8_t *>malloc(room)
    cdef const char *wrong = NULL
    cdef bint added = True
    cdef int size = rtp_write_header(packet, room, view.marker, view.payload_type, view.seq, view.timestamp, view.ssrc)
    element.next_offset = again.next_offset = 0
    extension_writer_init(&writer, packet, room, two_byte)
    while added and rtp_next_extension(view, &element):
        added = extension_writer_add(&writer, element.element_id, element.value, element.size)
    size += extension_writer_finish(&writer)
    if added != suffices and suffices:
        wrong = "an element refused where there is room"
    elif size > room or rtp_parse(&copied, packet, size) != 0 or copied.payload_size != 0:
        wrong = "a packet of our own that is none"
    elif (copied.ssrc != view.ssrc or copied.seq != view.seq or copied.timestamp != view.timestamp
          or copied.marker != view.marker or copied.payload_type != view.payload_type):
        wrong = "a header that reads otherwise than it was written"
    element.next_offset = 0
    while wrong == NULL and rtp_next_extension(&copied, &again):
        if not (rtp_next_extension(view, &element) and again.element_id == element.element_id
                and again.size == element.size and memcmp(again.value, element.value, element.size) == 0):
            wrong = "an element that reads otherwise than it was written"
    if wrong == NULL and suffices and rtp_next_extension(view, &element):
        wrong = "an element that was written and is not there"
    free(packet)
    return wrong


cdef const char *rewritten(RtpView *view, uint8_t *data, int size) noexcept nogil:
    # every bit of the fixed header from the marker on turned, then every id of an element moved
    cdef RtpView before = view[0]
    cdef uint8_t *original = exact(data, size)
    cdef const char *wrong = NULL
    cdef int i
    rtp_set_marker(view, not before.marker)
    rtp_set_payload_type(view, before.payload_type ^ 0x7F)
    rtp_set_seq(view, before.seq ^ 0xFFFF)
    rtp_set_timestamp(view, before.timestamp ^ <uint32_t>0xFFFFFFFF)
    rtp_set_ssrc(view, before.ssrc ^ <uint32_t>0xFFFFFFFF)
    for i in range(1, HEADER_SIZE):
        original[i] ^= 0xFF
    if memcmp(data, original, size) != 0:
        wrong = "a setter that wrote elsewhere"
    if wrong == NULL:
        wrong = renumbered(view, &before, data, size)
    if memcmp(data + before.payload_offset, original + before.payload_offset, size - before.payload_offset) != 0:
        wrong = "a payload that was written into"
    free(original)
    return wrong


cdef const char *renumbered(RtpView *view, const RtpView *before, uint8_t *data, int size) noexcept nogil:
    cdef RtpView again
    cdef uint8_t new_ids[256]
    cdef int i
    cdef int highest = 14 if view.extension_profile == ONE_BYTE else 255
    for i in range(256):
        new_ids[i] = <uint8_t>(highest + 1 - i) if i <= highest and i % 3 else 0
    if not rtp_renumber_extensions(view, new_ids):
        return "ids that fit were refused"
    if rtp_parse(&again, data, size) != 0:
        return "a packet with other ids that is none"
    if again.located != view.located or again.payload_offset != before.payload_offset:
        return "a packet with other ids that reads otherwise"
    for i in range(1, 15):
        if again.located >> i & 1 and (again.element_offset[i] != view.element_offset[i]
                                       or again.element_size[i] != view.element_size[i]):
            return "an element with another id that is elsewhere"
        if again.located >> i & 1 and highest == 14 and not (before.located >> (15 - i) & 1 and (15 - i) % 3):
            return "an element that was taken out, or never there"
    return NULL


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)
