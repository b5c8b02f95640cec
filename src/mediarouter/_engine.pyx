"""The engine as Python sees it: commands in, events and figures out.

One `Engine` is one data plane. `run()` is the thread: it stays in C, without the GIL, until `stop()`. Without a
thread the same engine is sans-IO: `handle_batch` brings datagrams and time, `poll_transmit` and `poll_timeout` tell
what to do.

A command takes the plane's mutex, without the GIL, for as long as it writes its table; handles are numbers that find
nothing once their row is gone.
"""

cimport cython
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from mediarouter._address cimport Address
from mediarouter._balance cimport balance_counters
from mediarouter._cache cimport packet_pool_bytes
from mediarouter._drop cimport DROP_COUNT
from mediarouter._egress cimport egress_plain, outbox_clear
from mediarouter._forward cimport consumer_retarget, forward_prepare
from mediarouter._ice cimport IceCredentials, ice_restart
from mediarouter._ingress cimport ingress_handle
from mediarouter._key_frames cimport key_frame_ask
from mediarouter._layers cimport LAYER_NONE, layers_reset
from mediarouter._lookup cimport ssrc_table_put
from mediarouter._loop cimport (
    LATENCY_BUCKETS,
    loop_add_socket,
    loop_apply_gather,
    loop_close_sockets,
    loop_free,
    loop_lock,
    loop_new,
    loop_run,
    loop_stop,
    loop_time_us,
    loop_unlock,
)
from mediarouter._pipe_in cimport pipe_in_drain, pipe_in_waits
from mediarouter._pipe_out cimport pipe_flush_all
from mediarouter._plane cimport (
    ENCODINGS_MAX,
    EXTENSION_KINDS,
    NO_PAYLOAD_TYPE,
    ROLE_CONSUMER,
    ROLE_CONSUMER_RTX,
    ROLE_MEDIA,
    ROLE_RTX,
    Consumer,
    Encoding,
    OutPacket,
    Plane,
    PlaneRows,
    Producer,
    Transport,
    plane_add_consumer,
    plane_add_producer,
    plane_add_transport,
    plane_consumer,
    plane_count_rows,
    plane_producer,
    plane_remove_consumer,
    plane_remove_producer,
    plane_remove_transport,
    plane_restart_encoding,
    plane_touch_wanted,
    plane_transport,
)
from mediarouter._reports cimport reports_begin, reports_run_timers, reports_send_bye
from mediarouter._srtp cimport SrtpContext, SrtpProfile, srtp_context_free, srtp_context_new
from mediarouter._timers cimport timer_next_deadline_us
from mediarouter.codecs._codec cimport CodecKind, codec_of

import socket as _addresses

from mediarouter import _drop, _events
from mediarouter.errors import InvalidStateError

cdef enum:
    DATAGRAM_SIZE = 2048
    EVENT_COPY = 1 << 20


cdef struct Copied:                # a Python bytes of bounded size, for a command that runs without the GIL
    uint8_t data[64]
    uint8_t size


cdef Copied copied(value, int limit):
    cdef Copied copy
    cdef bytes data = bytes(value)
    if len(data) > limit:
        raise ValueError(f"{len(data)} bytes where {limit} are the most")
    memset(&copy, 0, sizeof(copy))
    copy.size = <uint8_t>len(data)
    memcpy(copy.data, <const char *>data, len(data))
    return copy


