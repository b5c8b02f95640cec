"""The packets sent to one viewer, until feedback tells of them; `_send_history.pxd` has the words.

Theory of operation
A slot is found by the low 12 bits of a number. Numbers between the oldest and the newest have a slot each, since there
are no more of them than slots, and what leaves that window is cleared as new packets come: so a slot that holds
anything holds the packet of its one number in the window. Send times are kept in 32 bits of microseconds, 71 minutes:
to keep them unambiguous what is older than a minute is forgotten as new packets come, one comparison a packet. What
leaves the ring, or becomes too old, without any feedback is no longer in flight, and neither lost nor received:
feedback itself may have been lost.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset
from mediarouter._rtp cimport seq_unwrap

cdef enum:
    MASK = 4095
    FIRST_NUMBER = 65536           # unwrapped numbers begin here, so that one before the first is positive


cdef void send_history_init(SendHistory *history) noexcept nogil:
    memset(history, 0, sizeof(SendHistory))
    history.newest = -1


cdef int64_t send_history_unwrap(const SendHistory *history, uint16_t seq) noexcept nogil:
    return seq_unwrap(history.newest, seq) if history.newest >= 0 else FIRST_NUMBER + seq


cdef inline bint holds(const SendHistory *history, int64_t number) noexcept nogil:
    # a number of the window
    return history.state[number & MASK] != SENT_UNKNOWN


cdef inline int64_t time_of(const SendHistory *history, int slot) noexcept nogil:
    return history.last_sent_us - <int64_t>(<uint32_t>history.last_sent_us - history.send_us[slot])


cdef inline void drop(SendHistory *history, int slot) noexcept nogil:
    if history.state[slot] == SENT_OPEN:
        history.in_flight_bytes -= history.size[slot]
    history.state[slot] = SENT_UNKNOWN


cdef void forget_all(SendHistory *history) noexcept nogil:
    memset(history.state, 0, sizeof(history.state))
    history.in_flight_bytes = 0


cdef void send_history_add(SendHistory *history, uint16_t seq, int size_bytes, int cluster,
                           int64_t now_us) noexcept nogil:
    cdef int64_t number = send_history_unwrap(history, seq)
    cdef int slot = <int>(number & MASK)
    if number <= history.newest:
        return
    if history.newest < 0 or now_us - history.last_sent_us > HISTORY_AGE_US or number - history.newest > HISTORY_SIZE:
        forget_all(history)
        history.oldest = number
    history.newest = number
    history.last_sent_us = now_us
    while history.oldest < number and (number - history.oldest >= HISTORY_SIZE or is_old(history, history.oldest)):
        if holds(history, history.oldest):
            drop(history, <int>(history.oldest & MASK))
        history.oldest += 1
    history.send_us[slot] = <uint32_t>now_us
    history.size[slot] = <uint16_t>min(size_bytes, 65535)
    history.state[slot] = SENT_OPEN
    history.cluster[slot] = <uint8_t>cluster
    history.in_flight_bytes += history.size[slot]


cdef inline bint is_old(const SendHistory *history, int64_t number) noexcept nogil:
    # a number that was never sent is as old as any
    return not holds(history, number) or history.last_sent_us - time_of(history, <int>(number & MASK)) > HISTORY_AGE_US


cdef SentState send_history_find(const SendHistory *history, int64_t number, SentPacket *packet) noexcept nogil:
    cdef int slot = <int>(number & MASK)
    if not history.oldest <= number <= history.newest or not holds(history, number):
        packet.state = SENT_UNKNOWN
        return SENT_UNKNOWN
    packet.send_us = time_of(history, slot)
    packet.size_bytes = history.size[slot]
    packet.cluster = history.cluster[slot]
    packet.state = <SentState>history.state[slot]
    return packet.state


cdef void send_history_settle(SendHistory *history, int64_t number, bint received) noexcept nogil:
    cdef int slot = <int>(number & MASK)
    if history.state[slot] == SENT_OPEN:
        history.in_flight_bytes -= history.size[slot]
    history.state[slot] = SENT_RECEIVED if received else SENT_LOST


@cython.final
cdef class SendHistoryFace:
    """A SendHistory for tests: the same functions, Python numbers."""
    cdef SendHistory history

    def __cinit__(self):
        send_history_init(&self.history)

    def add(self, int seq, int size_bytes, int64_t now_us, int cluster=0):
        """A packet leaves."""
        send_history_add(&self.history, <uint16_t>(seq & 0xFFFF), size_bytes, cluster, now_us)

    def find(self, int64_t number):
        """(state, send_us, size_bytes, cluster) of a number, unwrapped; None: never sent, or forgotten."""
        cdef SentPacket packet
        if send_history_find(&self.history, number, &packet) == SENT_UNKNOWN:
            return None
        return ("", "open", "lost", "received")[<int>packet.state], packet.send_us, packet.size_bytes, packet.cluster

    def settle(self, int64_t number, bint received):
        """Feedback came about a number; False: it is not known."""
        cdef SentPacket packet
        if send_history_find(&self.history, number, &packet) == SENT_UNKNOWN:
            return False
        send_history_settle(&self.history, number, received)
        return True

    def unwrap(self, int seq):
        """The number nearest to the newest."""
        return send_history_unwrap(&self.history, <uint16_t>(seq & 0xFFFF))

    @property
    def in_flight_bytes(self):
        """Bytes sent of which nothing is known yet."""
        return self.history.in_flight_bytes

    @property
    def memory_size(self):
        """Bytes of a history."""
        return sizeof(SendHistory)
