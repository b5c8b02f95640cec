"""Limits towards publishers; `_uplink_limit.pxd`.

Theory of operation
A client that takes no signalling about layers still obeys a limit, and then leaves out the layers that it cannot pay
for, from the top. So where something it sends is wanted by nobody, it may send what the rest costs and a quarter of it
more, so that the rest is not held down; where all is wanted, there is no limit but the service's. What an encoding
costs is what it did when it flowed, or what browsers send in its place if that is more: a limit that follows what is
sent would keep a stream that begins from growing. Audio is always paid for.

A limit is lifted by one that nobody reaches, since 0 means no limit to some and silence to others.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from mediarouter._egress cimport egress_ready, egress_reserve, egress_rtcp
from mediarouter._layer_rates cimport layer_rates_guess_bps
from mediarouter._layers cimport LAYER_NONE
from mediarouter._plane cimport PACKET_OVERHEAD, Encoding, IncomingLimit, Plane, Producer, Transport
from mediarouter._rtcp cimport rtcp_write_remb, rtcp_write_tmmbr

cdef enum:
    LIFTED_BPS = 1000000000        # no limit
    LIFTED_TIMES = 4               # how often that is told
    LEAST_BPS = 30000              # where nothing is wanted: enough for what keeps a path alive
    SOURCES_MAX = 64               # SSRCs in one message
    MESSAGE_SIZE = 600


cdef inline int64_t allowance_bps(const Encoding *encoding) noexcept nogil:
    return max(encoding.usual_bps * 5 // 4, layer_rates_guess_bps(encoding.producer, encoding.index))


cdef inline bint is_spared(const Transport *transport, const Encoding *encoding) noexcept nogil:
    return (transport.incoming.wanted_only and encoding.producer.is_video
            and encoding.producer.wanted.told[encoding.index] == LAYER_NONE)


cdef int64_t needed_bps(const Transport *transport, bint *spared) noexcept nogil:
    # of all that is wanted
    cdef const Producer *producer
    cdef int64_t total_bps = 0
    cdef int i, k
    spared[0] = False
    for i in range(transport.producer_count):
        producer = transport.producers[i]
        for k in range(producer.encoding_count):
            if is_spared(transport, &producer.encodings[k]):
                spared[0] = True
            else:
                total_bps += allowance_bps(&producer.encodings[k])
    return total_bps


cdef int64_t limit_bps(const Transport *transport) noexcept nogil:
    # 0: there is none
    cdef bint spared
    cdef int64_t needed = max(needed_bps(transport, &spared), LEAST_BPS)
    if not spared or 0 < transport.incoming.service_bps < needed:
        return transport.incoming.service_bps
    return needed


cdef void uplink_limit_repeat(Plane *plane, Transport *transport) noexcept nogil:
    tell(plane, transport, limit_bps(transport))


cdef void uplink_limit_renew(Plane *plane, Transport *transport) noexcept nogil:
    cdef int64_t limit = limit_bps(transport)
    if limit != transport.incoming.told_bps:
        tell(plane, transport, limit)


cdef void tell(Plane *plane, Transport *transport, int64_t limit) noexcept nogil:
    cdef IncomingLimit *incoming = &transport.incoming
    if limit == 0 and incoming.told_bps == 0 and incoming.repeats_left == 0:
        return
    if not egress_ready(transport):
        return
    if not send(plane, transport, limit if limit else LIFTED_BPS):
        return                     # none of its streams is known, or takes such messages
    if limit == 0:
        incoming.repeats_left = LIFTED_TIMES - 1 if incoming.told_bps else incoming.repeats_left - 1
    incoming.told_bps = limit


cdef bint send(Plane *plane, Transport *transport, int64_t limit) noexcept nogil:
    cdef uint32_t ssrcs[SOURCES_MAX]
    cdef uint64_t rates_bps[SOURCES_MAX]
    cdef uint8_t *out
    cdef int size = 0
    cdef int count = find_remb(transport, ssrcs)
    cdef bint sent = False
    if count:
        out = egress_reserve(plane, MESSAGE_SIZE)
        if out != NULL:
            size = rtcp_write_remb(out, MESSAGE_SIZE, transport.feedback_ssrc, <uint64_t>limit, ssrcs, count)
            sent = egress_rtcp(plane, transport, out, size)
    count = find_tmmbr(transport, limit, ssrcs, rates_bps)
    if count:
        out = egress_reserve(plane, MESSAGE_SIZE)
        if out != NULL:
            size = rtcp_write_tmmbr(out, MESSAGE_SIZE, transport.feedback_ssrc, ssrcs, rates_bps, PACKET_OVERHEAD,
                                    count)
            sent = egress_rtcp(plane, transport, out, size) or sent
    return sent


cdef int find_remb(const Transport *transport, uint32_t *ssrcs) noexcept nogil:
    cdef const Producer *producer
    cdef int count = 0
    cdef int i, k
    for i in range(transport.producer_count):
        producer = transport.producers[i]
        for k in range(producer.encoding_count):
            if producer.takes_remb and producer.encodings[k].stream.ssrc and count < SOURCES_MAX:
                ssrcs[count] = producer.encodings[k].stream.ssrc
                count += 1
    return count


cdef int find_tmmbr(const Transport *transport, int64_t limit, uint32_t *ssrcs, uint64_t *rates_bps) noexcept nogil:
    # a limit for each stream: its share of the whole, by what it costs
    cdef const Producer *producer
    cdef const Encoding *encoding
    cdef bint spared
    cdef int64_t total_bps = max(needed_bps(transport, &spared), 1)
    cdef int count = 0
    cdef int i, k
    for i in range(transport.producer_count):
        producer = transport.producers[i]
        for k in range(producer.encoding_count):
            encoding = &producer.encodings[k]
            if not producer.takes_tmmbr or producer.takes_remb or encoding.stream.ssrc == 0 or count == SOURCES_MAX:
                continue
            ssrcs[count] = encoding.stream.ssrc
            if is_spared(transport, encoding):
                rates_bps[count] = 0
            elif limit == LIFTED_BPS:
                rates_bps[count] = <uint64_t>limit
            else:
                rates_bps[count] = <uint64_t>(limit * min(allowance_bps(encoding), total_bps) // total_bps)
            count += 1
    return count
