# cython: language_level=3
"""An extension module of somebody else: it decrypts, reads and encrypts RTP through mediarouter's C functions."""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy
from mediarouter cimport (
    SRTP_AEAD_AES_128_GCM,
    SRTP_MAX_TRAILER,
    RtpView,
    SrtpContext,
    rtp_extension,
    rtp_parse,
    rtp_set_ssrc,
    srtp_context_free,
    srtp_context_new,
    srtp_context_protect,
    srtp_context_unprotect,
)


cdef int level_of(uint8_t *packet, Py_ssize_t size, int element_id) noexcept nogil:
    # -dBov by the audio level extension (RFC 6464); -1: the packet has none, or is none
    cdef RtpView view
    cdef int value_size
    cdef const uint8_t *value
    if rtp_parse(&view, packet, size) != 0:
        return -1
    value = rtp_extension(&view, element_id, &value_size)
    return value[0] & 0x7F if value != NULL and value_size == 1 else -1


def loudest(list packets, int element_id):
    """Index of the loudest packet, -1 when none tells how loud it is."""
    cdef int best = -1
    cdef int lowest = 128
    cdef int level, i
    cdef bytes packet
    for i, packet in enumerate(packets):
        level = level_of(<uint8_t *><char *>packet, len(packet), element_id)
        if 0 <= level < lowest:
            best, lowest = i, level
    return best


cdef class Relay:
    """Takes SRTP of one peer, gives it to another under another SSRC. Keys: master key and salt, AES-128-GCM."""
    cdef SrtpContext *inbound
    cdef SrtpContext *outbound

    def __cinit__(self, bytes key_in, bytes key_out):
        self.inbound = srtp_context_new(SRTP_AEAD_AES_128_GCM, <uint8_t *><char *>key_in, <int>len(key_in), True)
        self.outbound = srtp_context_new(SRTP_AEAD_AES_128_GCM, <uint8_t *><char *>key_out, <int>len(key_out), False)
        if self.inbound == NULL or self.outbound == NULL:
            raise ValueError("a key has 28 bytes")

    def __dealloc__(self):
        if self.inbound != NULL:
            srtp_context_free(self.inbound)
        if self.outbound != NULL:
            srtp_context_free(self.outbound)

    def relay(self, bytes packet, unsigned int ssrc):
        """The packet as it goes on, None when it is not authentic."""
        cdef uint8_t room[2048]
        cdef RtpView view
        cdef int size = <int>len(packet)
        cdef const uint8_t *data = <const uint8_t *><const char *>packet
        if size > <int>sizeof(room) - SRTP_MAX_TRAILER:
            return None
        with nogil:
            memcpy(room, data, size)
            size = srtp_context_unprotect(self.inbound, room, size)
            if size > 0 and rtp_parse(&view, room, size) == 0:
                rtp_set_ssrc(&view, ssrc)
                size = srtp_context_protect(self.outbound, room, size)
        return (<char *>room)[:size] if size > 0 else None
