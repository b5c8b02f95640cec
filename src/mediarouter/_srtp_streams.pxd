# Rollover counters and replay windows of the SSRCs of one direction (RFC 3711 sections 3.2.1, 3.3.1, 3.3.2). The
# decisions are those of libsrtp, to the packet; differential tests hold them together.
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from mediarouter._lookup cimport SsrcTable

cdef struct ReplayWindow:
    uint64_t top                   # the newest index
    uint64_t recent                # bit i: top - i was here
    uint64_t older                 # bit i: top - 64 - i was here

cdef struct SrtpStream:
    uint32_t ssrc
    uint32_t rtcp_sent             # index of the last SRTCP packet sent
    uint32_t pending_roc           # told by the user, 0: none
    bint counted                   # `rtp` holds a packet
    ReplayWindow rtp
    ReplayWindow rtcp

cdef SrtpStream *srtp_stream_find(const SsrcTable *table, uint32_t ssrc) noexcept nogil        # NULL: unknown
cdef SrtpStream *srtp_stream_add(SsrcTable *table, uint32_t ssrc) noexcept nogil               # NULL: full
cdef void srtp_stream_remove(SsrcTable *table, uint32_t ssrc) noexcept nogil
cdef void srtp_streams_release(SsrcTable *table) noexcept nogil

# The index of a packet with that number; `stream` NULL: of an SSRC not seen yet. False: left of everything
cdef bint srtp_stream_index(const SrtpStream *stream, uint16_t seq, uint64_t *index) noexcept nogil
# A packet with that index has been accepted
cdef void srtp_stream_accept(SrtpStream *stream, uint64_t index) noexcept nogil
# 0, or a Drop code
cdef int replay_check(const ReplayWindow *window, uint64_t index) noexcept nogil
cdef void replay_add(ReplayWindow *window, uint64_t index) noexcept nogil
