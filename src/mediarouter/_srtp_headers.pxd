# What SRTP does to RTP headers: their size, the values it masks (RFC 6904), blocks encrypted whole (RFC 9335).
from libc.stdint cimport uint8_t
from mediarouter._srtp_crypto cimport KeySet
from mediarouter._srtp_policy cimport SrtpPolicy

# Fixed header, CSRCs and extension block, bytes; -1 when they run past `size` (at least 12)
cdef int header_size(const uint8_t *packet, int size) noexcept nogil
# Mask or unmask the values of the policy's ids, the header being `size` bytes; `iv`: the first counter block.
# False: the block is malformed, or in no form of RFC 8285
cdef bint header_mask(uint8_t *packet, int size, const SrtpPolicy *policy, const KeySet *keys,
                      const uint8_t *iv) noexcept nogil
# Does a sound header have something for cryptex to encrypt, in a form it knows?
cdef bint cryptex_wanted(const uint8_t *packet) noexcept nogil
# Mark the block as encrypted, adding an empty one where there are only CSRCs; the new size
cdef int cryptex_mark(uint8_t *packet, int size) noexcept nogil
cdef bint cryptex_marked(const uint8_t *packet) noexcept nogil
cdef void cryptex_unmark(uint8_t *packet) noexcept nogil
# Put the block's own four bytes before the CSRCs, and back
cdef void cryptex_join(uint8_t *packet) noexcept nogil
cdef void cryptex_part(uint8_t *packet) noexcept nogil
