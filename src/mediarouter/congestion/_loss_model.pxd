# What was sent and lost of late, and how well a bandwidth with an inherent loss explains it: the likelihood that the
# loss-based estimate (congestion/_loss_based) maximises.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from mediarouter.congestion._loss_parameters cimport LOSS_OBSERVATIONS_MAX, LossParameters

cdef enum:
    LOST_NUMBERS_MAX = 4096        # numbers behind the newest lost one whose loss can still be forgiven; a power of two
    LOST_WORDS = LOST_NUMBERS_MAX // 64

cdef struct LossObservation:
    int64_t size_bytes
    int64_t lost_bytes
    int64_t sending_bps

# An explanation: what the link carries, and which share it loses of that
cdef struct LossChannel:
    int64_t bandwidth_bps          # -1: not known
    double inherent_loss

# What reports told since the last observation was closed
cdef struct LossPartial:
    int64_t size_bytes
    int64_t lost_bytes
    int64_t first_send_us          # of the packets of the present report
    int64_t last_send_us
    int packets                    # of the present report
    int lost_packets               # not forgiven so far
    uint32_t newest_lost           # number; counts while lost_packets > 0
    uint64_t lost[LOST_WORDS]      # one bit a number, by its low bits

cdef struct LossModel:
    LossParameters parameters
    LossPartial partial
    LossObservation ring[LOSS_OBSERVATIONS_MAX]    # by count % parameters.observations
    double weights[LOSS_OBSERVATIONS_MAX]          # by age
    double bound_weights[LOSS_OBSERVATIONS_MAX]
    int64_t count                  # observations ever
    int64_t lost_bytes             # in the ring
    int64_t last_send_us           # end of the newest observation
    bint started                   # last_send_us is known
    int64_t since_us               # packets sent before do not count
    double average_loss            # by bytes, over the ring, spikes left out

cdef void loss_model_init(LossModel *m) noexcept nogil
# Other parameters, which must be free of flaws; observations are forgotten.
cdef void loss_model_set_parameters(LossModel *m, const LossParameters *p) noexcept nogil
# The link has changed: nothing that was sent before tells of what it is now. Parameters stay.
cdef void loss_model_forget(LossModel *m, int64_t now_us) noexcept nogil
# A packet of the present report
cdef void loss_model_packet(LossModel *m, uint32_t number, int64_t send_us, int size_bytes,
                            bint received) noexcept nogil
# The report is complete. True when it closed an observation.
cdef bint loss_model_report(LossModel *m) noexcept nogil
# Inherent loss between its bounds for that bandwidth
cdef double loss_model_feasible(const LossModel *m, double inherent_loss, int64_t bandwidth_bps) noexcept nogil
# Newton's method: move the inherent loss to where it explains the observations best
cdef void loss_model_fit(const LossModel *m, LossChannel *channel) noexcept nogil
# The higher, the better an explanation
cdef double loss_model_objective(const LossModel *m, const LossChannel *channel) noexcept nogil
