# How much of one viewer's network resent packets may take: a bucket of bytes that fills at a share of the estimate.
from libc.stdint cimport int64_t

cdef struct ResendBudget:          # begins as zeros
    int64_t credit_bytes
    int64_t filled_us              # the time that is in the credit
    bint begun

# Whether so many bytes may be resent now. Of estimates up to 1,000,000,000.
cdef bint resend_budget_has(ResendBudget *budget, int64_t estimate_bps, int size_bytes, int64_t now_us) noexcept nogil
# They are
cdef void resend_budget_take(ResendBudget *budget, int size_bytes) noexcept nogil
