"""A viewer's estimator and the reports that are to be fed to it, in C: what a status, a report, a packet costs.

For `bench/instructions.py` and `bench/micro`: what is measured has no Python in it.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from mediarouter._plane cimport Downlink
from mediarouter._rtcp cimport RTCP_RTPFB, RtcpReader, RtcpView, rtcp_next, rtcp_reader_init
from mediarouter.congestion._estimator cimport (
    MAX_BPS,
    MIN_BPS,
    START_BPS,
    SendSide,
    send_side_init,
    send_side_poll,
    send_side_report,
    send_side_sent,
    send_side_update,
)

cdef enum:
    PACKET_BYTES = 1200
    TURN_US = 50000                # from a report's last packet's leaving until it is here

VIEWER_BYTES = sizeof(Downlink)    # all that is kept of one viewer's network


@cython.final
cdef class SendSideFeed:
    """An estimator that has been fed for a while, and reports about packets that it has sent since.

    Args:
        before, reports: RTCP packets that tell of packet 0 and on, in order, without gaps; the former are fed now. All
            of them must tell of as many statuses, and the latter of no more than 4,000 together.
        statuses: of each.
        interval_us: between two packets.
    """
    cdef SendSide *side
    cdef SendSide *primed
    cdef list reports
    cdef int statuses
    cdef int64_t interval_us
    cdef int64_t first             # the first packet that the reports tell of
    cdef int64_t sent              # packets
    cdef int64_t primed_sent

    def __cinit__(self, list before not None, list reports not None, int statuses, int64_t interval_us):
        cdef bytes report
        self.side = <SendSide *>malloc(sizeof(SendSide))
        self.primed = <SendSide *>malloc(sizeof(SendSide))
        if self.side == NULL or self.primed == NULL:
            raise MemoryError
        if not 1 <= statuses * max(len(reports), 1) <= 4000:
            raise ValueError("the history holds no more than 4,000 packets")
        self.statuses, self.interval_us, self.reports = statuses, interval_us, reports
        send_side_init(self.side, START_BPS, MIN_BPS, MAX_BPS, 0)
        for report in before:
            self.send(statuses)
            take(self.side, report, <int>len(report), self.sent * interval_us + TURN_US)
        self.first = self.sent
        self.send(statuses * <int>len(reports))
        self.primed_sent = self.sent
        memcpy(self.primed, self.side, sizeof(SendSide))

    def __dealloc__(self):
        free(self.side)
        free(self.primed)

    def reset(self):
        """As it was made."""
        memcpy(self.side, self.primed, sizeof(SendSide))
        self.sent = self.primed_sent

    cpdef send(self, int times):
        """So many packets leave."""
        cdef int _
        with nogil:
            for _ in range(times):
                send_side_sent(self.side, <uint16_t>(self.sent & 0xFFFF), PACKET_BYTES, 0, self.sent * self.interval_us)
                self.sent += 1

    def feed(self, int first, int count):
        """So many of the reports arrive, each at its time; how many packets they told of."""
        cdef bytes report
        cdef int i
        cdef int told = 0
        for i in range(first, first + count):
            report = self.reports[i]
            told += take(self.side, report, <int>len(report), self.time_of(i))
        return told

    cdef int64_t time_of(self, int report) noexcept nogil:
        return (self.first + <int64_t>(report + 1) * self.statuses) * self.interval_us + TURN_US

    @property
    def target_bps(self):
        """What may be sent."""
        return self.side.target_bps


def feed_all(list feeds not None, int first, int count):
    """The same reports, by number, to one viewer after the other; how many packets were told of."""
    cdef SendSideFeed feed
    cdef int i
    cdef int told = 0
    for i in range(first, first + count):
        for feed in feeds:
            told += feed.feed(i, 1)
    return told


cdef int take(SendSide *side, const uint8_t *data, int size, int64_t now_us) noexcept nogil:
    # as the engine takes a datagram of RTCP
    cdef RtcpReader reader
    cdef RtcpView view
    cdef int told = 0
    rtcp_reader_init(&reader, data, size)
    while rtcp_next(&reader, &view) == 1:
        if view.packet_type == RTCP_RTPFB and view.count == 15:
            told += send_side_report(side, view.data, view.size, now_us)
    send_side_update(side, now_us)
    send_side_poll(side, now_us)
    return told
