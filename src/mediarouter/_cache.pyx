"""The retransmission slab; `_cache.pxd` tells what it keeps."""

from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy
from mediarouter._drop cimport DROP_RTP_DUPLICATE, DROP_RTP_TOO_OLD, DROP_TOO_LARGE

cdef enum:
    FIRST_CAPACITY = 64
    BLOCKS_PER_CHUNK = 64


cdef struct Block:                 # a free block; a used one is all payload
    Block *next


cdef struct Chunk:
    Chunk *next


cdef struct PacketPool:
    Block *unused
    Chunk *chunks
    int block_size
    int64_t bytes


cdef struct PacketCache:
    PacketPool *pool
    CachedPacket *packets          # by seq & (capacity - 1)
    int capacity                   # of the ring now
    int capacity_max
    int64_t max_age_us
    int64_t newest_seq             # -1: empty


cdef PacketPool *packet_pool_new(int block_size) noexcept nogil:
    cdef PacketPool *pool = <PacketPool *>calloc(1, sizeof(PacketPool))
    if pool != NULL:
        pool.block_size = (block_size + 63) & ~63
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
    cdef Block *block
    cdef uint8_t *memory
    cdef Chunk *chunk
    cdef size_t size
    cdef int i
    if pool.unused == NULL:
        size = sizeof(Chunk) + <size_t>pool.block_size * BLOCKS_PER_CHUNK
        chunk = <Chunk *>malloc(size)
        if chunk == NULL:
            return NULL
        chunk.next = pool.chunks
        pool.chunks = chunk
        pool.bytes += <int64_t>size
        memory = <uint8_t *>chunk + sizeof(Chunk)
        for i in range(BLOCKS_PER_CHUNK):
            give_block(pool, memory + i * pool.block_size)
    block = pool.unused
    pool.unused = block.next
    return <uint8_t *>block


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
        vacate(cache, &cache.packets[i])
    cache.newest_seq = -1


cdef inline void vacate(PacketCache *cache, CachedPacket *packet) noexcept nogil:
    if packet.data != NULL:
        give_block(cache.pool, packet.data)
        packet.data = NULL
    packet.seq = -1


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
        if cache.packets[i].data != NULL:
            packets[cache.packets[i].seq & (capacity - 1)] = cache.packets[i]
    free(cache.packets)
    cache.packets = packets
    cache.capacity = capacity
    return True


cdef int packet_cache_insert(PacketCache *cache, int64_t seq, const uint8_t *data, int size,
                             int64_t now_us) noexcept nogil:
    cdef CachedPacket *packet
    if size > cache.pool.block_size:
        return DROP_TOO_LARGE
    if cache.newest_seq >= 0 and seq <= cache.newest_seq - cache.capacity_max:
        return DROP_RTP_TOO_OLD
    while True:
        if cache.capacity:
            packet = &cache.packets[seq & (cache.capacity - 1)]
            if packet.seq == seq:
                return DROP_RTP_DUPLICATE
            if packet.seq > seq:
                return DROP_RTP_TOO_OLD
            # a place whose packet is still young asks for a larger ring
            if packet.seq < 0 or cache.capacity == cache.capacity_max or now_us - packet.arrival_us > cache.max_age_us:
                break
        if not grow(cache):
            if cache.capacity == 0:
                return DROP_TOO_LARGE
            break
    if packet.data == NULL:
        packet.data = take_block(cache.pool)
        if packet.data == NULL:
            return DROP_TOO_LARGE
    memcpy(packet.data, data, size)
    packet.seq = seq
    packet.size = <uint16_t>size
    packet.arrival_us = now_us
    if seq > cache.newest_seq:
        cache.newest_seq = seq
    return 0


cdef const CachedPacket *packet_cache_find(const PacketCache *cache, int64_t seq, int64_t now_us) noexcept nogil:
    cdef const CachedPacket *packet
    if cache.capacity == 0:
        return NULL
    packet = &cache.packets[seq & (cache.capacity - 1)]
    if packet.seq != seq or now_us - packet.arrival_us > cache.max_age_us:
        return NULL
    return packet


cdef class PacketCacheFace:
    """A PacketCache with a pool of its own, for tests.

    Args:
        capacity: packets kept at most, rounded up to a power of two.
        max_age_us: microseconds after which a packet is not found any more.
        block_size: largest packet, bytes.
    """
    cdef PacketPool *pool
    cdef PacketCache *cache

    def __cinit__(self, int capacity, int64_t max_age_us, int block_size=1600):
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