@cython.final
cdef class Engine:
    """One data plane, with a thread of its own or without.

    Raises:
        MemoryError: no memory or file descriptors left.
    """

    def __cinit__(self):
        self.loop = loop_new()
        if self.loop == NULL:
            raise MemoryError("an engine needs memory, an epoll and two event descriptors")
        self.event_fd = self.loop.event_fd
        self.event_copy = bytearray(EVENT_COPY)

    def __dealloc__(self):
        if self.loop != NULL:
            loop_free(self.loop)

    # ---- the thread

    def add_socket(self, int udp_fd, int tcp_fd, uint32_t recv_buffer_size):
        """Give the engine a bound UDP socket and, or -1, a listening TCP socket; both non-blocking, now its own.

        Raises:
            InvalidStateError: eight pairs are the most.
        """
        if not loop_add_socket(self.loop, udp_fd, tcp_fd, recv_buffer_size):
            raise InvalidStateError("no more sockets can be added")

    def run(self, bint realtime=True):
        """The engine thread: returns after `stop()`. Never holds the GIL while it works.

        Args:
            realtime: ask the system to schedule it before ordinary threads; without the right to, it goes on without.
        """
        self.loop.realtime = realtime
        self.loop.threaded = True
        with nogil:
            loop_run(self.loop)
        self.loop.threaded = False

    def stop(self):
        """Make `run()` return soon; from any thread."""
        loop_stop(self.loop)

    def close_sockets(self):
        """Close its sockets, so that others can take their ports; after `run()` has returned.

        Raises:
            InvalidStateError: the thread runs.
        """
        if self.loop.threaded:
            raise InvalidStateError("the engine runs")
        loop_close_sockets(self.loop)

    def set_gather(self, int64_t gather_us, bint in_turns=False):
        """How long a packet of a video frame may wait for the rest of it (`_gather.pxd`), 0: not at all. While the
        thread is busy for half of its time, twice as long.

        With `in_turns` whole frames wait for the next `handle_timeout`, as they always do for the thread.

        Raises:
            ValueError: below 0, or above 10,000.
        """
        if not 0 <= gather_us <= 10000:
            raise ValueError(f"frames can be gathered for 0 to 10,000 us, not {gather_us}")
        with nogil:
            loop_lock(self.loop)
            self.loop.plane.gather_us = gather_us
            self.loop.plane.in_turns = in_turns or self.loop.threaded
            loop_apply_gather(self.loop)
            loop_unlock(self.loop)

    def set_rest(self, int64_t rest_us):
        """How long the thread sleeps when little came and more is about to come, so that it is woken less often; what
        comes meanwhile is that much later at most. 0: it never does.

        Raises:
            ValueError: below 0, or above 1,000.
        """
        if not 0 <= rest_us <= 1000:
            raise ValueError(f"the thread can rest for 0 to 1,000 us, not {rest_us}")
        self.loop.rest_us = rest_us

    # ---- sans-IO

    def handle_batch(self, datagrams, int64_t now_us):
        """Take datagrams as from a socket.

        Args:
            datagrams: pairs of (data, (ip, port)).
            now_us: microseconds of a clock that never goes back.
        """
        cdef Address source
        cdef bytes data
        cdef int size
        self.loop.now_us = now_us
        for item, address in datagrams:
            data = bytes(item)
            size = <int>len(data)
            if size > DATAGRAM_SIZE:
                raise ValueError("a datagram larger than 2048 bytes")
            memcpy(self.datagram, <const char *>data, size)
            source = parse_address(address)
            ingress_handle(&self.loop.plane, self.datagram, size, &source, now_us)
        self.handle_timeout(now_us)

    def handle_timeout(self, int64_t now_us):
        """Do what is due by time."""
        self.loop.now_us = now_us
        while pipe_in_drain(&self.loop.plane, now_us):
            pass
        reports_run_timers(&self.loop.plane, now_us)
        pipe_flush_all(&self.loop.plane)

    def poll_transmit(self):
        """What shall be sent: a list of (data, (ip, port)), grouped by destination, emptied by this call."""
        cdef Plane *plane = &self.loop.plane
        cdef list packets = []
        cdef const OutPacket *packet
        cdef int i, at
        for i in range(plane.outbox.destination_count):
            address = format_address(&plane.outbox.destinations[i].remote)[:2]
            at = plane.outbox.destinations[i].first
            while at >= 0:
                packet = &plane.outbox.packets[at]
                packets.append(((<char *>plane.outbox.arena)[packet.offset:packet.offset + packet.size], address))
                at = packet.next
        self.loop.udp.sent += len(packets)
        outbox_clear(plane.outbox)
        return packets

    def poll_timeout(self):
        """When `handle_timeout` is due next, in microseconds of the caller's clock; None: nothing waits."""
        if pipe_in_waits(&self.loop.plane) or self.loop.plane.first_due != NULL:
            return self.loop.now_us
        cdef int64_t deadline_us = timer_next_deadline_us(self.loop.plane.timers)
        return None if deadline_us < 0 else deadline_us

    # ---- transports

    def add_transport(self, uint32_t feedback_ssrc, cname):
        """A new WebRTC transport; its handle.

        Args:
            feedback_ssrc: our SSRC in feedback and receiver reports.
            cname: of the participant, at most 31 bytes (RFC 3550 6.5.1).
        """
        cdef Copied name = copied(cname, 31)
        cdef Transport *transport
        cdef uint32_t handle = 0
        with nogil:
            loop_lock(self.loop)
            transport = plane_add_transport(&self.loop.plane, loop_time_us(self.loop))
            if transport != NULL:
                transport.feedback_ssrc = feedback_ssrc
                memcpy(transport.cname, name.data, name.size)
                transport.cname_size = name.size
                handle = transport.handle
            loop_unlock(self.loop)
        if handle == 0:
            raise MemoryError("no memory for a transport")
        return handle

    def set_ice_credentials(self, uint32_t handle, ufrag, password, *, bint restart=False):
        """What checks for this transport must bear. On a restart the old ones count until the new are used.

        Args:
            ufrag: begins with `ufrag_prefix(handle)`; at most 32 bytes.
            password: at most 64 bytes.
        """
        cdef Copied name = copied(ufrag, 32)
        cdef Copied secret = copied(password, 64)
        cdef IceCredentials fresh
        cdef Transport *transport
        memcpy(fresh.ufrag, name.data, 32)
        memcpy(fresh.password, secret.data, 64)
        fresh.ufrag_size = name.size
        fresh.password_size = secret.size
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL and restart:
                ice_restart(&transport.ice, &fresh)
            elif transport != NULL:
                transport.ice.local = fresh
            loop_unlock(self.loop)
        return must_be(transport != NULL, "transport")

    def set_remote_ufrag(self, uint32_t handle, ufrag):
        """The peer's ufrag, known from signalling: checks with another are refused. Empty: any."""
        cdef Copied name = copied(ufrag, 32)
        cdef Transport *transport
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL:
                memcpy(transport.ice.remote_ufrag, name.data, 32)
                transport.ice.remote_ufrag_size = name.size
            loop_unlock(self.loop)
        return must_be(transport != NULL, "transport")

    def want_dtls(self, uint32_t handle):
        """Pass DTLS datagrams of this transport on as events."""
        cdef Transport *transport
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL:
                transport.dtls_wanted = True
            loop_unlock(self.loop)
        return must_be(transport != NULL, "transport")

    def send_dtls(self, uint32_t handle, data):
        """Send a DTLS datagram to where the transport sends; False when there is no such place yet."""
        cdef const uint8_t[::1] view = data
        cdef int size = <int>view.shape[0]
        cdef Transport *transport
        cdef bint sent = False
        if size == 0:
            return False
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL:
                sent = egress_plain(&self.loop.plane, transport, &view[0], size)
            loop_unlock(self.loop)
        return sent

    def set_keys(self, uint32_t handle, int profile, inbound_key, outbound_key):
        """SRTP keys of a finished handshake: media flows from here on.

        Args:
            profile: number of the SRTP protection profile (RFC 5764, RFC 7714).
            inbound_key: the peer's master key and salt.
            outbound_key: ours.
        """
        cdef Copied inbound = copied(inbound_key, 64)
        cdef Copied outbound = copied(outbound_key, 64)
        cdef Transport *transport
        cdef SrtpContext *receiving
        cdef SrtpContext *sending
        cdef bint taken = False
        with nogil:
            receiving = srtp_context_new(<SrtpProfile>profile, inbound.data, inbound.size, True)
            sending = srtp_context_new(<SrtpProfile>profile, outbound.data, outbound.size, False)
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL and transport.inbound == NULL and receiving != NULL and sending != NULL:
                transport.inbound = receiving
                transport.outbound = sending
                reports_begin(&self.loop.plane, transport, loop_time_us(self.loop))
                taken = True
            loop_unlock(self.loop)
            if not taken:
                srtp_context_free(receiving)
                srtp_context_free(sending)
        must_be(transport != NULL, "transport")
        if not taken:
            raise InvalidStateError("the keys do not fit the profile, or the transport has some already")

    def set_extensions(self, uint32_t handle, dict kinds):
        """Header extensions the peer sends: ExtensionKind by id (1..14; RFC 8285)."""
        cdef uint8_t table[256]
        cdef Transport *transport
        memset(table, 0, sizeof(table))
        for element_id, kind in kinds.items():
            if not 1 <= element_id <= 255 or not 0 < kind < EXTENSION_KINDS:
                raise ValueError(f"header extension {element_id}: {kind}")
            table[<int>element_id] = <uint8_t>kind
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL:
                memcpy(transport.extension_kind, table, sizeof(table))
            loop_unlock(self.loop)
        return must_be(transport != NULL, "transport")

    def remove_transport(self, uint32_t handle):
        """Close a transport and all on it; a handle out of date is no error."""
        cdef Transport *transport
        cdef Consumer *consumer
        cdef int i
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL:
                for i in range(transport.consumer_count):
                    consumer = transport.consumers[i]
                    reports_send_bye(&self.loop.plane, transport, consumer.ssrc, consumer.rtx_ssrc)
                plane_remove_transport(&self.loop.plane, transport)
            loop_unlock(self.loop)

    # ---- producers

    def add_producer(self, uint32_t transport_handle, *, bint video, uint32_t clock_rate, int codec,
                     int payload_type, int rtx_payload_type, mid, bint nack, bint use_fir, bint paused, encodings):
        """A source of media; its handle.

        Args:
            codec: CodecKind.
            rtx_payload_type: -1 without retransmission streams (RFC 4588).
            mid: as in the MID header extension, at most 16 bytes.
            encodings: (rid, ssrc, rtx_ssrc) of each simulcast stream from the lowest; rid empty and SSRCs 0 where not
                signalled.
        """
        cdef Copied label = copied(mid, 16)
        cdef Copied rids[ENCODINGS_MAX]
        cdef uint32_t ssrcs[ENCODINGS_MAX]
        cdef uint32_t rtx_ssrcs[ENCODINGS_MAX]
        cdef Transport *transport
        cdef Producer *producer = NULL
        cdef uint32_t handle = 0
        cdef int i
        cdef int count = <int>len(encodings)
        if not 1 <= count <= ENCODINGS_MAX:
            raise ValueError(f"{count} encodings where 1 to {ENCODINGS_MAX} can be")
        for i in range(count):
            rid, ssrc, rtx_ssrc = encodings[i]
            rids[i] = copied(rid, 16)
            ssrcs[i] = ssrc
            rtx_ssrcs[i] = rtx_ssrc
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, transport_handle)
            if transport != NULL:
                producer = plane_add_producer(&self.loop.plane, transport, count, clock_rate, video, nack)
            if producer != NULL:
                handle = producer.handle
                producer.codec = codec_of(<CodecKind>codec)
                producer.payload_type = <uint8_t>payload_type
                producer.rtx_payload_type = <uint8_t>(rtx_payload_type if rtx_payload_type >= 0 else NO_PAYLOAD_TYPE)
                memcpy(producer.mid, label.data, 16)
                producer.mid_size = label.size
                producer.paused = paused
                for i in range(count):
                    describe_encoding(&self.loop.plane, &producer.encodings[i], &rids[i], ssrcs[i], rtx_ssrcs[i],
                                      use_fir)
            loop_unlock(self.loop)
        must_be(transport != NULL, "transport")
        if handle == 0:
            raise MemoryError("no memory for a producer")
        return handle

    def pause_producer(self, uint32_t handle, bint paused):
        """Stop or resume passing its packets on; a resumed video is asked for a key frame."""
        cdef Producer *producer
        cdef int i
        with nogil:
            loop_lock(self.loop)
            producer = plane_producer(&self.loop.plane, handle)
            if producer != NULL and producer.paused != paused:
                producer.paused = paused
                plane_touch_wanted(&self.loop.plane, producer)
                for i in range(producer.consumer_count):
                    layers_reset(&producer.consumers[i].layers)
                    consumer_retarget(&self.loop.plane, producer.consumers[i], loop_time_us(self.loop))
            loop_unlock(self.loop)
        return must_be(producer != NULL, "producer")

    def remove_producer(self, uint32_t handle):
        """Close a producer and its consumers; a handle out of date is no error."""
        cdef Producer *producer
        cdef Consumer *consumer
        cdef int i
        with nogil:
            loop_lock(self.loop)
            producer = plane_producer(&self.loop.plane, handle)
            if producer != NULL:
                for i in range(producer.consumer_count):
                    consumer = producer.consumers[i]
                    reports_send_bye(&self.loop.plane, consumer.transport, consumer.ssrc, consumer.rtx_ssrc)
                plane_remove_producer(&self.loop.plane, producer)
            loop_unlock(self.loop)

    # ---- consumers

    def add_consumer(self, uint32_t transport_handle, uint32_t producer_handle, *, uint32_t ssrc, uint32_t rtx_ssrc,
                     int payload_type, int rtx_payload_type, mid, dict extensions, bint mixed, uint16_t first_seq,
                     bint paused, int spatial, int temporal):
        """A copy of a producer for one receiver; its handle.

        Args:
            rtx_ssrc: 0 without a retransmission stream; then a packet is resent as it was, byte for byte.
            extensions: id by ExtensionKind.
            mixed: the receiver takes one- and two-byte header extensions (RFC 8285 4.1.2).
            first_seq: below 2^15, so that a late joiner need not guess the rollover counter (RFC 3711 3.3.1).
            spatial: preferred layer, 127 the best.
        """
        cdef Copied label = copied(mid, 16)
        cdef uint8_t ids[EXTENSION_KINDS]
        cdef Transport *transport
        cdef Producer *producer
        cdef Consumer *consumer = NULL
        cdef uint32_t handle = 0
        cdef bint two_byte = False
        memset(ids, 0, sizeof(ids))
        for kind, element_id in extensions.items():
            ids[<int>kind] = <uint8_t>element_id
            two_byte = two_byte or element_id > 14
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, transport_handle)
            producer = plane_producer(&self.loop.plane, producer_handle)
            if transport != NULL and producer != NULL:
                consumer = plane_add_consumer(&self.loop.plane, transport, producer, first_seq)
            if consumer != NULL:
                handle = consumer.handle
                consumer.ssrc = ssrc
                consumer.rtx_ssrc = rtx_ssrc
                consumer.payload_type = <uint8_t>payload_type
                consumer.rtx_payload_type = <uint8_t>(rtx_payload_type if rtx_payload_type >= 0 else NO_PAYLOAD_TYPE)
                memcpy(consumer.mid, label.data, 16)
                consumer.mid_size = label.size
                memcpy(consumer.extension_id, ids, sizeof(ids))
                consumer.two_byte = two_byte
                consumer.mixed = mixed
                forward_prepare(consumer)
                consumer.paused = paused
                consumer.layers.preferred_spatial = <int8_t>spatial
                consumer.layers.preferred_temporal = <int8_t>temporal
                ssrc_table_put(&transport.sent, ssrc, ROLE_CONSUMER, consumer)
                if rtx_ssrc:
                    ssrc_table_put(&transport.sent, rtx_ssrc, ROLE_CONSUMER_RTX, consumer)
                consumer_retarget(&self.loop.plane, consumer, loop_time_us(self.loop))
            loop_unlock(self.loop)
        must_be(transport != NULL, "transport")
        must_be(producer != NULL, "producer")
        if handle == 0:
            raise MemoryError("no memory for a consumer")
        return handle

    def pause_consumer(self, uint32_t handle, bint paused):
        """Stop or resume one receiver's copy; a resumed video begins with a key frame."""
        cdef Consumer *consumer
        with nogil:
            loop_lock(self.loop)
            consumer = plane_consumer(&self.loop.plane, handle)
            if consumer != NULL and consumer.paused != paused:
                consumer.paused = paused
                layers_reset(&consumer.layers)
                consumer_retarget(&self.loop.plane, consumer, loop_time_us(self.loop))
            loop_unlock(self.loop)
        return must_be(consumer != NULL, "consumer")

    def set_preferred_layers(self, uint32_t handle, int spatial, int temporal):
        """What this receiver shall get where it is there: 0.., 127 the best."""
        cdef Consumer *consumer
        with nogil:
            loop_lock(self.loop)
            consumer = plane_consumer(&self.loop.plane, handle)
            if consumer != NULL:
                consumer.layers.preferred_spatial = <int8_t>spatial
                consumer.layers.preferred_temporal = <int8_t>temporal
                consumer_retarget(&self.loop.plane, consumer, loop_time_us(self.loop))
            loop_unlock(self.loop)
        return must_be(consumer != NULL, "consumer")

    def request_key_frame(self, uint32_t handle):
        """Ask the publisher for a key frame of what this receiver gets, within the throttle."""
        cdef Consumer *consumer
        cdef int encoding
        with nogil:
            loop_lock(self.loop)
            consumer = plane_consumer(&self.loop.plane, handle)
            if consumer != NULL and consumer.producer.is_video:
                encoding = consumer.layers.current_spatial
                if encoding == LAYER_NONE:
                    encoding = consumer.layers.target_spatial
                if encoding != LAYER_NONE:
                    key_frame_ask(&self.loop.plane, &consumer.producer.encodings[encoding], loop_time_us(self.loop))
            loop_unlock(self.loop)
        return must_be(consumer != NULL, "consumer")

    def remove_consumer(self, uint32_t handle):
        """Close a consumer; a handle out of date is no error."""
        cdef Consumer *consumer
        with nogil:
            loop_lock(self.loop)
            consumer = plane_consumer(&self.loop.plane, handle)
            if consumer != NULL:
                reports_send_bye(&self.loop.plane, consumer.transport, consumer.ssrc, consumer.rtx_ssrc)
                plane_remove_consumer(&self.loop.plane, consumer)
            loop_unlock(self.loop)

    # ---- events and figures

    def read_events(self):
        """The events since the last call, as (kind, handle, a, b, payload); kinds are in `mediarouter._events`."""
        cdef uint8_t[::1] copy = self.event_copy
        cdef uint32_t used
        with nogil:
            loop_lock(self.loop)
            used = self.loop.plane.events.used
            memcpy(&copy[0], self.loop.plane.events.data, used)
            self.loop.plane.events.used = 0
            self.loop.plane.events.overrun = False
            self.loop.event_told = False
            loop_unlock(self.loop)
        return _events.read_events(memoryview(self.event_copy)[:used])

    def counters(self):
        """Totals since the start, by name: drops as `dropped_<reason>`, packets, socket figures; `_balance.balance_of`
        tells how they add up."""
        cdef Plane *plane = &self.loop.plane
        cdef int i
        totals = {f"dropped_{_drop.NAMES[i]}": plane.drops[i] for i in range(1, <int>DROP_COUNT)}
        totals |= balance_counters(&plane.balance)
        totals["packets_unsent"] = self.loop.boxes[0].count + self.loop.boxes[1].count
        totals["packets_out"] = self.loop.boxes[0].total + self.loop.boxes[1].total + totals["packets_unsent"]
        totals["rtp_packets_in"] = plane.packets_in
        totals["rtp_packets_forwarded"] = plane.packets_forwarded
        totals["rtp_packets_padded"] = plane.padded
        totals["rtp_packets_piped"] = plane.packets_piped
        totals["datagrams_received"] = self.loop.udp.received
        totals["receive_messages"] = self.loop.udp.receive_messages
        totals["datagrams_sent"] = self.loop.udp.sent
        totals["send_messages"] = self.loop.udp.send_messages
        totals["send_calls"] = self.loop.udp.send_calls
        totals["send_queued"] = self.loop.udp.queued
        totals["send_waiting"] = self.loop.udp.waiting
        totals["send_blocked"] = self.loop.udp.blocked
        totals["send_failed"] = self.loop.udp.failed
        totals["kernel_dropped"] = self.loop.udp.kernel_dropped
        totals["tcp_connections"] = self.loop.tcp.count
        totals["tcp_accepted"] = self.loop.tcp.accepted
        totals["tcp_refused"] = self.loop.tcp.refused
        totals["tcp_frames_sent"] = self.loop.tcp.sent
        totals["tcp_frames_waiting"] = self.loop.tcp.waiting
        totals["tcp_frames_lost"] = self.loop.tcp.lost
        totals["tcp_frames_dropped"] = self.loop.tcp.overflowed
        totals["tcp_frames_broken"] = self.loop.tcp.broken
        totals["slab_bytes"] = packet_pool_bytes(plane.pool)
        totals["turns"] = self.loop.turns
        totals["rests"] = self.loop.rests
        return totals

    def rows(self):
        """How many transports, producers, consumers, ends of pipes and addresses there are now, and whether any timer
        runs: by name, all 0 when everybody has left."""
        cdef PlaneRows rows
        with nogil:
            loop_lock(self.loop)
            rows = plane_count_rows(&self.loop.plane)
            loop_unlock(self.loop)
        return rows

    def latency(self):
        """How long batches took inside: counts by powers of two of a microsecond, from the kernel's arrival stamp of
        the first datagram to the return of the last send call."""
        return [self.loop.latency[i] for i in range(LATENCY_BUCKETS)]

    def take_slowest_batch_us(self):
        """The longest of these times since the last call."""
        slowest_us = self.loop.slowest_us
        self.loop.slowest_us = 0
        return slowest_us

    def take_longest_gathered_us(self):
        """The longest that a packet has waited for the rest of its frame since the last call (`_gather.pxd`)."""
        longest_us = self.loop.plane.longest_gathered_us
        self.loop.plane.longest_gathered_us = 0
        return longest_us

    def transport_figures(self, uint32_t handle):
        """Figures of one transport, by name."""
        cdef Transport row
        cdef Transport *transport
        memset(&row, 0, sizeof(row))
        with nogil:
            loop_lock(self.loop)
            transport = plane_transport(&self.loop.plane, handle)
            if transport != NULL:
                row = transport[0]
            loop_unlock(self.loop)
        must_be(transport != NULL, "transport")
        return {
            "packets_received": row.packets_received, "bytes_received": row.bytes_received,
            "packets_sent": row.packets_sent, "bytes_sent": row.bytes_sent,
            "remb_bps": row.remb_bps, "twcc_received": row.twcc_received, "twcc_lost": row.twcc_lost,
            "has_keys": bool(row.inbound != NULL), "consent": bool(row.consent), "pairs": row.ice.pair_count,
        }

    def producer_figures(self, uint32_t handle):
        """Figures of one producer: a dict for each encoding."""
        cdef Producer row
        cdef Producer *producer
        cdef int i
        memset(&row, 0, sizeof(row))
        with nogil:
            loop_lock(self.loop)
            producer = plane_producer(&self.loop.plane, handle)
            if producer != NULL:
                row = producer[0]
            loop_unlock(self.loop)
        must_be(producer != NULL, "producer")
        return [encoding_figures(&row.encodings[i], row.alive, row.audio_level) for i in range(row.encoding_count)]

    def consumer_figures(self, uint32_t handle):
        """Figures of one consumer, by name."""
        cdef Consumer row
        cdef Consumer *consumer
        memset(&row, 0, sizeof(row))
        with nogil:
            loop_lock(self.loop)
            consumer = plane_consumer(&self.loop.plane, handle)
            if consumer != NULL:
                row = consumer[0]
            loop_unlock(self.loop)
        must_be(consumer != NULL, "consumer")
        return {
            "packets": row.stream.packets, "octets": row.stream.octets, "bytes": row.bytes,
            "resent": row.resent, "nacked": row.nacked, "awaited": row.awaited, "refused": row.refused,
            "missed": row.missed,
            "key_frame_requests": row.key_frame_requests, "rtt_us": row.rtt_us,
            "fraction_lost": row.fraction_lost, "lost": row.lost,
            "current_layers": (row.layers.current_spatial, row.layers.current_temporal),
            "target_layers": (row.layers.target_spatial, row.layers.target_temporal),
        }


