"""The retransmission slab; `_cache.pxd` tells what it keeps."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy
from mediarouter._drop cimport DROP_RTP_DUPLICATE, DROP_RTP_TOO_OLD, DROP_TOO_LARGE

cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

cdef enum:
    FIRST_CAPACITY = 64
    BLOCKS_PER_CHUNK = 64
    CACHE_LINE = 64
    EXPIRED_PER_INSERT = 4         # places that an insert looks at; more than one, so that holes do not hold it up
    MAX_BLOCK_SIZE = 65472         # CachedPacket.size has 16 bits


cdef struct Block:                 # a free block; a used one is all payload
    Block *next


cdef struct Chunk:                 # one line of the cache, then BLOCKS_PER_CHUNK blocks
    Chunk *next


cdef struct PacketPool:
    Block *unused
    Chunk *chunks                  # the newest first
    int untouched                  # blocks of the newest chunk that were never used: memory nobody has paged in
    int block_size
    int64_t bytes


cdef struct PacketCache:
    PacketPool *pool
    CachedPacket *packets          # by seq & (capacity - 1)
    int capacity                   # of the ring now
    int capacity_max
    int64_t max_age_us
    int64_t newest_seq             # -1: empty
    int64_t oldest_seq             # nothing older is there


cdef PacketPool *packet_pool_new(int block_size) noexcept nogil:
    cdef PacketPool *pool
    if not 0 < block_size <= MAX_BLOCK_SIZE:
        return NULL
    pool = <PacketPool *>calloc(1, sizeof(PacketPool))
    if pool != NULL:
        pool.block_size = (block_size + CACHE_LINE - 1) & ~(CACHE_LINE - 1)
    return pool


cdef void packet_pool_free(PacketPool *pool) noexcept nogil:
    cdef Chunk *chunk
    if pool == NULL:
        return
    while pool.chunks != NULL:
        chunk = pool.chunks
        pool.chunks = chunk.next
        free(chunk)
    free(pool)


cdef int64_t packet_pool_bytes(const PacketPool *pool) noexcept nogil:
    return pool.bytes


cdef uint8_t *take_block(PacketPool *pool) noexcept nogil:
    cdef Block *block = pool.unused
    cdef size_t size
    cdef Chunk *chunk
    if block != NULL:
        pool.unused = block.next
        return <uint8_t *>block
    if pool.untouched == 0:
        size = CACHE_LINE + <size_t>pool.block_size * BLOCKS_PER_CHUNK
        chunk = <Chunk *>aligned_alloc(CACHE_LINE, size)
        if chunk == NULL:
            return NULL
        chunk.next = pool.chunks
        pool.chunks = chunk
        pool.bytes += <int64_t>size
        pool.untouched = BLOCKS_PER_CHUNK
    pool.untouched -= 1
    return <uint8_t *>pool.chunks + CACHE_LINE + pool.untouched * <size_t>pool.block_size


cdef inline void give_block(PacketPool *pool, uint8_t *data) noexcept nogil:
    cdef Block *block = <Block *>data
    block.next = pool.unused
    pool.unused = block


cdef PacketCache *packet_cache_new(PacketPool *pool, int capacity, int64_t max_age_us) noexcept nogil:
    cdef PacketCache *cache = <PacketCache *>calloc(1, sizeof(PacketCache))
    if cache == NULL:
        return NULL
    cache.pool = pool
    cache.capacity_max = FIRST_CAPACITY
    while cache.capacity_max < capacity:
        cache.capacity_max *= 2
    cache.max_age_us = max_age_us
    cache.newest_seq = -1
    return cache


cdef void packet_cache_free(PacketCache *cache) noexcept nogil:
    if cache == NULL:
        return
    packet_cache_clear(cache)
    free(cache.packets)
    free(cache)


cdef void packet_cache_clear(PacketCache *cache) noexcept nogil:
    cdef int i
    for i in range(cache.capacity):
        release(cache, &cache.packets[i])
        cache.packets[i].seq = -1
    cache.newest_seq = -1


cdef inline void release(PacketCache *cache, CachedPacket *packet) noexcept nogil:
    # the number stays: a second copy of this packet is still known for one
    if packet.data != NULL:
        give_block(cache.pool, packet.data)
        packet.data = NULL


cdef int packet_cache_insert(PacketCache *cache, int64_t seq, const uint8_t *data, int size,
                             int64_t now_us) noexcept nogil:
    cdef CachedPacket *packet
    cdef int result
    if size > cache.pool.block_size or size < 0:
        return DROP_TOO_LARGE
    if seq < 0 or (cache.newest_seq >= 0 and seq <= cache.newest_seq - cache.capacity_max):
        return DROP_RTP_TOO_OLD
    expire(cache, EXPIRED_PER_INSERT, now_us)
    packet = NULL
    result = find_place(cache, seq, now_us, &packet)
    if result != 0:
        return result
    if packet.data == NULL:
        packet.data = take_block(cache.pool)
        if packet.data == NULL:
            return DROP_TOO_LARGE
    memcpy(packet.data, data, <size_t>size)
    packet.seq = seq
    packet.size = <uint16_t>size
    packet.arrival_us = now_us
    if cache.newest_seq < 0 or seq < cache.oldest_seq:
        cache.oldest_seq = seq
    if seq > cache.newest_seq:
        cache.newest_seq = seq
    return 0


cdef int find_place(PacketCache *cache, int64_t seq, int64_t now_us, CachedPacket **place) noexcept nogil:
    cdef CachedPacket *packet
    while True:
        if cache.capacity:
            packet = &cache.packets[seq & (cache.capacity - 1)]
            place[0] = packet
            if packet.seq == seq:
                return DROP_RTP_DUPLICATE
            if packet.data == NULL:
                return 0
            # what is old gives way; what is young asks for a larger ring, and so does a newer packet in its way
            if packet.seq < seq and gone(cache, packet, now_us):
                return 0
            if cache.capacity == cache.capacity_max:
                return 0 if packet.seq < seq else DROP_RTP_TOO_OLD
        if not grow(cache):
            return DROP_TOO_LARGE


cdef bint grow(PacketCache *cache) noexcept nogil:
    cdef int capacity = cache.capacity * 2 if cache.capacity else FIRST_CAPACITY
    cdef CachedPacket *packets = <CachedPacket *>malloc(<size_t>capacity * sizeof(CachedPacket))
    cdef int i
    if packets == NULL:
        return False
    for i in range(capacity):
        packets[i].data = NULL
        packets[i].seq = -1
    for i in range(cache.capacity):
        if cache.packets[i].seq >= 0:
            packets[cache.packets[i].seq & (capacity - 1)] = cache.packets[i]
    free(cache.packets)
    cache.packets = packets
    cache.capacity = capacity
    return True


cdef void expire(PacketCache *cache, int places, int64_t now_us) noexcept nogil:
    # give back the blocks of packets that are too old to be found
    cdef CachedPacket *packet
    if cache.newest_seq < 0:
        return
    if cache.oldest_seq <= cache.newest_seq - cache.capacity:
        cache.oldest_seq = cache.newest_seq - cache.capacity + 1       # their places were taken by newer ones
    while places > 0 and cache.oldest_seq <= cache.newest_seq:
        packet = &cache.packets[cache.oldest_seq & (cache.capacity - 1)]
        if packet.data != NULL and packet.seq == cache.oldest_seq:
            if not gone(cache, packet, now_us):
                return
            release(cache, packet)
        cache.oldest_seq += 1
        places -= 1


cdef void packet_cache_expire(PacketCache *cache, int64_t now_us) noexcept nogil:
    cdef int i
    for i in range(cache.capacity):
        if gone(cache, &cache.packets[i], now_us):
            release(cache, &cache.packets[i])


cdef inline bint gone(const PacketCache *cache, const CachedPacket *packet, int64_t now_us) noexcept nogil:
    return now_us - packet.arrival_us > cache.max_age_us or packet.seq <= cache.newest_seq - cache.capacity_max


cdef const CachedPacket *packet_cache_find(const PacketCache *cache, int64_t seq, int64_t now_us) noexcept nogil:
    cdef const CachedPacket *packet
    if cache.capacity == 0:
        return NULL
    packet = &cache.packets[seq & (cache.capacity - 1)]
    if packet.seq != seq or packet.data == NULL or gone(cache, packet, now_us):
        return NULL
    return packet


@cython.final
cdef class PacketCacheFace:
    """A PacketCache with a pool of its own, for tests.

    Args:
        capacity: packets kept at most, rounded up to a power of two.
        max_age_us: microseconds after which a packet is not found any more.
        block_size: largest packet, bytes; 1..65,472.
    """
    cdef PacketPool *pool
    cdef PacketCache *cache

    def __cinit__(self, int capacity, int64_t max_age_us, int block_size=1600):
        if not 0 < block_size <= MAX_BLOCK_SIZE:
            raise ValueError(f"block_size is 1..{<int>MAX_BLOCK_SIZE}, not {block_size}")
        self.pool = packet_pool_new(block_size)
        self.cache = packet_cache_new(self.pool, capacity, max_age_us)
        if self.pool == NULL or self.cache == NULL:
            raise MemoryError

    def __dealloc__(self):
        packet_cache_free(self.cache)
        packet_pool_free(self.pool)

    @property
    def pool_bytes(self):
        """Memory the pool holds."""
        return packet_pool_bytes(self.pool)

    def insert(self, int64_t seq, bytes data, int64_t now_us):
        """0, or a negative Drop code."""
        return packet_cache_insert(self.cache, seq, <const uint8_t *><const char *>data, <int>len(data), now_us)

    def find(self, int64_t seq, int64_t now_us):
        """The packet's bytes, None."""
        cdef const CachedPacket *packet = packet_cache_find(self.cache, seq, now_us)
        return None if packet == NULL else (<const char *>packet.data)[:packet.size]

    def clear(self):
        """Forget everything."""
        packet_cache_clear(self.cache)

    def expire(self, int64_t now_us):
        """Give back the memory of all packets that are too old."""
        packet_cache_expire(self.cache, now_us)

    @property
    def blocks(self):
        """Packets whose bytes are held."""
        cdef int i
        cdef int count = 0
        for i in range(self.cache.capacity):
            count += self.cache.packets[i].data != NULL
        return count

    @property
    def capacity(self):
        """Places of the ring as it is now."""
        return self.cache.capacity

    def insert_many(self, int64_t seq, bytes data, int64_t now_us, int count, int64_t step_us):
        """Insert `count` packets of consecutive numbers, `step_us` apart, without Python between; how many went in."""
        cdef const uint8_t *payload = <const uint8_t *><const char *>data
        cdef int size = <int>len(data)
        cdef int taken = 0
        cdef int i
        with nogil:
            for i in range(count):
                taken += packet_cache_insert(self.cache, seq + i, payload, size, now_us + i * step_us) == 0
        return taken

    def find_many(self, int64_t seq, int64_t now_us, int count):
        """Find `count` packets of consecutive numbers, without Python between; how many are there."""
        cdef int found = 0
        cdef int i
        with nogil:
            for i in range(count):
                found += packet_cache_find(self.cache, seq + i, now_us) != NULL
        return found
