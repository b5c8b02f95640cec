# One RTCP packet as a Python value: the bytes as they came, read when asked. The rooms `_rtcp_reports` and so on add
# what the bytes mean; every class of theirs has the same C fields, so that they share one free list.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._rtcp cimport RtcpView

cdef enum:
    RTCP_SIZE_MAX = 65532          # whole words in the largest datagram

cdef class RtcpPacket:
    cdef bytes wire                # None until __init__ or `packet_of` has filled it
    cdef tuple cached              # the rows, once somebody has asked for them
    cdef int size                  # of `wire` without padding

cdef class FeedbackPacket(RtcpPacket):
    pass

cdef class UnknownPacket(RtcpPacket):
    pass

# Why a packet contradicts itself, NULL when it does not; each class has one.
ctypedef const char *(*rtcp_check_t)(const RtcpView *view) noexcept nogil

# `size` bytes of a datagram as a value of that class
cdef object packet_of(type kind, const uint8_t *data, int size, int padding)
# Its bytes; ValueError when __init__ never ran
cdef const uint8_t *wire_of(RtcpPacket packet) except NULL
# Room for `size` bytes, all zero but the header
cdef uint8_t *new_wire(RtcpPacket packet, int packet_type, int count, Py_ssize_t size) except NULL
# The same for feedback (RFC 4585 section 6.1), both SSRCs written
cdef uint8_t *new_feedback(RtcpPacket packet, int packet_type, int form, object sender_ssrc, object media_ssrc,
                           Py_ssize_t size) except NULL

cdef uint64_t checked(object value, uint64_t largest, str name) except? 0xFFFFFFFFFFFFFFFF
cdef uint32_t checked_u32(object value, str name) except? 0xFFFFFFFF
# Text as UTF-8, anything else as the bytes it is
cdef bytes octets(object value)
cdef uint64_t read_u64(const uint8_t *data) noexcept nogil
cdef void write_u64(uint8_t *data, uint64_t value) noexcept nogil
