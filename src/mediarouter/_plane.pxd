# The data plane's tables: which transports, producers and consumers there are, and everything the packet path knows of
# them. Python writes them by the engine's commands; the packet path reads them. No socket and no clock here.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._address cimport Address
from mediarouter._balance cimport Balance
from mediarouter._cache cimport PacketCache, PacketPool
from mediarouter._events cimport EventRing
from mediarouter._ice cimport IceAgent
from mediarouter._layers cimport LayerSelector
from mediarouter._lookup cimport AddressTable, SsrcTable
from mediarouter._pace_queue cimport PaceQueue
from mediarouter._pipe cimport PipeEnd
from mediarouter._recv_stream cimport RecvStream
from mediarouter._send_stream cimport SendStream
from mediarouter._srtp cimport SrtpContext
from mediarouter._timers cimport Timer, TimerWheel
from mediarouter.codecs._codec cimport Codec
from mediarouter.congestion._alloc_stream cimport AllocStream
from mediarouter.congestion._allocator cimport AllocRow
from mediarouter.congestion._ccfb cimport CcfbRecord
from mediarouter.congestion._estimator cimport SendSide
from mediarouter.congestion._layer_hull cimport AllocLayer
from mediarouter.congestion._prober cimport Prober
from mediarouter.congestion._resend_budget cimport ResendBudget
from mediarouter.congestion._twcc cimport TwccRecord

cdef enum:
    ENCODINGS_MAX = 4              # simulcast streams of one producer
    EXTENSION_KINDS = 18           # EXT_KIND_COUNT
    NO_PAYLOAD_TYPE = 0xFF
    DROPS_MAX = 64
    DATAGRAM_MAX = 1600            # a larger RTP packet is not taken
    GATHERED_MAX = 32              # packets of a frame that wait for each other
    HEADER_MAX = 400               # bytes of an RTP header with its extensions
    FRONT_MAX = 34                 # an original sequence number, and a payload's begin rewritten
    DRAFTS_MAX = 64                # packets for one receiver that are encrypted together
    BLOCK_SIZE = 1600              # bytes of a slab block
    PACKET_OVERHEAD = 44           # what the network carries beside an RTP packet: IP, UDP and the tag of SRTP
    LAYERS_MAX = 16                # of one producer: encodings by temporal layers

cdef enum TimerKind:
    TIMER_REPORTS = 1              # of a Transport: SR, RR, SDES
    TIMER_TWCC = 2                 # of a Transport: transport-wide feedback
    TIMER_CONSENT = 3              # of a Transport
    TIMER_NACK = 4                 # of an Encoding
    TIMER_KEY_FRAME = 5            # of an Encoding
    TIMER_LIVENESS = 6             # of a Producer
    TIMER_GATHER = 7               # of an Encoding
    TIMER_PIPE = 8                 # of a PipeEnd
    TIMER_DOWNLINK = 9             # of a Transport
    TIMER_PACE = 10                # of a Transport
    TIMER_WANTED = 11              # of a Producer

cdef enum SsrcRole:                # in a transport's tables
    ROLE_MEDIA = 1                 # Encoding
    ROLE_RTX = 2                   # Encoding
    ROLE_CONSUMER = 3              # Consumer
    ROLE_CONSUMER_RTX = 4          # Consumer

cdef enum SendClass:               # of a packet that leaves, for the day when there is no room for all: `_backlog.pxd`
    SEND_CONTROL = 0               # STUN, DTLS, RTCP
    SEND_AUDIO = 1
    SEND_VIDEO = 2
    SEND_ENHANCEMENT = 3           # of a layer that others do not build on

cdef struct Producer
cdef struct Consumer
cdef struct Transport

cdef struct Encoding:              # one stream of a producer: a simulcast layer
    Producer *producer
    RecvStream stream              # ssrc 0: not seen yet
    PacketCache *cache             # NULL for audio
    Timer nack_timer
    Timer key_frame_timer
    Timer gather_timer
    int64_t gathered[32]           # packets that are in the slab and wait to be forwarded: see _gather
    int64_t gathered_at_us         # when the first of them came
    Encoding *next_due             # whose turn it is after this one, see _gather
    Encoding *before_due
    bint due                       # what waits goes on at its turn
    int gathered_count
    int64_t bound_at_us            # when its SSRC was learnt
    int64_t key_frame_asked_us     # the last PLI we sent
    int64_t meter_began_us         # of the bit rate's window
    uint64_t meter_bytes           # of the stream then
    uint64_t temporal_bytes[4]     # since then, by temporal layer and with overhead: see _layer_rates
    int64_t temporal_bps[4]        # the larger of the last window's rate and its average
    uint64_t bitrate_bps           # over the last whole window
    int64_t usual_bps              # what all of it costs when it flows, 0: not known
    int64_t least_bps              # what its lowest temporal layer did when it last flowed, 0: not known
    uint64_t key_frames            # received
    uint64_t key_frames_asked      # PLIs sent
    uint64_t key_frames_spared     # requests that were merged into another
    uint32_t rtx_ssrc              # 0: none seen
    uint8_t rid[16]
    uint8_t rid_size
    uint8_t index
    bint key_frame_wanted
    bint use_fir                   # the publisher knows FIR but not PLI
    uint8_t fir_seq

