"""What time tells about one stream of one viewer; `_alloc_stream.pxd` names the words.

Theory of operation
A spatial upgrade (a start or a resumption too) may fail: the stream has to go down again before it has lasted for 30 s,
because the budget shrank. Then the next one waits, for 1 s at first, twice as long after each further failure in a row,
ten seconds at most; one that lasts ends the row. A stream that went down while another went up has not failed: it made
room. Each failure counts once, however many layers the stream goes down afterwards. It is noted under what budget the
upgrade was made: under twice that the network is not what it was, and nothing has to wait.

An upgrade that has room, but must wait for its time, notes since when it has had it.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset
from mediarouter.congestion._layer_hull cimport ALLOC_LAYER_ANY

cdef enum:
    GOOD_US = 30000000             # an upgrade that lasts so long was right
    BACKOFF_FIRST_US = 1000000
    BACKOFF_MAX_US = 10000000
    BACKOFF_DOUBLINGS = 4


cdef void alloc_stream_init(AllocStream *stream) noexcept nogil:
    memset(stream, 0, sizeof(AllocStream))
    stream.weight = 1
    stream.stream_class = ALLOC_GRID
    stream.wish.max_spatial = stream.wish.max_temporal = ALLOC_LAYER_ANY
    stream.current_spatial = stream.current_temporal = -1
    stream.target_spatial = stream.target_temporal = -1
    stream.last_change_us = stream.last_upgrade_us = stream.room_since_us = -1


cdef void allocation_applied(int64_t now_us, AllocStream *streams, int count) noexcept nogil:
    cdef AllocStream *stream
    cdef bint risen = False
    cdef int i
    for i in range(count):
        if streams[i].target_spatial > streams[i].current_spatial:
            risen = True           # then who fell made room, and did not fail
    for i in range(count):
        stream = &streams[i]
        if stream.reason == ALLOC_MUTED or stream.reason == ALLOC_NO_LAYER:
            forget(stream)
            continue
        note_upgrade(now_us, stream, risen)
        if (stream.target_spatial != stream.current_spatial
                or stream.target_temporal != stream.current_temporal):
            stream.last_change_us = now_us
            stream.current_spatial = stream.target_spatial
            stream.current_temporal = stream.target_temporal
        if not stream.has_room:
            stream.room_since_us = -1
        elif stream.room_since_us < 0:
            stream.room_since_us = now_us


cdef inline void forget(AllocStream *stream) noexcept nogil:
    # it starts anew, without waiting, when it is sent again
    stream.current_spatial = stream.current_temporal = -1
    stream.last_change_us = stream.last_upgrade_us = stream.room_since_us = -1


cdef void note_upgrade(int64_t now_us, AllocStream *stream, bint risen) noexcept nogil:
    cdef bint held = now_us - stream.last_upgrade_us >= GOOD_US
    if stream.target_spatial > stream.current_spatial:
        if stream.last_upgrade_us >= 0 and held:
            stream.failed_upgrades = 0
        stream.last_upgrade_us = now_us
        stream.upgrade_budget_bps = stream.budget_bps
        stream.backoff_until_us = 0
        stream.room_since_us = -1
    elif stream.last_upgrade_us >= 0 and held:
        stream.failed_upgrades = 0
        stream.last_upgrade_us = -1
    elif (stream.last_upgrade_us >= 0 and stream.target_spatial < stream.current_spatial and not risen
            and stream.reason in (ALLOC_BANDWIDTH, ALLOC_PRIORITY, ALLOC_OVERSEND)):
        stream.backoff_until_us = now_us + min(
            <int64_t>BACKOFF_FIRST_US << min(stream.failed_upgrades, <int>BACKOFF_DOUBLINGS), <int64_t>BACKOFF_MAX_US)
        stream.failed_upgrades = min(stream.failed_upgrades + 1, <int>BACKOFF_DOUBLINGS + 1)
        stream.last_upgrade_us = -1
