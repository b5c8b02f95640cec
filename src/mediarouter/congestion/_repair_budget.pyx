"""What may be sent again to one viewer.

Theory of operation
When a link becomes narrower its queue overflows, and the viewer asks for hundreds of packets at once. Sent again they
meet the same full queue: they are lost again, keep it full long after media has been cut, and take audio with them. So
what is sent again has a rate of its own, and a quarter of a second of it may go at once. A packet that finds no room is
not lost for good: its viewer asks again a round trip later.

A bucket that is not empty takes any packet, which may leave it in debt.
"""

cimport cython
from libc.stdint cimport int64_t
from libc.string cimport memset

cdef enum:
    DEPTH_US = 250000
    ELAPSED_MAX_US = 1000000
    MICROBITS_PER_BYTE = 8000000

cdef int64_t RATE_MAX_BPS = 1000000000


cdef void repair_budget_init(RepairBudget *budget) noexcept nogil:
    memset(budget, 0, sizeof(RepairBudget))


cdef bint repair_budget_take(RepairBudget *budget, int size_bytes, int64_t rate_bps, int64_t now_us) noexcept nogil:
    cdef int64_t depth, elapsed_us
    rate_bps = min(max(rate_bps, 0), RATE_MAX_BPS)
    depth = rate_bps * DEPTH_US
    if not budget.started:
        budget.started = True
        budget.left = depth
        budget.filled_us = now_us
    elapsed_us = min(max(now_us - budget.filled_us, 0), <int64_t>ELAPSED_MAX_US)
    budget.filled_us = max(budget.filled_us, now_us)
    budget.left = min(budget.left + elapsed_us * rate_bps, depth)      # the rate may have become less, too
    if budget.left <= 0:
        return False
    budget.left -= <int64_t>size_bytes * MICROBITS_PER_BYTE
    return True


# ---- the Python face

@cython.final
cdef class RepairBudgetFace:
    """A RepairBudget for tests: the same function, Python numbers."""
    cdef RepairBudget budget

    def __cinit__(self):
        repair_budget_init(&self.budget)

    def take(self, int size_bytes, int64_t rate_bps, int64_t now_us):
        """Whether a packet may be sent again now."""
        return bool(repair_budget_take(&self.budget, size_bytes, rate_bps, now_us))
