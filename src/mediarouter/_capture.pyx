"""Find the UDP datagrams of a pcap or pcapng file that is in memory.

Theory of operation
A scanner stands somewhere in the file. It reads records (pcap) or blocks (pcapng) one after the other, peels the link
layer, VLAN tags, IP and UDP off each frame, and fills in a row for each datagram; what is no whole datagram is counted
by reason. Nothing is copied: a row tells where in the file the datagram's payload is. A file that ends in the middle of
a record is good up to there, as captures are that were cut off; a file whose structure contradicts itself is an error.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from mediarouter._rtp cimport read_u16, read_u32

import numpy

cdef extern from *:
    uint16_t swap_u16 "__builtin_bswap16"(uint16_t) noexcept nogil
    uint32_t swap_u32 "__builtin_bswap32"(uint32_t) noexcept nogil
    void prefetch "__builtin_prefetch"(const void *) noexcept nogil

cdef enum:
    ROWS_AT_FIRST = 65536
    AHEAD = 6                      # records that memory is fetched ahead, as if all were of one size
    SMALLEST_RECORD = 44           # a simple packet block around IPv4, UDP and nothing
    MAX_HEADERS = 8                # VLAN tags of a frame, extension headers of an IPv6 packet
    PCAP_HEADER_SIZE = 24
    RECORD_HEADER_SIZE = 16
    FRAGMENT_HEADER = 44
    UDP = 17

cdef enum Found:                   # what a frame was; the order of COUNTS
    FOUND_UDP = 0
    FOUND_NOT_IP = 1
    FOUND_NOT_UDP = 2
    FOUND_FRAGMENT = 3
    FOUND_TRUNCATED = 4
    FOUND_MALFORMED = 5
    FOUND_UNKNOWN_LINK = 6

cdef struct Frame:
    const uint8_t *data
    uint32_t size                  # bytes that were captured
    uint32_t wire_size
    int64_t time_us
    int link_type


# ---- files

cdef inline uint32_t get_u32(const Scanner *scanner, const uint8_t *at) noexcept nogil:
    cdef uint32_t value = read_u32(at)
    return swap_u32(value) if scanner.little_endian else value


cdef inline uint16_t get_u16(const Scanner *scanner, const uint8_t *at) noexcept nogil:
    cdef uint16_t value = read_u16(at)
    return swap_u16(value) if scanner.little_endian else value


cdef void scanner_begin(Scanner *scanner, const uint8_t *data, int64_t size) noexcept nogil:
    cdef uint32_t magic
    memset(scanner, 0, sizeof(Scanner))
    scanner.data = data
    scanner.size = size
    magic = read_u32(data) if size >= 4 else 0
    if magic == 0x0A0D0D0A:
        scanner.next_generation = True
        if size < 12:
            scanner.trouble = TROUBLE_MAGIC
        return
    if magic == 0xD4C3B2A1u or magic == 0x4D3CB2A1u:
        scanner.little_endian = True
        magic = swap_u32(magic)
    if size < PCAP_HEADER_SIZE or magic != 0xA1B2C3D4u and magic != 0xA1B23C4Du:
        scanner.trouble = TROUBLE_MAGIC
        return
    scanner.nanoseconds = magic == 0xA1B23C4Du
    scanner.interfaces[0].link_type = get_u32(scanner, data + 20) & 0xFFFF
    scanner.interface_count = 1
    scanner.at = PCAP_HEADER_SIZE


cdef bint next_record(Scanner *scanner, Frame *frame) noexcept nogil:
    # pcap; False at the end
    cdef const uint8_t *record = scanner.data + scanner.at
    cdef uint32_t fraction
    if scanner.at == scanner.size:
        return False
    if scanner.size - scanner.at < RECORD_HEADER_SIZE:
        scanner.cut_off = True
        return False
    frame.size = get_u32(scanner, record + 8)
    if frame.size > scanner.size - scanner.at - RECORD_HEADER_SIZE:
        scanner.cut_off = True
        return False
    fraction = get_u32(scanner, record + 4)
    if scanner.nanoseconds:
        fraction //= 1000
    frame.time_us = <int64_t>get_u32(scanner, record) * 1000000 + fraction
    frame.wire_size = get_u32(scanner, record + 12)
    frame.data = record + RECORD_HEADER_SIZE
    frame.link_type = scanner.interfaces[0].link_type
    scanner.at += RECORD_HEADER_SIZE + frame.size
    prefetch(record + AHEAD * (RECORD_HEADER_SIZE + <int64_t>frame.size))
    return True


cdef bint next_block(Scanner *scanner, Frame *frame) noexcept nogil:
    # pcapng: on to the next block with a packet; False at the end, or in trouble
    cdef const uint8_t *block
    cdef int64_t rest
    cdef uint32_t size, kind
    while scanner.at < scanner.size:
        block = scanner.data + scanner.at
        rest = scanner.size - scanner.at
        if rest < 12:
            scanner.cut_off = True
            return False
        if read_u32(block) == 0x0A0D0D0A and not begin_section(scanner, block):
            return False
        kind = get_u32(scanner, block)
        size = get_u32(scanner, block + 4)
        if size < 12 or size & 3:
            scanner.trouble = TROUBLE_BLOCK
            return False
        if size > rest:
            scanner.cut_off = True
            return False
        if get_u32(scanner, block + size - 4) != size:
            scanner.trouble = TROUBLE_BLOCK
            return False
        if kind == 1 and not add_interface(scanner, block, size):
            return False
        scanner.at += size
        prefetch(block + AHEAD * <int64_t>size)
        if kind == 2 or kind == 3 or kind == 6:
            if packet_of(scanner, block, size, kind, frame):
                return True
            scanner.counts[<int>FOUND_MALFORMED] += 1
    return False


cdef bint begin_section(Scanner *scanner, const uint8_t *block) noexcept nogil:
    cdef uint32_t order = read_u32(block + 8)
    if order != 0x1A2B3C4D and order != 0x4D3C2B1A:
        scanner.trouble = TROUBLE_BLOCK
        return False
    scanner.little_endian = order == 0x4D3C2B1A
    scanner.interface_count = 0
    return True


cdef bint add_interface(Scanner *scanner, const uint8_t *block, uint32_t size) noexcept nogil:
    cdef Interface *interface
    cdef uint32_t at = 16
    cdef uint32_t code, length
    cdef uint8_t resolution
    if size < 20:
        scanner.trouble = TROUBLE_BLOCK
        return False
    if scanner.interface_count == MAX_INTERFACES:
        scanner.trouble = TROUBLE_INTERFACES
        return False
    interface = &scanner.interfaces[scanner.interface_count]
    memset(interface, 0, sizeof(Interface))
    interface.link_type = get_u16(scanner, block + 8)
    interface.snap_length = get_u32(scanner, block + 12)
    interface.exponent = 6
    while at + 4 <= size - 4:
        code = get_u16(scanner, block + at)
        length = get_u16(scanner, block + at + 2)
        at += 4
        if code == 0 or at + length > size - 4:
            break
        if code == 9 and length == 1:                          # if_tsresol
            resolution = block[at]
            interface.binary = resolution >> 7
            interface.exponent = resolution & 0x7F
            if interface.exponent > (63 if interface.binary else 19):
                scanner.trouble = TROUBLE_RESOLUTION
                return False
        elif code == 14 and length == 8:                       # if_tsoffset
            interface.offset_s = <int64_t>get_u64(scanner, block + at)
        at += (length + 3) & ~<uint32_t>3
    scanner.interface_count += 1
    return True


cdef inline uint64_t get_u64(const Scanner *scanner, const uint8_t *at) noexcept nogil:
    cdef uint64_t first = get_u32(scanner, at)
    cdef uint64_t second = get_u32(scanner, at + 4)
    return (second << 32) | first if scanner.little_endian else (first << 32) | second


cdef bint packet_of(const Scanner *scanner, const uint8_t *block, uint32_t size, uint32_t kind,
                    Frame *frame) noexcept nogil:
    # the packet of a simple (3), an enhanced (6) or an obsolete (2) packet block
    cdef const Interface *interface
    cdef uint32_t number = 0
    cdef uint32_t head_size = 12 if kind == 3 else 28
    if size < head_size + 4:
        return False
    if kind != 3:
        number = get_u32(scanner, block + 8) if kind == 6 else get_u16(scanner, block + 8)
    if number >= <uint32_t>scanner.interface_count:
        return False
    interface = &scanner.interfaces[number]
    frame.data = block + head_size
    frame.link_type = interface.link_type
    if kind == 3:
        frame.wire_size = get_u32(scanner, block + 8)
        frame.size = min(frame.wire_size, size - 16)
        if interface.snap_length:
            frame.size = min(frame.size, interface.snap_length)
        frame.time_us = 0
        return True
    frame.size = get_u32(scanner, block + 20)
    frame.wire_size = get_u32(scanner, block + 24)
    frame.time_us = time_of(interface, (<uint64_t>get_u32(scanner, block + 12) << 32) | get_u32(scanner, block + 16))
    return frame.size <= size - 32


cdef int64_t time_of(const Interface *interface, uint64_t ticks) noexcept nogil:
    # microseconds; unsigned all the way, since a liar's times may come round
    cdef uint64_t time_us, fraction
    cdef int exponent = interface.exponent
    cdef int _
    if interface.binary:
        fraction = ticks & ((<uint64_t>1 << exponent) - 1)
        time_us = (ticks >> exponent) * 1000000
        if exponent > 40:
            fraction >>= exponent - 40
            exponent = 40
        time_us += (fraction * 1000000) >> exponent
    else:
        time_us = ticks
        for _ in range(exponent, 6):
            time_us *= 10
        for _ in range(6, exponent):
            time_us //= 10
    return <int64_t>(time_us + <uint64_t>interface.offset_s * 1000000)


# ---- frames

cdef Found peel(const Frame *frame, Row *row) noexcept nogil:
    # the row but for its time and offset; `row.size` bytes of the payload begin at frame.data + row.offset
    cdef int at = 0
    cdef int protocol = link_layer(frame, &at)
    if protocol < 0:
        return <Found>-protocol
    if protocol == 0:                                          # the packet itself must tell
        if at >= <int>min(frame.size, <uint32_t>0x7FFFFFFF):
            return lacking(frame)
        protocol = 0x86DD if frame.data[at] >> 4 == 6 else 0x0800
    if protocol == 0x0800:
        return ipv4(frame, at, row)
    return ipv6(frame, at, row) if protocol == 0x86DD else FOUND_NOT_IP


cdef inline Found lacking(const Frame *frame) noexcept nogil:
    return FOUND_TRUNCATED if frame.size < frame.wire_size else FOUND_MALFORMED


cdef int link_layer(const Frame *frame, int *at) noexcept nogil:
    # the EtherType of what begins at *at, 0 for IP of either version; or -Found
    cdef int link_type = frame.link_type
    cdef int head_size, protocol, _
    cdef uint32_t family
    if link_type == 12 or link_type == 14 or link_type == 101 or link_type == 228 or link_type == 229:
        return 0                                               # raw IP
    if link_type == 1:
        head_size = 14                                         # Ethernet
    elif link_type == 113:
        head_size = 16                                         # Linux cooked
    elif link_type == 276:
        head_size = 20                                         # its second version
    elif link_type == 0 or link_type == 108:
        head_size = 4                                          # BSD loopback, in the host's order or the network's
    else:
        return -<int>FOUND_UNKNOWN_LINK
    if frame.size < <uint32_t>head_size:
        return -<int>lacking(frame)
    at[0] = head_size
    if head_size == 4:
        family = read_u32(frame.data)
        if family > 0xFFFF:
            family = swap_u32(family)
        if family == 2:
            return 0x0800
        # every BSD has its own number for IPv6, and Linux another
        return 0x86DD if family == 10 or family == 24 or family == 28 or family == 30 else -<int>FOUND_NOT_IP
    protocol = read_u16(frame.data if link_type == 276 else frame.data + head_size - 2)
    for _ in range(MAX_HEADERS):
        if protocol != 0x8100 and protocol != 0x88A8 and protocol != 0x9100:
            break
        if frame.size < <uint32_t>at[0] + 4:
            return -<int>lacking(frame)
        protocol = read_u16(frame.data + at[0] + 2)
        at[0] += 4
    return protocol or -<int>FOUND_NOT_IP


cdef Found ipv4(const Frame *frame, int at, Row *row) noexcept nogil:
    cdef const uint8_t *packet = frame.data + at
    cdef int64_t size = <int64_t>frame.size - at
    cdef int64_t head_size, total
    if size < 20:
        return lacking(frame)
    head_size = 4 * (packet[0] & 0x0F)
    if packet[0] >> 4 != 4 or head_size < 20:
        return FOUND_MALFORMED
    if read_u16(packet + 6) & 0x3FFF:                          # more fragments, or not the first
        return FOUND_FRAGMENT
    if packet[9] != UDP:
        return FOUND_NOT_UDP
    total = read_u16(packet + 2)
    if total == 0:                                             # the network card was to fill it in
        total = <int64_t>frame.wire_size - at
    if total < head_size + 8:
        return FOUND_MALFORMED
    row.ip_version = 4
    memset(row.source, 0, 32)
    memcpy(row.source, packet + 12, 4)
    memcpy(row.destination, packet + 16, 4)
    return udp(frame, at + head_size, total - head_size, row)


cdef Found ipv6(const Frame *frame, int at, Row *row) noexcept nogil:
    cdef const uint8_t *packet = frame.data + at
    cdef int64_t size = <int64_t>frame.size - at
    cdef int64_t head_size = 40
    cdef int64_t total
    cdef int following, _
    if size < 40:
        return lacking(frame)
    if packet[0] >> 4 != 6:
        return FOUND_MALFORMED
    total = read_u16(packet + 4)
    total = total + 40 if total else <int64_t>frame.wire_size - at
    following = packet[6]
    for _ in range(MAX_HEADERS):
        if following != 0 and following != 43 and following != 60 and following != FRAGMENT_HEADER:
            break
        if size < head_size + 8:
            return lacking(frame)
        if following == FRAGMENT_HEADER:
            if read_u16(packet + head_size + 2) & 0xFFF9:      # an offset, or more to come
                return FOUND_FRAGMENT
            following = packet[head_size]
            head_size += 8
        else:
            following = packet[head_size]
            head_size += 8 * (packet[head_size + 1] + 1)
    if following != UDP:
        return FOUND_NOT_UDP
    if total < head_size + 8:
        return FOUND_MALFORMED
    row.ip_version = 6
    memcpy(row.source, packet + 8, 16)
    memcpy(row.destination, packet + 24, 16)
    return udp(frame, at + head_size, total - head_size, row)


cdef Found udp(const Frame *frame, int64_t at, int64_t room, Row *row) noexcept nogil:
    # `room`: bytes of the IP packet from `at` on, at least 8
    cdef const uint8_t *head
    cdef int64_t size
    if <int64_t>frame.size - at < 8:
        return lacking(frame)
    head = frame.data + at
    size = read_u16(head + 4) or room
    if size < 8 or size > room:
        return FOUND_MALFORMED
    if at + size > frame.size:
        return lacking(frame)
    row.source_port = read_u16(head)
    row.destination_port = read_u16(head + 2)
    row.offset = <uint64_t>(at + 8)
    row.size = <uint32_t>(size - 8)
    return FOUND_UDP


cdef int64_t scan(Scanner *scanner, Row *rows, int64_t capacity) noexcept nogil:
    cdef Frame frame
    cdef Row *row
    cdef Found found
    cdef int64_t count = 0
    while count < capacity:
        if not (next_block(scanner, &frame) if scanner.next_generation else next_record(scanner, &frame)):
            break
        row = &rows[count]
        found = peel(&frame, row)
        scanner.counts[<int>found] += 1
        if found == FOUND_UDP:
            row.time_us = frame.time_us
            row.offset += <uint64_t>(frame.data - scanner.data)
            count += 1
    return count


# ---- the Python face

COUNTS = ("datagrams", "not_ip", "not_udp", "fragments", "truncated", "malformed", "unknown_link")
DATAGRAM_DTYPE = numpy.dtype({
    "names": ["time_us", "offset", "size", "source_port", "destination_port", "source", "destination", "ip_version"],
    "formats": ["i8", "u8", "u4", "u2", "u2", ("u1", 16), ("u1", 16), "u1"],
    "offsets": [0, 8, 16, 20, 22, 24, 40, 56],
    "itemsize": sizeof(Row),
})


def datagrams(buffer, /):
    """The UDP datagrams in a capture file's bytes.

    Returns:
        (array of DATAGRAM_DTYPE, {name of COUNTS: how many frames}, whether the file ends in the middle of a record).

    Raises:
        ValueError: it is no capture, or contradicts itself.
    """
    cdef Py_buffer memory
    cdef Scanner scanner
    cdef int64_t filled = 0
    cdef int i
    PyObject_GetBuffer(buffer, &memory, PyBUF_SIMPLE)
    try:
        rows = numpy.zeros(min(<int64_t>ROWS_AT_FIRST, memory.len // SMALLEST_RECORD + 1), DATAGRAM_DTYPE)
        scanner_begin(&scanner, <const uint8_t *>memory.buf, memory.len)
        while not scanner.trouble:
            filled += fill(&scanner, rows, filled)
            if filled < len(rows):
                break
            rows = larger(rows, &scanner)
    finally:
        PyBuffer_Release(&memory)
    if scanner.trouble:
        raise ValueError(reason_of(&scanner))
    counts = {name: scanner.counts[i] for i, name in enumerate(COUNTS)}
    found = rows[:filled]
    return found if 2 * filled > len(rows) else found.copy(), counts, bool(scanner.cut_off)


cdef int64_t fill(Scanner *scanner, object rows, int64_t start) except -1:
    cdef uint8_t[::1] room = rows.view(numpy.uint8)
    cdef int64_t capacity = len(rows)
    cdef int64_t filled
    with nogil:
        filled = scan(scanner, <Row *>&room[0] + start, capacity - start)
    return filled


cdef object larger(object rows, const Scanner *scanner):
    # The same rows, and room for as many as the rest of the file lets expect, 2 to 8 times as many. It is the kernel's
    # zeros: what stays empty takes no memory.
    cdef int64_t have = len(rows)
    cdef double expected = 1.05 * have * <double>scanner.size / <double>scanner.at
    made = numpy.zeros(<int64_t>min(max(expected, 2.0 * have), 8.0 * have), DATAGRAM_DTYPE)
    made.view(numpy.uint8)[:have * <int64_t>sizeof(Row)] = rows.view(numpy.uint8)
    return made


cdef str reason_of(const Scanner *scanner):
    if scanner.trouble == TROUBLE_MAGIC:
        return "neither a pcap nor a pcapng file"
    if scanner.trouble == TROUBLE_RESOLUTION:
        return f"pcapng block at byte {scanner.at}: a resolution of time that nobody has"
    if scanner.trouble == TROUBLE_INTERFACES:
        return f"pcapng block at byte {scanner.at}: more than {<int>MAX_INTERFACES} interfaces"
    return f"pcapng block at byte {scanner.at} contradicts itself"
