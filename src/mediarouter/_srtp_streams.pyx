"""Rollover counters and replay windows, one pair an SSRC; at most SRTP_STREAMS_MAX of them a direction.

An RTP index is the rollover counter and the sequence number, 48 bits. The first packet of an SSRC has counter 0, or
what the user told; each later one the counter that brings it nearest to the newest index.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from mediarouter._drop cimport DROP_SRTP_OLD, DROP_SRTP_REPLAY
from mediarouter._lookup cimport (
    SsrcEntry,
    SsrcTable,
    ssrc_table_find,
    ssrc_table_put,
    ssrc_table_release,
    ssrc_table_remove,
)
from mediarouter._srtp_policy cimport SRTP_STREAMS_MAX, SRTP_WINDOW

cdef enum:
    HALF = 0x8000                  # of the circle of sequence numbers


cdef SrtpStream *srtp_stream_find(const SsrcTable *table, uint32_t ssrc) noexcept nogil:
    cdef const SsrcEntry *entry = ssrc_table_find(table, ssrc)
    return NULL if entry == NULL else <SrtpStream *>entry.owner


cdef SrtpStream *srtp_stream_add(SsrcTable *table, uint32_t ssrc) noexcept nogil:
    cdef SrtpStream *stream
    if table.count >= SRTP_STREAMS_MAX:
        return NULL
    stream = <SrtpStream *>calloc(1, sizeof(SrtpStream))
    if stream == NULL:
        return NULL
    stream.ssrc = ssrc
    stream.rtcp.top = SRTP_WINDOW - 1          # indexes 0 to 127 are inside from the start
    if not ssrc_table_put(table, ssrc, 1, stream):
        free(stream)
        return NULL
    return stream


cdef void srtp_stream_remove(SsrcTable *table, uint32_t ssrc) noexcept nogil:
    free(srtp_stream_find(table, ssrc))
    ssrc_table_remove(table, ssrc)


cdef void srtp_streams_release(SsrcTable *table) noexcept nogil:
    cdef uint32_t i
    for i in range(table.capacity):
        if table.entries[i].role:
            free(table.entries[i].owner)
    ssrc_table_release(table)


cdef bint srtp_stream_index(const SrtpStream *stream, uint16_t seq, uint64_t *index) noexcept nogil:
    cdef uint64_t newest, roc
    cdef int local
    if stream == NULL:
        index[0] = seq
        return True
    newest = stream.rtp.top
    if stream.pending_roc:
        index[0] = (<uint64_t>stream.pending_roc << 16) | seq
        return index[0] >= newest or newest - index[0] <= HALF
    if newest <= HALF:             # no counter below 0
        index[0] = seq
        return True
    roc = newest >> 16
    local = <int>(newest & 0xFFFF)
    if local < HALF:
        if seq - local > HALF:
            roc -= 1
    elif local - HALF > seq:
        roc += 1
    index[0] = (<uint64_t><uint32_t>roc << 16) | seq
    return True


cdef void srtp_stream_accept(SrtpStream *stream, uint64_t index) noexcept nogil:
    stream.pending_roc = 0
    stream.counted = True
    replay_add(&stream.rtp, index)


cdef int replay_check(const ReplayWindow *window, uint64_t index) noexcept nogil:
    cdef uint64_t behind
    if index > window.top:
        return 0
    behind = window.top - index
    if behind >= SRTP_WINDOW:
        return DROP_SRTP_OLD
    if (window.recent >> behind if behind < 64 else window.older >> (behind - 64)) & 1:
        return DROP_SRTP_REPLAY
    return 0


cdef void replay_add(ReplayWindow *window, uint64_t index) noexcept nogil:
    cdef uint64_t ahead, behind
    if index <= window.top:
        behind = window.top - index
        if behind < 64:
            window.recent |= <uint64_t>1 << behind
        elif behind < SRTP_WINDOW:
            window.older |= <uint64_t>1 << (behind - 64)
        return
    ahead = index - window.top
    window.top = index
    if ahead < 64:
        window.older = (window.older << ahead) | (window.recent >> (64 - ahead))
        window.recent <<= ahead
    elif ahead < SRTP_WINDOW:
        window.older = window.recent << (ahead - 64)
        window.recent = 0
    else:
        window.older = window.recent = 0
    window.recent |= 1


def window_check(indexes):
    """What a fresh RTP window says of each index in turn: 0 and it is taken, else a Drop code."""
    cdef ReplayWindow window
    cdef list said = []
    cdef uint64_t index
    cdef int drop
    window.top = window.recent = window.older = 0
    for index in indexes:
        drop = replay_check(&window, index)
        said.append(drop)
        if drop == 0:
            replay_add(&window, index)
    return said
