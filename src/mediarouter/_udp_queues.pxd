# Datagrams that wait because a socket had no room: a bounded queue for each receiver (`_backlog.pxd`), served in turn.
from libc.stdint cimport uint8_t
from mediarouter._address cimport Address
from mediarouter._backlog cimport Backlog
from mediarouter._lookup cimport AddressTable
from mediarouter._plane cimport SendClass

cdef struct UdpQueue:
    Address remote
    Backlog backlog
    UdpQueue *next

cdef struct UdpQueues:
    AddressTable by_address        # UdpQueue
    UdpQueue *head                 # whose turn it is
    UdpQueue *tail
    int count

cdef void udp_queues_release(UdpQueues *queues) noexcept nogil
# How many datagrams were lost for it, itself included
cdef int udp_queues_push(UdpQueues *queues, const Address *remote, const uint8_t *data, int size,
                         SendClass send_class) noexcept nogil
# The head has had its turn: it goes behind the others, or away when it is empty
cdef void udp_queues_turn(UdpQueues *queues) noexcept nogil
