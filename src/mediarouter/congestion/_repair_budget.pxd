# How much may be sent again to one viewer; `_repair_budget.pyx` tells why that is limited.
from libc.stdint cimport int64_t

cdef struct RepairBudget:
    int64_t left                   # microbits: bits a second, microseconds long
    int64_t filled_us              # when it was last filled
    bint started

cdef void repair_budget_init(RepairBudget *budget) noexcept nogil
# Whether a packet may be sent again now, which then has been; `rate_bps` is what all that is sent again may take
cdef bint repair_budget_take(RepairBudget *budget, int size_bytes, int64_t rate_bps, int64_t now_us) noexcept nogil
