# The retransmission slab: ONE plaintext copy of each packet of a received stream, shared by all its consumers.
# A ring over sequence numbers; packets older than `max_age_us` or `capacity` places behind the newest are gone.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef struct CachedPacket:
    uint8_t *data                  # a block of the pool, owned by the cache; valid until the next insert. NULL: gone
    int64_t seq                    # unwrapped, of what is or was here; -1: nothing was
    int64_t arrival_us
    uint16_t size

cdef struct PacketPool             # blocks of one size, shared by the caches of a worker; private to _cache.pyx
cdef struct PacketCache            # private to _cache.pyx

cdef PacketPool *packet_pool_new(int block_size) noexcept nogil
cdef void packet_pool_free(PacketPool *pool) noexcept nogil                # after every cache on it is freed
cdef int64_t packet_pool_bytes(const PacketPool *pool) noexcept nogil      # memory held, used or not

cdef PacketCache *packet_cache_new(PacketPool *pool, int capacity, int64_t max_age_us) noexcept nogil
cdef void packet_cache_free(PacketCache *cache) noexcept nogil
# Copy a packet in. 0; DROP_RTP_DUPLICATE when that number is there already; DROP_RTP_TOO_OLD when its place has passed.
cdef int packet_cache_insert(PacketCache *cache, int64_t seq, const uint8_t *data, int size,
                             int64_t now_us) noexcept nogil
# NULL when it is not there (never came, or too old)
cdef const CachedPacket *packet_cache_find(const PacketCache *cache, int64_t seq, int64_t now_us) noexcept nogil
cdef void packet_cache_clear(PacketCache *cache) noexcept nogil
# Give the blocks of packets that are too old back to the pool. Inserting does so too, a few at a time; this is for
# streams that have fallen silent.
cdef void packet_cache_expire(PacketCache *cache, int64_t now_us) noexcept nogil
