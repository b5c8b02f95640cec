# A capture file in memory: a scanner that stands somewhere in it, and a row for each whole UDP datagram.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    MAX_INTERFACES = 1024          # of one pcapng section
    FOUND_KINDS = 7                # what a frame may be, in the order of COUNTS

cdef enum Trouble:
    TROUBLE_NONE = 0
    TROUBLE_MAGIC = 1
    TROUBLE_BLOCK = 2
    TROUBLE_RESOLUTION = 3
    TROUBLE_INTERFACES = 4

cdef struct Interface:
    int link_type
    int exponent                   # ticks are 10**-exponent s, or 2**-exponent s when `binary`
    bint binary
    uint32_t snap_length           # 0: no limit
    int64_t offset_s

cdef struct Row:
    int64_t time_us
    uint64_t offset                # of the datagram's payload in the file
    uint32_t size
    uint16_t source_port
    uint16_t destination_port
    uint8_t source[16]
    uint8_t destination[16]
    uint8_t ip_version             # 4 or 6
    uint8_t unused[7]

cdef struct Scanner:               # borrows `data`
    const uint8_t *data
    int64_t size
    int64_t at
    bint next_generation           # pcapng
    bint little_endian
    bint nanoseconds               # pcap
    bint cut_off                   # the file ends in the middle of a record
    int interface_count
    Trouble trouble
    int64_t counts[FOUND_KINDS]
    Interface interfaces[MAX_INTERFACES]

cdef void scanner_begin(Scanner *scanner, const uint8_t *data, int64_t size) noexcept nogil
# Fills in rows: how many. Fewer than `capacity` at the end of the file, or in trouble.
cdef int64_t scan(Scanner *scanner, Row *rows, int64_t capacity) noexcept nogil
