# What is due by time: sender and receiver reports, transport feedback, NACKs, lapsed consent, encodings gone silent.
from libc.stdint cimport int64_t
from mediarouter._plane cimport Encoding, Plane, Producer, Transport

# Everything whose time has come, and frames that are due
cdef void reports_run_timers(Plane *plane, int64_t now_us) noexcept nogil
# The transport can send from now on (or again): start its reports, ask for the key frames it lacks
cdef void reports_begin(Plane *plane, Transport *transport, int64_t now_us) noexcept nogil
# A packet of this encoding came
cdef void reports_saw_packet(Plane *plane, Encoding *encoding, int64_t now_us) noexcept nogil
# NACK or TWCC state changed: see that a timer runs for it
cdef void reports_schedule_nack(Plane *plane, Encoding *encoding) noexcept nogil
cdef void reports_schedule_twcc(Plane *plane, Transport *transport) noexcept nogil
# Say good-bye for SSRCs of ours (RFC 3550 6.6)
cdef void reports_send_bye(Plane *plane, Transport *transport, unsigned int ssrc, unsigned int rtx_ssrc) noexcept nogil
