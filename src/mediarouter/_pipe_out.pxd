# What a data plane puts into its pipes: the packets of tapped producers as they were taken in, what their sender
# reports tell, and, the other way, what copies ask of their originals. `_pipe_in` reads it.
#
# Nothing waits: a record that does not fit is dropped whole. A packet that finds the ring full is counted
# (`pipe_full`); the copy asks for it again, as of any publisher, and gets it from the slab on this side. Packets leave
# the last SPARED bytes of the ring to the small records, which are said again or carry nothing that the next packet
# does not tell.
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from mediarouter._pipe cimport PipeEnd
from mediarouter._plane cimport Encoding, PipeTap, Plane, Producer

cdef enum PipeKind:
    PIPE_PACKET = 1                # an RTP packet, decrypted; behind the record
    PIPE_STREAM = 2                # the encoding's SSRC and its last sender report
    PIPE_KEY_FRAME = 3             # the copy needs a key frame
    PIPE_NACK = 4                  # the copy lacks packets; behind the record their numbers, 16 bits each
    PIPE_TAPPED = 5                # the original passes on from now: the copy tells what it wants
    PIPE_WANTED = 6                # what is wanted of the copy; behind the record a byte for each encoding

cdef enum PipeFlags:
    PIPE_RECOVERED = 1             # the packet is a retransmission
    PIPE_JUMPED = 2                # its number is far from those before, and that was confirmed

cdef struct PipeRecord:
    uint8_t kind
    uint8_t flags
    uint8_t encoding
    uint32_t producer              # the reader's handle
    int64_t time_us                # when it arrived; both planes have one clock
    # of PIPE_STREAM alone
    uint64_t sr_ntp                # 0: none yet
    uint32_t sr_rtp_timestamp
    uint32_t ssrc

# A packet was taken in: to every pipe that its producer is tapped for. `wait`: more of its frame will come, so who
# reads need not be woken before that has, or `plane.gather_us` have passed since it arrived
cdef void pipe_pass_on(Plane *plane, const Encoding *encoding, const uint8_t *data, int size, int flags, bint wait,
                       int64_t arrival_us) noexcept nogil
# One packet into one pipe
cdef void pipe_put_packet(Plane *plane, const PipeTap *tap, int index, const uint8_t *data, int size, int flags,
                          bint wait, int64_t arrival_us) noexcept nogil
# What a copy must know beside the packets, whenever it changes ...
cdef void pipe_tell_stream(Plane *plane, const Encoding *encoding) noexcept nogil
# ... and all of it for a new copy
cdef void pipe_tell_all(Plane *plane, const Producer *producer, PipeTap *tap) noexcept nogil
# A copy asks its original. False: it could not
cdef bint pipe_ask_key_frame(Plane *plane, const Encoding *encoding) noexcept nogil
# What is wanted of the copy, `wanted` for each encoding. False: it could not be told
cdef bint pipe_tell_wanted(Plane *plane, const Producer *producer, const int8_t *wanted) noexcept nogil
cdef void pipe_ask_again(Plane *plane, const Encoding *encoding, const uint16_t *seqs, int count) noexcept nogil
# Once a batch, and before the plane's mutex is given back: publish what cannot wait, and wake who reads
cdef void pipe_flush_all(Plane *plane) noexcept nogil
