# Two small hash tables of the data plane: SSRC to stream, socket address to transport. Open addressing, linear probing,
# grown at half full; a removal closes the gap, so there are no tombstones.
from libc.stdint cimport uint8_t, uint32_t
from mediarouter._address cimport Address

cdef struct SsrcEntry:
    uint32_t ssrc
    uint8_t role                   # 0: free; else the owner's own meaning
    void *owner

cdef struct SsrcTable:
    SsrcEntry *entries
    uint32_t capacity              # a power of two, 0 before the first entry
    uint32_t count

cdef void ssrc_table_release(SsrcTable *table) noexcept nogil
cdef const SsrcEntry *ssrc_table_find(const SsrcTable *table, uint32_t ssrc) noexcept nogil     # NULL: unknown
cdef bint ssrc_table_put(SsrcTable *table, uint32_t ssrc, int role, void *owner) noexcept nogil  # False: no memory
cdef void ssrc_table_remove(SsrcTable *table, uint32_t ssrc) noexcept nogil

cdef struct AddressEntry:
    Address address
    void *owner                    # NULL: free

cdef struct AddressTable:
    AddressEntry *entries
    uint32_t capacity
    uint32_t count

cdef void address_table_release(AddressTable *table) noexcept nogil
cdef void *address_table_find(const AddressTable *table, const Address *address) noexcept nogil
cdef bint address_table_put(AddressTable *table, const Address *address, void *owner) noexcept nogil
cdef void address_table_remove(AddressTable *table, const Address *address) noexcept nogil
