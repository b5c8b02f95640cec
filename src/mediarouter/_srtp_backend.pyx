"""The choice of what encrypts. libsrtp is always here; libIPSec_MB is taken where its library is, runs on this
processor and makes, for every profile, the very bytes that libsrtp makes.
MEDIAROUTER_SRTP_BACKEND=libsrtp or =ipsec-mb forces."""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memcpy, memset
from mediarouter._rtp cimport write_u16, write_u32
from mediarouter._srtp_ipsecmb cimport ipsecmb_backend
from mediarouter._srtp_libsrtp cimport libsrtp_backend
from mediarouter._srtp_policy cimport SrtpBackend, SrtpPolicy, srtp_policy_init

import os

from mediarouter import _srtp_crypto

VARIABLE = "MEDIAROUTER_SRTP_BACKEND"

cdef const SrtpBackend *chosen
cdef int[6] profiles = [0x0001, 0x0002, 0x0007, 0x0008, 0x0101, 0x0102]


cdef bint agree(const SrtpBackend *a, const SrtpBackend *b, int profile, int size) noexcept nogil:
    # one packet of RTP and one of RTCP: the same bytes out of both, and each opens what the other made
    cdef SrtpPolicy policy
    cdef uint8_t key[46]
    cdef uint8_t packet[300]
    cdef uint8_t from_a[600]
    cdef uint8_t from_b[600]
    cdef int i, key_bytes, made = 0
    cdef bint good = True
    for i in range(46):
        key[i] = <uint8_t>(i * 7 + profile)
    key_bytes = (32 if profile == 0x0008 or profile > 0x0100 else 16) + (12 if profile in (0x0007, 0x0008) else 14)
    memset(packet, 0x5A, sizeof(packet))
    packet[0], packet[1] = 0x80, 96
    write_u16(packet + 2, 0xFFF0)
    write_u32(packet + 8, 0xCAFE)
    for inbound in range(2):
        if not srtp_policy_init(&policy, profile, key, key_bytes, inbound):
            return False
        of_a, of_b = a.create(&policy), b.create(&policy)
        if of_a == NULL or of_b == NULL:
            good = False
        elif inbound == 0:
            made = a.protect(of_a, from_a, packet, size)
            good = good and made > size and b.protect(of_b, from_b, packet, size) == made
            good = good and memcmp(from_a, from_b, made) == 0
            memcpy(from_b, from_a, 600)
        else:
            good = good and b.unprotect(of_b, from_b, made) == size and memcmp(from_b, packet, size) == 0
            good = good and a.unprotect(of_a, from_a, made) == size
            made = a.protect_rtcp(of_a, from_a, packet, size)
            good = good and made > size and b.protect_rtcp(of_b, from_b, packet, size) == made
            good = good and memcmp(from_a, from_b, made) == 0
            from_b[made - 1] ^= 1
        if of_a != NULL:
            a.free(of_a)
        if of_b != NULL:
            b.free(of_b)
    return good


problems = {"libsrtp": "", "ipsec-mb": _srtp_crypto.problem}     # why a backend cannot be used; empty: it can


cdef int check() except -1:
    cdef int i, size
    if ipsecmb_backend() == NULL:
        return 0
    for i in range(6):
        for size in (12, 13, 28, 29, 100, 255, 300):
            if not agree(libsrtp_backend(), ipsecmb_backend(), profiles[i], size):
                problems["ipsec-mb"] = f"disagrees with libsrtp in profile {profiles[i]:#x}, {size} bytes"
                return 0
    return 0


def available():
    """Names of the backends that can be used here, the default last."""
    return [name for name, problem in problems.items() if not problem]


cdef const SrtpBackend *srtp_backend_named(object name) except NULL:
    if name not in problems:
        raise ValueError(f"no SRTP backend {name!r}: libsrtp or ipsec-mb")
    if problems[name]:
        raise ValueError(f"SRTP backend {name}: {problems[name]}")
    return ipsecmb_backend() if name == "ipsec-mb" else libsrtp_backend()


cdef const SrtpBackend *srtp_backend() noexcept nogil:
    return chosen


cdef str choose():
    global chosen
    wanted = os.environ.get(VARIABLE) or available().pop()
    try:
        chosen = srtp_backend_named(wanted)
    except ValueError as error:
        raise ImportError(f"{VARIABLE}: {error}") from None
    return wanted


check()
backend = choose()                 # the name of the default
