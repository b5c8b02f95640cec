# Which backend encrypts: chosen at import by a test against libsrtp, or forced by MEDIAROUTER_SRTP_BACKEND
from mediarouter._srtp_policy cimport SrtpBackend

cdef const SrtpBackend *srtp_backend() noexcept nogil
cdef const SrtpBackend *srtp_backend_named(object name) except NULL