cdef struct PipeTap:               # what a producer takes in goes into a pipe too
    PipeEnd *end
    uint32_t far                   # the producer it is over there
    int8_t wanted[4]               # what is wanted over there, as in WantedLayers

cdef struct WantedLayers:          # which layers of a producer anybody may use: see _wanted
    int8_t now[4]                  # by encoding: its highest temporal layer, LAYER_NONE: not at all
    int8_t told[4]                 # what the publisher was told
    int8_t before[4]               # `now` of the look before
    int8_t piped[4]                # of a copy: what the original was told
    int64_t fallen_us[4]           # since when `now` is below `told` and has not fallen further; -1: it is not
    int64_t raised_us[4]           # when an encoding that was not wanted was told to be; -1: never
    Timer timer
    bint unsaid                    # an event found no room
    bint unpiped                   # a message to the original found none, or is due anyway

cdef struct Producer:
    uint32_t handle
    Transport *transport
    const Codec *codec
    Consumer **consumers
    int consumer_count
    int consumer_capacity
    int encoding_count
    Encoding encodings[4]
    Timer liveness_timer
    WantedLayers wanted
    PipeTap *taps
    int tap_count
    uint32_t origin                # of a pipe transport: the producer that it is a copy of, over there
    unsigned int alive             # bit i: encoding i flows
    AllocLayer layers[16]          # what each layer costs: see _layer_rates
    int layer_count
    uint32_t clock_rate
    uint8_t payload_type
    uint8_t rtx_payload_type       # NO_PAYLOAD_TYPE: none
    uint8_t mid[16]
    uint8_t mid_size
    uint8_t audio_level            # -dBov of the newest packet, 127 silence (RFC 6464)
    bint is_video
    bint paused
    bint nack
    bint takes_remb                # how its publisher may be told a limit: see _uplink_limit
    bint takes_tmmbr

cdef struct SentReport:            # a sender report of ours, to measure the round trip by
    uint32_t ntp_middle
    int64_t sent_us

cdef struct Consumer:
    uint32_t handle
    Transport *transport
    Producer *producer             # NULL: it is closed
    LayerSelector layers
    SentReport reports[2]
    int64_t rtt_us                 # 0: not known yet
    uint64_t bytes                 # RTP packets as sent, headers included
    uint64_t resent                # packets sent by RTX, or again
    uint64_t nacked                # numbers asked for
    uint64_t awaited               # of them, those that the publisher still owes us: they go out as they come
    uint64_t refused               # asked for again too soon, or too often
    uint64_t missed                # gone
    int64_t resend_from            # of an encoding, source number: what is before a key frame asked for is not resent
    uint8_t resend_encoding
    bint awaits_key_frame          # the viewer asked for one that has not come yet
    uint64_t key_frame_requests    # PLI and FIR from the viewer
    uint32_t ssrc
    uint32_t rtx_ssrc              # 0: none, resend as is
    uint32_t lost                  # cumulative, by the viewer's last report
    uint16_t rtx_seq
    uint16_t feedback_stream       # what reports of RFC 8888 are matched by: no other of the transport has it
    uint8_t fraction_lost          # of 256
    uint8_t payload_type
    uint8_t rtx_payload_type
    uint8_t mid[16]
    uint8_t mid_size
    uint8_t extension_id[18]       # by ExtensionKind; 0: not negotiated
    uint8_t send_time_at           # where in a packet these values go, 0: nowhere; see `forward_prepare`
    uint8_t transport_seq_at
    uint8_t extension_end          # where the elements that go through begin
    uint8_t extension_size         # bytes of the block when none go through
    uint8_t extension_bit          # the X bit of such a packet
    uint8_t extensions[32]         # the block as it begins in each packet: its header, and our own elements
    bint two_byte                  # an extension id is above 14
    bint mixed                     # extmap-allow-mixed: elements above 16 bytes may be sent
    bint paused
    bint told_sender_report        # one went out since the last switch
    AllocStream allocation         # its share of what the viewer's network carries
    int fir_seq                    # of the last FIR taken, -1 none
    SendStream stream              # last: what it remembers of resends is seldom looked at

