"""From (stream, RTP sequence number) to a number of the send history; `_ccfb_index.pxd` has the words.

Theory of operation
A hash table of 256 buckets with eight cells each, a cell of 32 bits: 20 of the key, 12 of the number. The bucket holds
the other 8 bits of the key (12 of the stream, 16 of the sequence number), so a cell names its packet exactly. Sequence
numbers that follow each other fall into buckets that do, so each stream fills all buckets evenly.

Twelve bits of a number are enough for 4,096 packets. A cell is out of date after 2,048, and each packet that is added
clears one bucket of such cells, all in turn: none is ever older than 2,304. In a full bucket the oldest cell gives way.
"""

cimport cython
from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.string cimport memset

cdef enum:
    BUCKETS = 256
    WAYS = 8
    NUMBER_BITS = 12
    NUMBER_MASK = 4095
    AGE_MAX = 2048                 # in numbers
    SPREAD = 97                    # buckets between the same number of two streams; odd

cdef uint32_t EMPTY = 0xFFFFFFFF   # of stream 4095, which is none


cdef void ccfb_index_init(CcfbIndex *index) noexcept nogil:
    index.newest = -1
    memset(index.cells, 0xFF, sizeof(index.cells))


cdef inline uint32_t *bucket_of(const CcfbIndex *index, int stream, uint16_t seq) noexcept nogil:
    return <uint32_t *>&index.cells[((seq + stream * SPREAD) & (BUCKETS - 1)) * WAYS]


cdef inline uint32_t key_of(int stream, uint16_t seq) noexcept nogil:
    return <uint32_t>stream << 8 | seq >> 8


cdef inline int age_of(uint32_t cell, int64_t number) noexcept nogil:
    return <int>(<uint32_t>(number - cell) & NUMBER_MASK)


cdef void clear_old(CcfbIndex *index, int64_t number) noexcept nogil:
    # the bucket whose turn it is
    cdef uint32_t *cells = &index.cells[(number & (BUCKETS - 1)) * WAYS]
    cdef int way
    for way in range(WAYS):
        if age_of(cells[way], number) > AGE_MAX:
            cells[way] = EMPTY


cdef void ccfb_index_add(CcfbIndex *index, int stream, uint16_t seq, int64_t number) noexcept nogil:
    cdef uint32_t key = key_of(stream, seq)
    cdef uint32_t *cells = bucket_of(index, stream, seq)
    cdef int way, age
    cdef int oldest = -1
    cdef int chosen = 0
    if index.newest < 0 or number - index.newest > AGE_MAX:
        ccfb_index_init(index)
    else:
        while index.newest < number:
            index.newest += 1
            clear_old(index, index.newest)
    index.newest = number
    for way in range(WAYS):
        if cells[way] >> NUMBER_BITS == key:
            chosen = way           # sent again under its number: the last time counts
            break
        age = NUMBER_MASK + 1 if cells[way] == EMPTY else age_of(cells[way], number)
        if age > oldest:
            oldest = age
            chosen = way
    cells[chosen] = key << NUMBER_BITS | <uint32_t>(number & NUMBER_MASK)


cdef int64_t ccfb_index_find(const CcfbIndex *index, int stream, uint16_t seq) noexcept nogil:
    cdef uint32_t key = key_of(stream, seq)
    cdef const uint32_t *cells = bucket_of(index, stream, seq)
    cdef int way
    for way in range(WAYS):
        if cells[way] >> NUMBER_BITS == key:
            return index.newest - age_of(cells[way], index.newest)
    return -1


# ---- the Python face

@cython.final
cdef class CcfbIndexFace:
    """A CcfbIndex for tests: the same functions, Python numbers."""
    cdef CcfbIndex index

    def __cinit__(self):
        ccfb_index_init(&self.index)

    def add(self, int stream, int seq, int64_t number):
        """A packet leaves. Raises ValueError for a stream that is not in 0..4094, or a number that does not ascend."""
        if not 0 <= stream < CCFB_STREAMS_MAX:
            raise ValueError(f"stream {stream} is not in 0..4094")
        if number <= self.index.newest:
            raise ValueError("numbers ascend")
        ccfb_index_add(&self.index, stream, <uint16_t>(seq & 0xFFFF), number)

    def find(self, int stream, int seq):
        """The number it left with; None: not known."""
        cdef int64_t number = ccfb_index_find(&self.index, stream, <uint16_t>(seq & 0xFFFF))
        return None if number < 0 else number

    @property
    def memory_size(self):
        """Bytes of an index."""
        return sizeof(CcfbIndex)
