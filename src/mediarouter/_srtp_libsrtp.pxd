# libsrtp as a backend, the default and the oracle of the others
from mediarouter._srtp_policy cimport SrtpBackend

cdef const SrtpBackend *libsrtp_backend() noexcept nogil