cdef struct Downlink:              # what a viewer's network carries, and who is to get it: see _downlink
    SendSide side
    Prober prober
    PaceQueue pace
    Timer timer
    Timer pace_timer
    int64_t allocated_us           # when the budget was last shared out
    int64_t allocated_bps          # of what budget
    int64_t in_use_bps
    int64_t demand_bps             # what could be used next
    uint64_t allocations
    uint64_t probe_packets
    bint stale                     # who wants what has changed since
    ResendBudget resends
    bint by_stream                 # the viewer reports by RFC 8888, and not by transport-wide numbers

cdef struct IncomingLimit:         # what a client may send: see _uplink_limit
    int64_t service_bps            # as the service has it, 0: no limit
    bint wanted_only               # nor more than what is wanted costs
    int64_t told_bps               # 0: no limit
    int repeats_left               # of the message that there is none any more

cdef struct Transport:             # what every packet sent needs comes first
    uint32_t handle
    SrtpContext *outbound          # NULL: no keys yet
    uint64_t bytes_sent
    uint64_t packets_sent
    int32_t first_out              # of this batch, index into the outbox, -1 none
    int32_t last_out
    uint16_t next_transport_seq
    Downlink *downlink             # NULL: nothing is known of its network, and everything is sent
    bint consent                   # sending is allowed
    IceAgent ice
    SrtpContext *inbound           # NULL: no keys yet
    SsrcTable received             # by SSRC: Encoding
    SsrcTable sent                 # by SSRC: Consumer
    Producer **producers
    int producer_count
    int producer_capacity
    Consumer **consumers
    int consumer_count
    int consumer_capacity
    TwccRecord *twcc               # what the peer sent us
    CcfbRecord *ccfb               # the same by RFC 8888; NULL: that was not agreed
    Timer reports_timer
    Timer twcc_timer
    Timer consent_timer
    uint64_t remb_bps              # the viewer's last REMB, 0 none
    uint64_t twcc_received         # packets of ours its feedback names as arrived
    uint64_t twcc_lost
    uint64_t bytes_received
    uint64_t packets_received
    IncomingLimit incoming
    PipeEnd *pipe                  # its producers come by a pipe: no address, no keys, no RTCP
    uint32_t feedback_ssrc         # ours, in feedback and receiver reports
    uint32_t last_media_ssrc       # a stream of the peer, for feedback about all of them
    uint8_t extension_kind[256]    # by id on the wire, of what the peer sends
    char cname[32]
    int cname_size
    bint dtls_wanted               # the control plane has asked for DTLS

cdef struct Draft:                 # an RTP packet before encryption, for one receiver
    uint8_t *payload               # in clear; where `paddable`, PAD_MAX bytes of room are behind it
    int payload_size
    int header_size
    int front_size                 # bytes that come between header and payload, encrypted as well; mostly none
    bint paddable
    SendClass send_class
    int32_t transport_seq          # -1: none
    uint8_t front[34]              # FRONT_MAX
    uint8_t header[400]            # HEADER_MAX

cdef struct OutPacket:
    uint32_t offset                # into the arena
    int32_t next                   # to the same destination, -1 last
    uint16_t size
    uint8_t send_class

cdef struct Destination:
    Address remote
    int32_t first                  # of its packets
    Transport *owner               # NULL: none, or it is gone

cdef struct Outbox:                # what shall be sent, in order, grouped by destination
    uint8_t *arena
    size_t arena_size
    size_t used
    OutPacket *packets
    int count
    int capacity                   # of packets and of destinations
    Destination *destinations      # in order of first use
    int destination_count
    uint64_t total                 # packets of the batches before this one

