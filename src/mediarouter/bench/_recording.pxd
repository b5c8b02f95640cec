# What the clients of a meeting send, made in advance and kept in memory in the order of its times.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._address cimport Address
from mediarouter._srtp cimport SrtpContext

cdef struct Datagram:
    int64_t at_us                  # since the recording's begin
    size_t offset                  # into the recording's memory
    uint32_t number                # in the order of making, since sorting must not mix what has one time
    uint32_t client
    int size

cdef struct Client:
    SrtpContext *outbound
    Address address
    uint8_t check[256]             # a connectivity check
    int check_size
    int64_t next_check_us
    int64_t next_report_us
    int64_t next_feedback_us       # of a subscriber
    int64_t frame                  # publisher: being sent; subscriber: of all publishers, the first it has not told of
    int packet                     # publisher: of that frame
    uint8_t feedback_count

cdef class Recording:
    cdef Client *clients
    cdef int client_count
    cdef readonly int publishers
    cdef readonly int subscribers
    cdef int payload_size, packets_per_frame
    cdef int64_t gap_us, until_us
    cdef uint8_t *memory
    cdef size_t used, capacity
    cdef Datagram *datagrams
    cdef size_t count, datagram_capacity
