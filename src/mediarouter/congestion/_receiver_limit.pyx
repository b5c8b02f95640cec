"""The cap that a receiver sets by REMB (draft-alvestrand-rmcat-remb-03), above what transport-wide feedback estimates.

Theory of operation
The last REMB caps the target, from the moment it comes, and nothing else: the estimate below is neither cut nor raised
by it, so that a higher REMB, or one of zero, which lifts the cap, gives the estimate back at once. How the cap moved is
told, since a rise is the moment to probe: while the target was capped, what was sent could not prove the estimate.

As in libwebrtc, a limit stays until another is told. A receiver that wants less, as one that sets a maximum for itself,
may say so once, or with each of its reports; its silence takes nothing back, and when all of its RTCP is silent, the
missing feedback is what stops the sender (congestion/_feedback_watch). Where the receivers are known to repeat it,
`expires_us` sets after how long without a REMB the limit is lifted.
"""

cimport cython
from libc.stdint cimport int64_t
from mediarouter.congestion._face cimport check_time

cdef int64_t UNLIMITED_BPS = <int64_t>1 << 40      # the format can say more; nobody means it


cdef void receiver_limit_init(ReceiverLimit *r, int64_t expires_us) noexcept nogil:
    r.limit_bps = -1
    r.since_us = 0
    r.expires_us = max(expires_us, 0)


cdef inline int moved(int64_t old_bps, int64_t new_bps) noexcept nogil:
    if new_bps == old_bps:
        return 0
    if new_bps < 0:
        return 1
    return 1 if 0 <= old_bps < new_bps else -1


cdef int receiver_limit_set(ReceiverLimit *r, int64_t bps, int64_t now_us) noexcept nogil:
    cdef int64_t old_bps = r.limit_bps
    r.limit_bps = bps if 0 < bps < UNLIMITED_BPS else -1
    r.since_us = now_us
    return moved(old_bps, r.limit_bps)


cdef int receiver_limit_poll(ReceiverLimit *r, int64_t now_us) noexcept nogil:
    if r.limit_bps < 0 or r.expires_us == 0 or now_us - r.since_us < r.expires_us:
        return 0
    r.limit_bps = -1
    return 1


cdef int64_t receiver_limit_deadline_us(const ReceiverLimit *r) noexcept nogil:
    return r.since_us + r.expires_us if r.limit_bps >= 0 and r.expires_us > 0 else -1


# ---- the Python face

@cython.final
cdef class ReceiverLimiter:
    """The cap that a receiver sets by REMB.

    Args:
        expires_us: after how long without a REMB the cap is lifted, microseconds; 0: never, as libwebrtc has it.

    Raises:
        ValueError: it is not within 0 .. 2**60.

    Source: draft-alvestrand-rmcat-remb-03.
    """
    cdef ReceiverLimit limit

    def __cinit__(self, int64_t expires_us=0):
        check_time(expires_us)
        receiver_limit_init(&self.limit, expires_us)

    def on_remb(self, bps, int64_t now_us):
        """A REMB came.

        Args:
            bps: what it says, bit/s. 0, and 2**40 and more, is no limit.
            now_us: microseconds of any clock, 0 .. 2**60.

        Returns:
            How the cap moved: -1 down, 0 not at all, 1 up or away.

        Raises:
            ValueError: the time is out of range, or the rate negative.
        """
        check_time(now_us)
        if bps < 0:
            raise ValueError("a rate must not be negative")
        return receiver_limit_set(&self.limit, min(bps, UNLIMITED_BPS), now_us)

    def poll(self, int64_t now_us):
        """Time passed. True: the limit was lifted, because it was not told again.

        Raises:
            ValueError: the time is out of range.
        """
        check_time(now_us)
        return receiver_limit_poll(&self.limit, now_us) == 1

    def poll_timeout(self):
        """When the limit expires, in microseconds; None: it does not."""
        cdef int64_t deadline_us = receiver_limit_deadline_us(&self.limit)
        return None if deadline_us < 0 else deadline_us

    def cap(self, int64_t target_bps, int64_t min_bps=0):
        """What is left of a target; the limit counts as `min_bps` where it is below. All bit/s."""
        return receiver_limit_cap(&self.limit, target_bps, min_bps)

    @property
    def limit_bps(self):
        """The cap, bit/s; None: there is none."""
        return None if self.limit.limit_bps < 0 else self.limit.limit_bps