cdef struct Plane:
    Outbox *outbox
    Draft *drafts                  # DRAFTS_MAX, of one receiver
    int draft_count
    void (*flush)(void *context) noexcept nogil     # NULL: the outbox grows instead
    void *flush_context
    EventRing events
    TimerWheel *timers
    PacketPool *pool
    AddressTable addresses         # Transport by remote address
    Transport **transports         # by slot
    Producer **producers
    Consumer **consumers
    uint32_t transport_slots
    uint32_t producer_slots
    uint32_t consumer_slots
    PipeEnd **pipe_ends
    uint32_t pipe_slots
    AllocStream *alloc_streams     # room for one transport's consumers, see _downlink
    AllocRow *alloc_rows
    int32_t *alloc_places
    int alloc_capacity
    int64_t sending_us             # what is sent now leaves at this time
    bint pipes_hurried             # one of them has something to publish at the end of this batch
    uint32_t generation
    uint64_t drops[64]             # by -Drop
    Balance balance
    uint64_t packets_in
    uint64_t packets_forwarded     # copies
    uint64_t packets_piped         # by other workers' pipes to here
    uint64_t padded                # packets that were made as long as their neighbours
    int gathering                  # encodings of which packets wait
    bint in_turns                  # whole frames are forwarded between looks at the sockets: see _gather
    Encoding *first_due            # those that are to be forwarded, in the order they became whole
    Encoding *last_due
    int64_t gather_us              # how long a packet of a frame may wait for the rest of it; 0: not at all
    int64_t gather_now_us          # the same, as the load has it now
    int64_t longest_gathered_us    # the longest one did
    int64_t key_frame_interval_us  # least time between two requests to one encoding
    int64_t consent_timeout_us

cdef struct PlaneRows:             # how many there are now
    uint32_t transports
    uint32_t producers
    uint32_t consumers
    uint32_t pipe_ends
    uint32_t addresses             # that a transport is reached by
    bint timers                    # any is armed

cdef inline void count_drop(Plane *plane, int drop) noexcept nogil:
    plane.drops[-drop] += 1

cdef bint plane_init(Plane *plane) noexcept nogil
cdef void plane_release(Plane *plane) noexcept nogil

cdef PlaneRows plane_count_rows(const Plane *plane) noexcept nogil
# Handles are slot + generation: one that is out of date finds nothing
cdef Transport *plane_transport(const Plane *plane, uint32_t handle) noexcept nogil
cdef Producer *plane_producer(const Plane *plane, uint32_t handle) noexcept nogil
cdef Consumer *plane_consumer(const Plane *plane, uint32_t handle) noexcept nogil

# NULL: no memory
cdef Transport *plane_add_transport(Plane *plane, int64_t now_us) noexcept nogil
cdef Producer *plane_add_producer(Plane *plane, Transport *transport, int encoding_count, uint32_t clock_rate,
                                  bint is_video, bint nack) noexcept nogil
cdef Consumer *plane_add_consumer(Plane *plane, Transport *transport, Producer *producer,
                                  uint16_t first_seq) noexcept nogil
# The number of what is sent under an SSRC, of the table `sent` of a transport, as _ccfb_index wants it; -1: none
cdef int plane_feedback_stream(const void *sent, uint32_t ssrc) noexcept nogil
# What hangs on them goes with them
cdef void plane_remove_transport(Plane *plane, Transport *transport) noexcept nogil
cdef void plane_remove_producer(Plane *plane, Producer *producer) noexcept nogil
cdef void plane_remove_consumer(Plane *plane, Consumer *consumer) noexcept nogil
# An end of a pipe: the plane's from here on, but for False (no memory)
cdef bint plane_add_pipe_end(Plane *plane, PipeEnd *end) noexcept nogil
cdef PipeEnd *plane_pipe_end(const Plane *plane, uint32_t handle) noexcept nogil
# Closes it, and what came and went by it
cdef void plane_remove_pipe_end(Plane *plane, PipeEnd *end) noexcept nogil
# Pass what the producer takes in on to its copy over there. False: no memory
cdef bint plane_add_tap(Producer *producer, PipeEnd *end, uint32_t far) noexcept nogil
cdef void plane_remove_taps(Plane *plane, Producer *producer, const PipeEnd *end) noexcept nogil
# What waits for the rest of its frame waits no longer: how many packets, which are forwarded now, or counted as
# forgotten by the caller
cdef int plane_take_gathered(Plane *plane, Encoding *encoding) noexcept nogil
# The numbers of an encoding jumped: nothing of before counts any more
cdef void plane_forget_history(Plane *plane, Encoding *encoding) noexcept nogil
# Its SSRC is known, or another than before
cdef void plane_restart_encoding(Plane *plane, Encoding *encoding, uint32_t ssrc) noexcept nogil
# Who wants what of this viewer's network has changed: it is shared out anew soon (_downlink)
cdef void plane_touch_downlink(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil
# Who wants what of this producer may have changed: it is looked at soon (_wanted)
cdef void plane_touch_wanted(Plane *plane, Producer *producer) noexcept nogil
cdef void plane_forget_address(Plane *plane, Transport *transport, const Address *remote) noexcept nogil
