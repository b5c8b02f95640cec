# The hot loop: one packet of a producer, to each of its consumers.
from libc.stdint cimport int64_t, uint8_t, uint16_t
from mediarouter._cache cimport CachedPacket
from mediarouter._plane cimport Consumer, Encoding, Plane, Producer
from mediarouter._rtp cimport RtpView
from mediarouter._send_stream cimport SendRun
from mediarouter.codecs._payload cimport PayloadInfo

cdef struct Passage:               # what all consumers of one packet share
    const RtpView *view
    Encoding *encoding
    int64_t seq                    # unwrapped
    PayloadInfo info
    const uint8_t *values[14]      # header extensions that may go through
    uint8_t sizes[14]
    uint8_t kinds[14]              # ExtensionKind
    int extension_count
    bint wide                      # one of them is above 16 bytes

cdef void passage_init(Passage *passage, const RtpView *view, Encoding *encoding, int64_t seq) noexcept nogil
# Packets of one encoding, in the order of their numbers, to each consumer of its producer
cdef void forward(Plane *plane, const Passage *passages, int count, int64_t now_us) noexcept nogil
# Draft a packet of the slab as the consumer was first sent it, or would have been; `again`: on its RTX stream where it
# has one (RFC 4588). `at_once`: it has waited for its turn already, or is part of a probe. `egress_send` is to follow.
cdef bint forward_cached(Plane *plane, Consumer *consumer, const SendRun *run, const CachedPacket *packet, bint again,
                         bint at_once, int64_t now_us) noexcept nogil
# Draft a packet of padding alone on the consumer's RTX stream: how many bytes the network carries for it; 0: it has no
# such stream
cdef int forward_padding(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil
# The ids of its header extensions are set: lay out the block they make in each packet
cdef void forward_prepare(Consumer *consumer) noexcept nogil
# The consumer may have a new target: see what it is, and ask for the key frame it needs
cdef void consumer_aim(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil
# The same, and what the viewer's network carries is shared out anew
cdef void consumer_retarget(Plane *plane, Consumer *consumer, int64_t now_us) noexcept nogil
