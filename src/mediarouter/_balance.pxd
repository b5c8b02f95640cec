# What becomes of every media packet, counted so that nothing can vanish: each packet that is taken in is passed on,
# refused or waits; each of its copies is sent, or left out for a reason that has a name; what is sent and what goes
# beside it is what the sockets are given. `_balance.pyx` has the names and the sums.
#
# The way of a copy that is sent costs nothing here: what is counted already serves, and the rest is the price of a
# refusal, or paid once a packet.
from libc.stdint cimport uint64_t

cdef enum CopyLeft:                # why a consumer is not sent a packet that it was offered
    LEFT_PAUSED = 0                # the consumer is paused
    LEFT_NOT_READY = 1             # its transport has no keys, no address or no consent
    LEFT_OTHER_ENCODING = 2        # of a simulcast stream that it does not get
    LEFT_NO_KEY_FRAME = 3          # of the one that it shall get, whose key frame has not come
    LEFT_ABOVE_LAYER = 4           # of a temporal layer above its own
    LEFT_LATE = 5                  # older than what was sent, and no place was kept for it
    LEFT_EMPTY = 6                 # padding of the publisher's
    LEFT_NO_MEMORY = 7
    LEFT_GONE = 8                  # it waited for its turn, and what it is made of or whom it was for went
    LEFT_COUNT = 9

cdef struct Balance:
    uint64_t accepted              # media packets taken in: decrypted, known, not seen before
    uint64_t gathered              # of them, that wait now for the rest of their frame
    uint64_t forgotten             # that waited, and whose stream ended or began anew
    uint64_t offered               # that were passed on to consumers
    uint64_t due                   # copies: each of these packets, for each consumer its producer had
    uint64_t again                 # copies offered a second time, to one who entered at a key frame behind its packets
    uint64_t left[9]               # copies not sent, by CopyLeft
    uint64_t held                  # copies that wait now for their turn: see _pace_queue
    uint64_t filled                # copies in whose place an empty packet is sent
    uint64_t resent
    uint64_t padding               # packets of nothing else, that probe a network
    uint64_t control               # packets that are no RTP: STUN, DTLS, RTCP
    uint64_t unprotected           # RTP packets that encryption refused
    uint64_t no_room               # RTP packets for which there was no memory

cdef dict balance_counters(const Balance *balance)
