# SRTP of our own around the ciphers of libIPSec_MB
from mediarouter._srtp_policy cimport SrtpBackend

cdef const SrtpBackend *ipsecmb_backend() noexcept nogil           # NULL: the library is not here
