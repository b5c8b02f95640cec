"""A bounded queue of packets for one receiver; `_backlog.pxd` says what it drops."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset
from mediarouter._plane cimport SEND_ENHANCEMENT, SEND_VIDEO, SendClass

cdef enum:
    LENGTH_SIZE = 2
    FIRST_BYTES = 4096
    FIRST_ITEMS = 32
    KEPT_BYTES = 65536             # of a queue that is empty


cdef void backlog_release(Backlog *backlog) noexcept nogil:
    free(backlog.bytes)
    free(backlog.items)
    memset(backlog, 0, sizeof(Backlog))


cdef void drop_item(Backlog *backlog, uint32_t index, uint32_t at) noexcept nogil:
    # `at`: where its bytes begin
    cdef uint32_t size = backlog.items[index].size
    memmove(backlog.bytes + at, backlog.bytes + at + size, backlog.end - at - size)
    memmove(&backlog.items[index], &backlog.items[index + 1], (backlog.past - index - 1) * sizeof(Waiting))
    backlog.end -= size
    backlog.past -= 1


cdef int drop_oldest(Backlog *backlog, int send_class, uint32_t needed) noexcept nogil:
    # of a class, until there is room; one that is half way out stays
    cdef uint32_t index = backlog.first
    cdef uint32_t at = backlog.begin
    cdef int dropped = 0
    if backlog.taken:
        at += backlog.items[index].size
        index += 1
    while index < backlog.past and backlog_size(backlog) + needed > BACKLOG_MAX:
        if backlog.items[index].send_class == send_class:
            drop_item(backlog, index, at)
            dropped += 1
        else:
            at += backlog.items[index].size
            index += 1
    return dropped


cdef bint make_room(Backlog *backlog, uint32_t needed) noexcept nogil:
    cdef uint32_t live = backlog.end - backlog.begin
    cdef uint32_t count = backlog.past - backlog.first
    cdef uint32_t capacity
    cdef uint8_t *data
    cdef Waiting *items
    if backlog.end + needed > backlog.capacity and backlog.begin:
        memmove(backlog.bytes, backlog.bytes + backlog.begin, live)
        backlog.begin, backlog.end = 0, live
    if backlog.end + needed > backlog.capacity:
        capacity = backlog.capacity * 2 if backlog.capacity else FIRST_BYTES
        while capacity < backlog.end + needed:
            capacity *= 2
        data = <uint8_t *>realloc(backlog.bytes, capacity)
        if data == NULL:
            return False
        backlog.bytes, backlog.capacity = data, capacity
    if backlog.past == backlog.item_capacity and backlog.first:
        memmove(backlog.items, &backlog.items[backlog.first], count * sizeof(Waiting))
        backlog.first, backlog.past = 0, count
    if backlog.past == backlog.item_capacity:
        capacity = backlog.item_capacity * 2 if backlog.item_capacity else FIRST_ITEMS
        items = <Waiting *>realloc(backlog.items, capacity * sizeof(Waiting))
        if items == NULL:
            return False
        backlog.items, backlog.item_capacity = items, capacity
    return True


cdef int backlog_push(Backlog *backlog, const uint8_t *data, int size, SendClass send_class,
                      bint framed) noexcept nogil:
    cdef uint32_t needed = <uint32_t>size + (LENGTH_SIZE if framed else 0)
    cdef uint32_t limit = BACKLOG_MAX if send_class in (SEND_VIDEO, SEND_ENHANCEMENT) else 2 * BACKLOG_MAX
    cdef int dropped = 0
    cdef uint8_t *out
    if backlog_size(backlog) + needed > BACKLOG_MAX:
        dropped = drop_oldest(backlog, SEND_ENHANCEMENT, needed)
        if send_class != SEND_ENHANCEMENT:
            dropped += drop_oldest(backlog, SEND_VIDEO, needed)
    if size > 0xFFFF - LENGTH_SIZE or backlog_size(backlog) + needed > limit or not make_room(backlog, needed):
        return dropped + 1
    out = backlog.bytes + backlog.end
    if framed:
        out[0] = <uint8_t>(size >> 8)
        out[1] = <uint8_t>(size & 0xFF)
        out += LENGTH_SIZE
    memcpy(out, data, size)
    backlog.items[backlog.past].size = <uint16_t>needed
    backlog.items[backlog.past].send_class = <uint8_t>send_class
    backlog.past += 1
    backlog.end += needed
    return dropped


cdef void backlog_take(Backlog *backlog, uint32_t size) noexcept nogil:
    size += backlog.taken
    backlog.taken = 0
    while backlog.first < backlog.past and size >= backlog.items[backlog.first].size:
        size -= backlog.items[backlog.first].size
        backlog.begin += backlog.items[backlog.first].size
        backlog.first += 1
    backlog.taken = size
    if backlog.first == backlog.past:
        backlog.begin = backlog.end = 0
        backlog.first = backlog.past = 0
        backlog.taken = 0
        if backlog.capacity > KEPT_BYTES:
            free(backlog.bytes)
            backlog.bytes, backlog.capacity = NULL, 0


@cython.final
cdef class BacklogFace:
    """A Backlog for tests.

    Args:
        framed: packets stand behind their length (RFC 4571).
    """
    cdef Backlog backlog
    cdef bint framed

    def __cinit__(self, bint framed=False):
        self.framed = framed

    def __dealloc__(self):
        backlog_release(&self.backlog)

    def push(self, bytes data, int send_class):
        """Append; how many packets were lost."""
        return backlog_push(&self.backlog, <const uint8_t *><const char *>data, <int>len(data),
                            <SendClass>send_class, self.framed)

    def take(self, uint32_t size):
        """So many bytes are on their way."""
        backlog_take(&self.backlog, min(size, backlog_size(&self.backlog)))

    @property
    def waiting(self):
        """The bytes that wait."""
        return (<const char *>backlog_head(&self.backlog))[:backlog_size(&self.backlog)]

    @property
    def sizes(self):
        """Of the packets that wait, the whole of a begun one."""
        return [self.backlog.items[i].size for i in range(self.backlog.first, self.backlog.past)]
