# Sender and receiver reports as Python values.
from mediarouter._rtcp cimport ReportBlock as ReportFields
from mediarouter._rtcp cimport RtcpView
from mediarouter._rtcp_packet cimport RtcpPacket

cdef class ReportBlock:
    cdef ReportFields fields

cdef class ReportPacket(RtcpPacket):
    pass

cdef class SenderReport(ReportPacket):
    pass

cdef class ReceiverReport(ReportPacket):
    pass

cdef const char *check_sender_report(const RtcpView *view) noexcept nogil
cdef const char *check_receiver_report(const RtcpView *view) noexcept nogil
