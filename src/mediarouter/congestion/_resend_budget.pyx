"""The budget of retransmissions; `_resend_budget.pxd` has the words.

Theory of operation
On a link that is full, packets are lost because there are too many, and each that is asked for again is one more: left
alone, repair keeps the queue full that it suffers from. So what is resent, over all streams of a viewer, may take 15 %
of what its network is thought to carry. As the estimate falls, so does this. Losses come in bursts, and a burst is
worth repairing: the bucket holds two seconds of that share, and 24,000 bytes at least, a large key frame.

A sender of little pays for its bytes by the same estimate, so where there is room it may repair all it loses.
"""

cimport cython
from libc.stdint cimport int64_t

cdef enum:
    SHARE_PERCENT = 15
    DEPTH_US = 2000000             # of the share
    LEAST_DEPTH_BYTES = 24000
    BIT_US = 8000000


cdef inline int64_t depth_bytes(int64_t estimate_bps) noexcept nogil:
    return max(estimate_bps * SHARE_PERCENT // 100 * DEPTH_US // BIT_US, <int64_t>LEAST_DEPTH_BYTES)


cdef bint resend_budget_has(ResendBudget *budget, int64_t estimate_bps, int size_bytes, int64_t now_us) noexcept nogil:
    cdef int64_t share_bps = max(estimate_bps * SHARE_PERCENT // 100, <int64_t>1)
    cdef int64_t depth = depth_bytes(estimate_bps)
    cdef int64_t elapsed_us = now_us - budget.filled_us
    if not budget.begun or elapsed_us > DEPTH_US * 100:
        budget.credit_bytes = depth
        budget.filled_us = now_us
        budget.begun = True
    elif elapsed_us * share_bps >= BIT_US:
        # by whole bytes; the rest of the time stays for the next
        budget.credit_bytes += elapsed_us * share_bps // BIT_US
        budget.filled_us = now_us - elapsed_us * share_bps % BIT_US // share_bps
    budget.credit_bytes = min(budget.credit_bytes, depth)
    return size_bytes <= budget.credit_bytes


cdef void resend_budget_take(ResendBudget *budget, int size_bytes) noexcept nogil:
    budget.credit_bytes -= size_bytes


# ---- the Python face

@cython.final
cdef class ResendBudgetFace:
    """A ResendBudget for tests: the same function, Python numbers."""
    cdef ResendBudget budget

    def take(self, int64_t estimate_bps, int size_bytes, int64_t now_us):
        """Whether so many bytes may be resent now; 0 <= estimate_bps <= 1,000,000,000."""
        if not 0 <= estimate_bps <= 1000000000:
            raise ValueError("estimate out of range")
        if not resend_budget_has(&self.budget, estimate_bps, size_bytes, now_us):
            return False
        resend_budget_take(&self.budget, size_bytes)
        return True
