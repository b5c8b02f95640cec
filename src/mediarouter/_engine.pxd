# The engine's object, for the modules that hold more of its commands, and for benchmarks that drive its plane from C.
from libc.stdint cimport uint8_t
from mediarouter._loop cimport Loop

cdef class Engine:
    cdef Loop *loop
    cdef readonly int event_fd
    cdef bytearray event_copy
    cdef uint8_t datagram[2048]
