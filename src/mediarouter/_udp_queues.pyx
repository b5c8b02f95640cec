"""What waits for room in a socket; `_udp_queues.pxd` tells how."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from mediarouter._address cimport Address
from mediarouter._backlog cimport backlog_count, backlog_push, backlog_release
from mediarouter._lookup cimport address_table_find, address_table_put, address_table_release, address_table_remove
from mediarouter._plane cimport SendClass


cdef void udp_queues_release(UdpQueues *queues) noexcept nogil:
    cdef UdpQueue *queue = queues.head
    cdef UdpQueue *following
    while queue != NULL:
        following = queue.next
        backlog_release(&queue.backlog)
        free(queue)
        queue = following
    address_table_release(&queues.by_address)
    memset(queues, 0, sizeof(UdpQueues))


cdef UdpQueue *queue_of(UdpQueues *queues, const Address *remote) noexcept nogil:
    cdef UdpQueue *queue = <UdpQueue *>address_table_find(&queues.by_address, remote)
    if queue != NULL:
        return queue
    queue = <UdpQueue *>calloc(1, sizeof(UdpQueue))
    if queue == NULL or not address_table_put(&queues.by_address, remote, queue):
        free(queue)
        return NULL
    queue.remote = remote[0]
    append(queues, queue)
    queues.count += 1
    return queue


cdef void append(UdpQueues *queues, UdpQueue *queue) noexcept nogil:
    queue.next = NULL
    if queues.tail == NULL:
        queues.head = queue
    else:
        queues.tail.next = queue
    queues.tail = queue


cdef int udp_queues_push(UdpQueues *queues, const Address *remote, const uint8_t *data, int size,
                         SendClass send_class) noexcept nogil:
    cdef UdpQueue *queue = queue_of(queues, remote)
    if queue == NULL:
        return 1
    return backlog_push(&queue.backlog, data, size, send_class, False)


cdef void udp_queues_turn(UdpQueues *queues) noexcept nogil:
    cdef UdpQueue *queue = queues.head
    queues.head = queue.next
    if queues.head == NULL:
        queues.tail = NULL
    if backlog_count(&queue.backlog):
        append(queues, queue)
        return
    address_table_remove(&queues.by_address, &queue.remote)
    backlog_release(&queue.backlog)
    free(queue)
    queues.count -= 1
