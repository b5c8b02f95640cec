# For benchmarks that drive an engine's plane from C. Commands are in the .pyx: they are Python's.
from libc.stdint cimport uint8_t
from mediarouter._loop cimport Loop

cdef class Engine:
    cdef Loop *loop
    cdef readonly int event_fd
    cdef bytearray event_copy
    cdef uint8_t datagram[2048]