cdef encoding_figures(const Encoding *row, unsigned int alive, int audio_level):
    return {
        "rid": bytes(row.rid[:row.rid_size]).decode("ascii", "replace"),
        "ssrc": row.stream.ssrc, "rtx_ssrc": row.rtx_ssrc, "alive": bool(alive & (1u << row.index)),
        "packets": row.stream.packets, "bytes": row.stream.bytes, "recovered": row.stream.recovered,
        "nacks_sent": row.stream.nacks_sent, "jitter": row.stream.jitter_q4 >> 4, "bitrate_bps": row.bitrate_bps,
        "key_frames": row.key_frames, "key_frames_asked": row.key_frames_asked,
        "key_frames_spared": row.key_frames_spared, "audio_level": audio_level,
        "expected": row.stream.newest_seq - row.stream.first_seq + 1 if row.stream.newest_seq >= 0 else 0,
    }


cdef void describe_encoding(Plane *plane, Encoding *encoding, const Copied *rid, uint32_t ssrc, uint32_t rtx_ssrc,
                            bint use_fir) noexcept nogil:
    memcpy(encoding.rid, rid.data, 16)
    encoding.rid_size = rid.size
    encoding.use_fir = use_fir
    if ssrc:
        plane_restart_encoding(plane, encoding, ssrc)
        ssrc_table_put(&encoding.producer.transport.received, ssrc, ROLE_MEDIA, encoding)
    if rtx_ssrc:
        encoding.rtx_ssrc = rtx_ssrc
        ssrc_table_put(&encoding.producer.transport.received, rtx_ssrc, ROLE_RTX, encoding)


