# What SRTP does to RTP headers: their size, the values it masks (RFC 6904), blocks encrypted whole (RFC 9335).
from libc.stdint cimport uint8_t, uint64_t
from mediarouter._srtp_policy cimport SrtpPolicy

cdef enum:
    MASK_MAX = 4096                # bytes of a block that values are masked in

# Fixed header, CSRCs and extension block, bytes; -1 when they run past `size` (at least 12)
cdef int header_size(const uint8_t *packet, int size) noexcept nogil
# Bytes of keystream to mask a sound header of `size` bytes, 0 without a block; -1: the block is malformed, in no form
# of RFC 8285, or larger than MASK_MAX
cdef int header_mask_size(const uint8_t *packet, int size) noexcept nogil
# The first counter block, without the salt (RFC 6904 section 4, RFC 3711 section 4.1.1)
cdef void header_mask_iv(uint8_t *iv, const uint8_t *packet, uint64_t index) noexcept nogil
# Mask or unmask the values of the policy's ids with that keystream
cdef void header_mask(uint8_t *packet, int size, const SrtpPolicy *policy, const uint8_t *stream) noexcept nogil
# Does a sound header have something for cryptex to encrypt, in a form it knows?
cdef bint cryptex_wanted(const uint8_t *packet) noexcept nogil
# Mark the block as encrypted, adding an empty one where there are only CSRCs; the new size
cdef int cryptex_mark(uint8_t *packet, int size) noexcept nogil
cdef bint cryptex_marked(const uint8_t *packet) noexcept nogil
cdef void cryptex_unmark(uint8_t *packet) noexcept nogil
# Put the block's own four bytes before the CSRCs, and back
cdef void cryptex_join(uint8_t *packet) noexcept nogil
cdef void cryptex_part(uint8_t *packet) noexcept nogil
