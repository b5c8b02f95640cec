# What was sent to one viewer by transport-wide number: when, how large, for which probe, and what became of it. A ring
# of the last 4,096 packets, 8 bytes each: four seconds at 10 Mbit/s.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    HISTORY_SIZE = 4096
    HISTORY_AGE_US = 60000000      # packets of before are forgotten

cdef enum SentState:
    SENT_UNKNOWN = 0               # never sent, or forgotten
    SENT_OPEN = 1                  # no feedback yet
    SENT_LOST = 2                  # told as lost; may still be told as received
    SENT_RECEIVED = 3

cdef struct SendHistory:
    int64_t newest                 # number, unwrapped; -1 none
    int64_t oldest                 # that is not forgotten
    int64_t last_sent_us
    int64_t in_flight_bytes        # sent, and nothing known about it yet
    uint32_t send_us[4096]         # low 32 bits
    uint16_t size[4096]
    uint8_t state[4096]
    uint8_t cluster[4096]

cdef struct SentPacket:
    int64_t send_us
    int size_bytes
    int cluster                    # of probes; 0 none
    SentState state

cdef void send_history_init(SendHistory *history) noexcept nogil
# A packet that leaves now; numbers ascend (16 bits of them). One that does not is forgotten at once.
cdef void send_history_add(SendHistory *history, uint16_t seq, int size_bytes, int cluster,
                           int64_t now_us) noexcept nogil
# The number nearest to the newest
cdef int64_t send_history_unwrap(const SendHistory *history, uint16_t seq) noexcept nogil
cdef SentState send_history_find(const SendHistory *history, int64_t number, SentPacket *packet) noexcept nogil
# Feedback came about a packet that was found
cdef void send_history_settle(SendHistory *history, int64_t number, bint received) noexcept nogil
