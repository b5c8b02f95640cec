"""Capture files in C: every record of a damaged pcap or pcapng, and the RTP in it."""

from fuzz._dice cimport Dice, below, roll
from fuzz._loop cimport Tally, loop_of, ran
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from mediarouter._capture cimport FOUND_KINDS, MAX_INTERFACES, Row, Scanner, scan, scanner_begin
from mediarouter._rtp cimport RtpView, rtp_parse

cdef enum:
    ROWS = 8                       # at a time: a file is scanned in several goes
    SECTION = 0x0A0D0D0A
    PCAP_HEADER_SIZE = 24
    SMALLEST_FRAME = 28            # IPv4 and UDP, in whatever record

cdef Scanner scanner               # too large for a stack


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # of pcapng: blocks whose two lengths agree, most of the time
    cdef uint32_t kind, length
    cdef int at = 0
    if size < PCAP_HEADER_SIZE or below(dice, 8) == 0:
        return size
    memcpy(&kind, data, 4)
    if kind != SECTION:
        return size
    while size - at >= 12:
        memcpy(&length, data + at + 4, 4)
        length &= ~<uint32_t>3
        if length < 12 or length > <uint32_t>(size - at):
            length = <uint32_t>(size - at) & ~<uint32_t>3
        if at and roll(dice) & 15:
            memcpy(data + at + 4, &length, 4)
            memcpy(data + at + length - 4, &length, 4)
        at += <int>length
    return size


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    cdef Row *rows = <Row *>malloc(ROWS * sizeof(Row))
    cdef const char *wrong = NULL
    cdef int64_t datagrams = 0
    cdef int filled = ROWS
    cdef int i
    cdef uint64_t shape
    memset(&scanner, 0xA5, sizeof(scanner))
    scanner_begin(&scanner, data, size)
    while filled == ROWS and not scanner.trouble and wrong == NULL:
        memset(rows, 0xA5, ROWS * sizeof(Row))
        filled = scan(&scanner, rows, ROWS)
        datagrams += filled
        wrong = rows_are_sound(rows, filled, data, size)
    free(rows)
    shape = scanner.next_generation | scanner.little_endian << 1 | scanner.cut_off << 2
    for i in range(FOUND_KINDS):
        shape |= <uint64_t>min(scanner.counts[i], 15) << (4 + 4 * i)
    ran(tally, data, size, not scanner.trouble, shape | <uint64_t>min(scanner.interface_count, 15) << 40)
    if wrong != NULL:
        return wrong
    if scanner.counts[0] != datagrams:
        return "datagrams that are not counted"
    if not 0 <= scanner.interface_count <= MAX_INTERFACES:
        return "more interfaces than there is room for"
    if not 0 <= scanner.at <= size:
        return "a scanner outside of its file"
    if not scanner.trouble and not scanner.cut_off and scanner.at != size:
        return "a scanner that stopped before the end of the file"
    return NULL


cdef const char *rows_are_sound(const Row *rows, int count, uint8_t *data, int size) noexcept nogil:
    cdef RtpView view
    cdef const Row *row
    cdef uint64_t end = PCAP_HEADER_SIZE
    cdef int i
    for i in range(count):
        row = &rows[i]
        if row.offset < end + (SMALLEST_FRAME if i else 0) or row.offset + row.size > <uint64_t>size:
            return "a datagram outside of its record"
        if row.ip_version != 4 and row.ip_version != 6:
            return "a datagram of no version of IP"
        end = row.offset + row.size
        # what an inspection does with it
        if rtp_parse(&view, data + row.offset, row.size) == 0 and view.size != row.size:
            return "a packet larger than its datagram"
    return NULL


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    return loop_of(check, repair, seeds, seed, kept)
