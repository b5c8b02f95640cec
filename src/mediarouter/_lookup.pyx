"""SSRC and address tables; `_lookup.pxd` tells how they work."""

cimport cython
from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from mediarouter._address cimport Address, address_equal, address_hash

cdef enum:
    FIRST_CAPACITY = 8


cdef inline uint32_t scramble(uint32_t ssrc) noexcept nogil:
    # SSRCs are chosen by the other side: spread them, so that neighbours do not pile up
    ssrc = (ssrc ^ (ssrc >> 16)) * <uint32_t>0x45D9F3B
    return ssrc ^ (ssrc >> 16)


cdef void ssrc_table_release(SsrcTable *table) noexcept nogil:
    free(table.entries)
    memset(table, 0, sizeof(SsrcTable))


cdef inline SsrcEntry *ssrc_slot(const SsrcTable *table, uint32_t ssrc) noexcept nogil:
    # the entry of this SSRC, or the free one where it would stand
    cdef uint32_t at = scramble(ssrc) & (table.capacity - 1)
    while table.entries[at].role and table.entries[at].ssrc != ssrc:
        at = (at + 1) & (table.capacity - 1)
    return &table.entries[at]


cdef const SsrcEntry *ssrc_table_find(const SsrcTable *table, uint32_t ssrc) noexcept nogil:
    if table.capacity == 0:
        return NULL
    cdef const SsrcEntry *entry = ssrc_slot(table, ssrc)
    return entry if entry.role else NULL


cdef bint ssrc_table_grow(SsrcTable *table) noexcept nogil:
    cdef SsrcTable larger
    cdef uint32_t i
    larger.capacity = table.capacity * 2 if table.capacity else FIRST_CAPACITY
    larger.count = table.count
    larger.entries = <SsrcEntry *>calloc(larger.capacity, sizeof(SsrcEntry))
    if larger.entries == NULL:
        return False
    for i in range(table.capacity):
        if table.entries[i].role:
            ssrc_slot(&larger, table.entries[i].ssrc)[0] = table.entries[i]
    free(table.entries)
    table[0] = larger
    return True


cdef bint ssrc_table_put(SsrcTable *table, uint32_t ssrc, int role, void *owner) noexcept nogil:
    if (table.count + 1) * 2 > table.capacity and not ssrc_table_grow(table):
        return False
    cdef SsrcEntry *entry = ssrc_slot(table, ssrc)
    if not entry.role:
        table.count += 1
    entry.ssrc = ssrc
    entry.role = <uint8_t>role
    entry.owner = owner
    return True


cdef void ssrc_table_remove(SsrcTable *table, uint32_t ssrc) noexcept nogil:
    cdef SsrcEntry moved
    cdef uint32_t at
    if table.capacity == 0:
        return
    cdef SsrcEntry *entry = ssrc_slot(table, ssrc)
    if not entry.role:
        return
    entry.role = 0
    table.count -= 1
    # entries behind the gap may have been pushed past it: place them again
    at = <uint32_t>((entry - table.entries) + 1) & (table.capacity - 1)
    while table.entries[at].role:
        moved = table.entries[at]
        table.entries[at].role = 0
        ssrc_slot(table, moved.ssrc)[0] = moved
        at = (at + 1) & (table.capacity - 1)


cdef void address_table_release(AddressTable *table) noexcept nogil:
    free(table.entries)
    memset(table, 0, sizeof(AddressTable))


cdef inline AddressEntry *address_slot(const AddressTable *table, const Address *address) noexcept nogil:
    cdef uint32_t at = address_hash(address) & (table.capacity - 1)
    while table.entries[at].owner != NULL and not address_equal(&table.entries[at].address, address):
        at = (at + 1) & (table.capacity - 1)
    return &table.entries[at]


cdef void *address_table_find(const AddressTable *table, const Address *address) noexcept nogil:
    if table.capacity == 0:
        return NULL
    return address_slot(table, address).owner


cdef bint address_table_grow(AddressTable *table) noexcept nogil:
    cdef AddressTable larger
    cdef uint32_t i
    larger.capacity = table.capacity * 2 if table.capacity else FIRST_CAPACITY
    larger.count = table.count
    larger.entries = <AddressEntry *>calloc(larger.capacity, sizeof(AddressEntry))
    if larger.entries == NULL:
        return False
    for i in range(table.capacity):
        if table.entries[i].owner != NULL:
            address_slot(&larger, &table.entries[i].address)[0] = table.entries[i]
    free(table.entries)
    table[0] = larger
    return True


cdef bint address_table_put(AddressTable *table, const Address *address, void *owner) noexcept nogil:
    if (table.count + 1) * 2 > table.capacity and not address_table_grow(table):
        return False
    cdef AddressEntry *entry = address_slot(table, address)
    if entry.owner == NULL:
        table.count += 1
    entry.address = address[0]
    entry.owner = owner
    return True


cdef void address_table_remove(AddressTable *table, const Address *address) noexcept nogil:
    cdef AddressEntry moved
    cdef uint32_t at
    if table.capacity == 0:
        return
    cdef AddressEntry *entry = address_slot(table, address)
    if entry.owner == NULL:
        return
    entry.owner = NULL
    table.count -= 1
    at = <uint32_t>((entry - table.entries) + 1) & (table.capacity - 1)
    while table.entries[at].owner != NULL:
        moved = table.entries[at]
        table.entries[at].owner = NULL
        address_slot(table, &moved.address)[0] = moved
        at = (at + 1) & (table.capacity - 1)


@cython.final
cdef class SsrcTableFace:
    """An SsrcTable for tests: roles 1..255 by SSRC."""
    cdef SsrcTable table

    def __dealloc__(self):
        ssrc_table_release(&self.table)

    def __len__(self):
        return self.table.count

    def find(self, uint32_t ssrc):
        """The role, None when the SSRC is unknown."""
        cdef const SsrcEntry *entry = ssrc_table_find(&self.table, ssrc)
        return None if entry == NULL else entry.role

    def put(self, uint32_t ssrc, int role):
        """Set or replace."""
        return bool(ssrc_table_put(&self.table, ssrc, role, NULL))

    def remove(self, uint32_t ssrc):
        """An unknown one is no error."""
        ssrc_table_remove(&self.table, ssrc)


@cython.final
cdef class AddressTableFace:
    """An AddressTable for tests: numbers from 1 by IPv4 address and port."""
    cdef AddressTable table

    def __dealloc__(self):
        address_table_release(&self.table)

    def __len__(self):
        return self.table.count

    cdef Address address(self, bytes ip, int port):
        cdef Address address
        cdef int i
        memset(&address, 0, sizeof(address))
        for i in range(4):
            address.sockaddr[4 + i] = ip[i]
        address.sockaddr[2] = <uint8_t>(port >> 8)
        address.sockaddr[3] = <uint8_t>(port & 255)
        address.sockaddr_size = 16
        return address

    def find(self, bytes ip, int port):
        """The number, None when the address is unknown."""
        cdef Address address = self.address(ip, port)
        cdef void *owner = address_table_find(&self.table, &address)
        return None if owner == NULL else <size_t>owner

    def put(self, bytes ip, int port, size_t owner):
        """Set or replace."""
        cdef Address address = self.address(ip, port)
        return bool(address_table_put(&self.table, &address, <void *>owner))

    def remove(self, bytes ip, int port):
        """An unknown one is no error."""
        cdef Address address = self.address(ip, port)
        address_table_remove(&self.table, &address)
