"""A link that has just become much too narrow.

Theory of operation
The trend of the delay needs some hundred milliseconds to be sure, and so it must: encoders and other flows live by its
verdict. Streams of a viewer need not go on as they are meanwhile. Where all packets of a report waited long, and much
longer than those of the report before, they came one behind the other as fast as the link is, so they tell what it
carries, and 85 % of that is what may be shared out until the queue becomes shorter. The target stays as it is.

A single packet that came late says nothing here: it is the one that waited least that counts.
"""

cimport cython
from libc.stdint cimport int64_t

cdef enum:
    LONG_US = 60000                # all packets of a report waited so long, and ...
    LONGER_US = 30000              # ... so much longer than those of the last
    PACKETS = 3
    PERCENT = 85
    BITS_SECOND = 8000000


cdef void jam_init(Jam *jam) noexcept nogil:
    jam.waited_us = 0
    jam.carried_bps = -1


cdef void jam_report(Jam *jam, const Outcome *received, int count, int64_t queue_us) noexcept nogil:
    cdef const Outcome *last = &received[count - 1]
    cdef int64_t path_us = last.arrival_us - last.send_us - queue_us
    cdef int64_t waited_us = queue_us
    cdef int64_t span_us = last.arrival_us - received[0].arrival_us
    cdef int64_t bytes = 0
    cdef int i
    for i in range(count):
        waited_us = min(waited_us, received[i].arrival_us - received[i].send_us - path_us)
        bytes += received[i].size_bytes if i else 0
    if waited_us < jam.waited_us or waited_us < LONG_US:
        jam.carried_bps = -1
    elif count >= PACKETS and span_us > 0 and waited_us - jam.waited_us >= LONGER_US:
        jam.carried_bps = bytes * BITS_SECOND // span_us * PERCENT // 100
    jam.waited_us = waited_us


# ---- the Python face, for tests

@cython.final
cdef class JamFace:
    """A Jam: the same function, Python numbers."""
    cdef Jam jam

    def __cinit__(self):
        jam_init(&self.jam)

    def report(self, list packets, int64_t queue_us):
        """A report of (sent, arrived, bytes), 1 to 100 of them; what the link carries, -1: it is not jammed."""
        cdef Outcome outcomes[100]
        cdef int i
        if not 0 < len(packets) <= 100:
            raise ValueError("a report is 1..100 packets")
        for i in range(len(packets)):
            outcomes[i].send_us, outcomes[i].arrival_us, outcomes[i].size_bytes = packets[i]
        jam_report(&self.jam, outcomes, <int>len(packets), queue_us)
        return self.jam.carried_bps
