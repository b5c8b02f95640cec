"""Parsers with bugs that are known, for the tests of the fuzzer: it must find each of them."""

from fuzz._loop cimport Tally, check_t, loop_of, ran
from libc.stdint cimport uint8_t

cdef uint8_t sink                  # so that no compiler leaves a read out


cdef const char *over_read(Tally *tally, uint8_t *data, int size) noexcept nogil:
    # type, length, value: the length is believed, where the type has a bit set
    global sink
    cdef int i
    cdef bint accepted = size >= 2 and data[1] <= size - 2
    ran(tally, data, size, accepted, data[0] if accepted else 0)
    if size >= 2 and (accepted or data[0] & 0x40):
        for i in range(data[1]):
            sink ^= data[2 + i]
    return NULL


cdef const char *invariant(Tally *tally, uint8_t *data, int size) noexcept nogil:
    # the sum of its bytes does not fit where it is kept
    cdef uint8_t kept = 0
    cdef int i, total = 0
    for i in range(size):
        total += data[i]
        kept = <uint8_t>(kept + data[i])
    ran(tally, data, size, True, kept)
    if kept != total and size == 7:
        return "a sum that does not add up"
    return NULL


cdef const char *endless(Tally *tally, uint8_t *data, int size) noexcept nogil:
    # a chunk of no length is walked over for ever
    cdef int at = 0
    ran(tally, data, size, True, size)
    while at < size:
        at += data[at]
    return NULL


cdef const char *sound(Tally *tally, uint8_t *data, int size) noexcept nogil:
    ran(tally, data, size, size > 0 and data[0] & 1 == 0, size)
    return NULL


def loop_with(str bug, seeds, seed, kept=None):
    """A loop with one of the bugs "over_read", "invariant", "endless", or "none"."""
    cdef check_t check = sound
    if bug == "over_read":
        check = over_read
    elif bug == "invariant":
        check = invariant
    elif bug == "endless":
        check = endless
    return loop_of(check, NULL, seeds, seed, kept)
