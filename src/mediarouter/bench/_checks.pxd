# A client's answers to connectivity checks (RFC 8445 section 7.3): routers that are full ICE agents send some, to
# nominate and to renew consent. Routers that are ICE-lite send none.
from libc.stdint cimport uint8_t
from libc.string cimport memset
from mediarouter._address cimport Address
from mediarouter._messages cimport MSG_DONTWAIT, send
from mediarouter._sha1 cimport HmacSha1Key, hmac_sha1_key
from mediarouter._stun cimport (
    STUN_BINDING_REQUEST,
    STUN_RESPONSE_MAX,
    StunMessage,
    stun_check_integrity,
    stun_parse,
    stun_write_binding_response,
)

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        pass
    int getpeername(int fd, sockaddr *address, unsigned int *size)

cdef struct CheckAnswerer:
    Address source                 # whom the socket is connected to
    HmacSha1Key key                # of the client's own password

cdef inline void check_answerer_init(CheckAnswerer *answerer, int fd, const uint8_t *password, int size) noexcept nogil:
    cdef unsigned int room = sizeof(answerer.source.sockaddr)
    memset(answerer, 0, sizeof(CheckAnswerer))
    if getpeername(fd, <sockaddr *>answerer.source.sockaddr, &room) == 0:
        answerer.source.sockaddr_size = <uint8_t>room
    hmac_sha1_key(&answerer.key, password, size)

# What is no request, or of somebody else, is passed over
cdef inline void check_answer(const CheckAnswerer *answerer, int fd, const uint8_t *data, int size) noexcept nogil:
    cdef StunMessage message
    cdef uint8_t out[STUN_RESPONSE_MAX]
    cdef int written
    if stun_parse(&message, data, size) != 0 or message.message_type != STUN_BINDING_REQUEST:
        return
    if stun_check_integrity(&message, &answerer.key):
        written = stun_write_binding_response(out, STUN_RESPONSE_MAX, &message, &answerer.source, &answerer.key)
        send(fd, out, <size_t>written, MSG_DONTWAIT)