cdef bint must_be(bint there, str what) except -1:
    if not there:
        raise InvalidStateError(f"{what} closed")
    return True


cdef Address parse_address(address):
    cdef Address parsed
    cdef bytes host
    memset(&parsed, 0, sizeof(parsed))
    ip, port = address[0], address[1]
    six = ":" in ip
    host = _addresses.inet_pton(_addresses.AF_INET6 if six else _addresses.AF_INET, ip)
    (<uint16_t *>parsed.sockaddr)[0] = <uint16_t>(_addresses.AF_INET6 if six else _addresses.AF_INET)
    parsed.sockaddr[2] = <uint8_t>(port >> 8)
    parsed.sockaddr[3] = <uint8_t>(port & 0xFF)
    memcpy(parsed.sockaddr + (8 if six else 4), <const char *>host, len(host))
    parsed.sockaddr_size = 28 if six else 16
    parsed.connection = <uint16_t>(address[2] if len(address) > 2 else 0)
    return parsed


cdef tuple format_address(const Address *address):
    cdef int six = address.sockaddr_size == 28
    cdef bytes host = (<const char *>address.sockaddr)[8:24] if six else (<const char *>address.sockaddr)[4:8]
    ip = _addresses.inet_ntop(_addresses.AF_INET6 if six else _addresses.AF_INET, host)
    return ip, (address.sockaddr[2] << 8) | address.sockaddr[3], address.connection


def read_address(payload):
    """(ip, port, protocol) of an address as events carry it; protocol is "udp" or "tcp"."""
    cdef Address address
    cdef bytes data = bytes(payload)
    if len(data) != sizeof(Address):
        raise ValueError("not an address")
    memcpy(&address, <const char *>data, sizeof(Address))
    ip, port, connection = format_address(&address)
    return ip, port, "tcp" if connection else "udp"


def ufrag_prefix(uint32_t handle):
    """The first four letters that a transport's ICE ufrag must have, since checks find it by them."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    slot = handle & 0xFFFFF
    return "".join(letters[(slot >> shift) & 31] for shift in (15, 10, 5, 0))
