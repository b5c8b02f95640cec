# What one viewer's network carries, by its feedback about what we sent: the estimator of the send side, all its parts
# in one block of memory. Sans-IO, no Python; mediarouter.congestion.SendSideEstimator is the same for Python.
#
#     sent ──► history ──► report matched ──┬─► throughput ─┐
#                                           ├─► delay ──────┼─► target
#                                           ├─► loss ───────┤
#                                           └─► probes ─────┘
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter.congestion._alr cimport Alr
from mediarouter.congestion._ccfb_index cimport CcfbIndex, ccfb_stream_t
from mediarouter.congestion._delay_based cimport DelayBased
from mediarouter.congestion._feedback_match cimport FeedbackMatch
from mediarouter.congestion._feedback_watch cimport FeedbackWatch
from mediarouter.congestion._loss_based cimport LossBased
from mediarouter.congestion._probe_controller cimport ProbeCluster, ProbeController
from mediarouter.congestion._probe_estimator cimport ProbeEstimator
from mediarouter.congestion._queue_delay cimport QueueDelay
from mediarouter.congestion._recent_rate cimport RecentRate
from mediarouter.congestion._receiver_limit cimport ReceiverLimit
from mediarouter.congestion._send_history cimport SendHistory
from mediarouter.congestion._throughput cimport Throughput

cdef enum:
    START_BPS = 1000000            # until the network has told
    MIN_BPS = 10000
    MAX_BPS = 100000000

cdef struct SendSide:
    int64_t min_bps
    int64_t max_bps
    int64_t target_bps             # what may be sent
    int64_t acked_bps              # what arrived lately; -1 not known yet
    int64_t rtt_us                 # -1 not known yet
    int64_t probe_bps              # measured by a probe since the last update; -1 none
    int64_t uncapped_bps           # the target but for the receiver's limit
    bint capped                    # that limit moved
    bint reported                  # reports came since the last update
    int64_t refill_us              # of the reports that may come, see REPORTS_PER_SECOND
    int64_t reports_left           # in millionths
    uint64_t refused               # reports beyond that
    int usage                      # USAGE_...: what the delay tells
    int64_t waited_us              # all packets of the last report waited so long at least
    int64_t jammed_bps             # what a link carries whose queue grows by much; -1: it does not
    uint64_t probes                # clusters begun
    Alr alr
    DelayBased delay
    Throughput throughput
    LossBased loss
    ProbeEstimator probe_estimator
    ProbeController probe_controller
    QueueDelay queue
    RecentRate recent
    FeedbackWatch watch
    ReceiverLimit limit
    FeedbackMatch match
    SendHistory history
    CcfbIndex by_stream            # what was sent, by stream and RTP sequence number

cdef void send_side_init(SendSide *side, int64_t start_bps, int64_t min_bps, int64_t max_bps,
                         int64_t now_us) noexcept nogil
# A packet leaves with this transport-wide number. `size_bytes` is all that the network carries for it: IP, UDP, SRTP.
cdef void send_side_sent(SendSide *side, uint16_t seq, int size_bytes, int cluster, int64_t now_us) noexcept nogil
# One transport-wide report: what it tells anew is taken in. How many packets, or a Drop code.
cdef int send_side_report(SendSide *side, const uint8_t *data, int size, int64_t now_us) noexcept nogil
# The packet sent last is also known as this one of a stream: so reports of RFC 8888 name it. Streams count from 0.
cdef void send_side_name(SendSide *side, int stream, uint16_t seq) noexcept nogil
# One report of RFC 8888. `stream_of` finds the number of a stream in `table`.
cdef int send_side_report_ccfb(SendSide *side, ccfb_stream_t stream_of, const void *table, const uint8_t *data,
                               int size, int64_t now_us) noexcept nogil
# After all reports of a datagram. True when the target changed.
cdef bint send_side_update(SendSide *side, int64_t now_us) noexcept nogil
cdef void send_side_set_receiver_limit(SendSide *side, int64_t bps, int64_t now_us) noexcept nogil
# Other limits, min_bps <= max_bps, as of send_side_init. True when the target changed.
cdef bint send_side_set_limits(SendSide *side, int64_t min_bps, int64_t max_bps, int64_t now_us) noexcept nogil
# What whoever sends could use, and what it uses
cdef void send_side_set_demand(SendSide *side, int64_t demand_bps, int64_t in_use_bps, int64_t now_us) noexcept nogil
# What is due: missing feedback, probes. True when the target changed.
cdef bint send_side_poll(SendSide *side, int64_t now_us) noexcept nogil
# A probe that shall be sent now
cdef bint send_side_poll_probe(SendSide *side, int64_t now_us, ProbeCluster *cluster) noexcept nogil
cdef int64_t send_side_deadline_us(const SendSide *side, int64_t now_us) noexcept nogil     # -1: nothing to wait for
# The target less what empties the network's queue within a second
cdef int64_t send_side_budget_bps(const SendSide *side) noexcept nogil
cdef int64_t send_side_pacing_bps(const SendSide *side) noexcept nogil

# For Python's commands: ValueError when they are out of range or order
cdef int check_limits(int64_t start_bps, int64_t min_bps, int64_t max_bps) except -1
