"""The engine thread's load; `_load_meter.pxd` says of what."""

cimport cython
from libc.stdint cimport int64_t

cdef enum:
    WINDOW_US = 100000

cdef double LOADED = 0.5           # from this share on, until it is below the next
cdef double RELAXED = 0.4


cdef void load_meter_note(LoadMeter *meter, int64_t woke_us, int64_t slept_us) noexcept nogil:
    cdef int64_t span_us
    if meter.began_us == 0:
        meter.began_us = woke_us
    meter.busy_us += slept_us - woke_us
    span_us = slept_us - meter.began_us
    if span_us < WINDOW_US:
        return
    meter.share += (<double>meter.busy_us / span_us - meter.share) / 2
    meter.loaded = meter.share >= (RELAXED if meter.loaded else LOADED)
    meter.began_us = slept_us
    meter.busy_us = 0


@cython.final
cdef class LoadMeterFace:
    """A LoadMeter for tests."""
    cdef LoadMeter meter

    def note(self, int64_t woke_us, int64_t slept_us):
        """The thread was awake from one time to the other; (share, loaded)."""
        load_meter_note(&self.meter, woke_us, slept_us)
        return self.meter.share, bool(self.meter.loaded)
