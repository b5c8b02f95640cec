# The kernel's many-datagrams calls, and a message that it cuts into datagrams (UDP_SEGMENT, Linux 4.18).
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy

cdef extern from "<sys/socket.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    cmsghdr *CMSG_FIRSTHDR(msghdr *header)
    cmsghdr *CMSG_NXTHDR(msghdr *header, cmsghdr *control)
    unsigned char *CMSG_DATA(cmsghdr *control)
    size_t CMSG_SPACE(size_t size)
    size_t CMSG_LEN(size_t size)
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, void *timeout)
    int sendmmsg(int fd, mmsghdr *messages, unsigned int count, int flags)
    ssize_t sendmsg(int fd, const msghdr *message, int flags)
    ssize_t send(int fd, const void *data, size_t size, int flags)
    ssize_t recv(int fd, void *data, size_t size, int flags)
    int SOL_SOCKET, MSG_DONTWAIT, MSG_TRUNC, SO_RXQ_OVFL, SCM_TIMESTAMPNS

cdef extern from "<netinet/udp.h>" nogil:
    int SOL_UDP

cdef extern from *:
    """
    #ifndef UDP_SEGMENT
    #define UDP_SEGMENT 103
    #endif
    #ifndef UDP_GRO
    #define UDP_GRO 104
    #endif
    """
    int UDP_SEGMENT, UDP_GRO

cdef enum:
    CONTROL_ROOM = 64              # bytes that `cut_message` needs

# Let the kernel cut a message into datagrams of `size` bytes, the last may be shorter; `room` lives until it is sent
cdef inline void cut_message(msghdr *header, uint8_t *room, uint16_t size) noexcept nogil:
    cdef cmsghdr *control
    header.msg_control = room
    header.msg_controllen = CMSG_SPACE(sizeof(uint16_t))
    control = CMSG_FIRSTHDR(header)
    control.cmsg_level = SOL_UDP
    control.cmsg_type = UDP_SEGMENT
    control.cmsg_len = CMSG_LEN(sizeof(uint16_t))
    memcpy(CMSG_DATA(control), &size, sizeof(size))
