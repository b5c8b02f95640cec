"""Mutations of packets.

Theory of operation
Formats of packets are headers, fields that tell lengths, and content. So places near the front are chosen more often
than others, values are written in the sizes fields have, and a place that holds what may be a length gets lengths that
are right, off by a little, or absurd. What a target's `repair` does to the result afterwards is up to the target.
"""

from fuzz._dice cimport Dice, below, either, roll
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove, memset

cdef enum:
    EDITS_MAX = 16
    FRONT = 64                     # bytes in which the headers of most formats are
    TRIES = 8                      # places that are looked at for a length

cdef uint16_t[16] INTERESTING = [
    0, 1, 2, 3, 4, 8, 15, 16, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF,
]


cdef bint corpus_add(Corpus *corpus, const uint8_t *data, int size) noexcept nogil:
    cdef uint8_t *copied
    if corpus.count == CORPUS_MAX or size > INPUT_MAX:
        return False
    copied = <uint8_t *>malloc(size + 1)
    if copied == NULL:
        return False
    memcpy(copied, data, size)
    corpus.entries[corpus.count].data = copied
    corpus.entries[corpus.count].size = size
    corpus.count += 1
    return True


cdef void corpus_release(Corpus *corpus) noexcept nogil:
    cdef int i
    for i in range(corpus.count):
        free(corpus.entries[i].data)
    corpus.count = corpus.given = 0


cdef const Entry *corpus_pick(const Corpus *corpus, Dice *dice) noexcept nogil:
    # those found on the way are many, and far from what is real: the given ones are half of all
    cdef int number = below(dice, corpus.given if roll(dice) & 1 else corpus.count)
    return &corpus.entries[number] if corpus.count else NULL


cdef int mutate(uint8_t *out, const Entry *base, const Corpus *corpus, Dice *dice) noexcept nogil:
    cdef int size = base.size
    cdef int edits = 1
    cdef int _
    memcpy(out, base.data, size)
    while edits < EDITS_MAX and below(dice, 5) < 3:
        edits += 1
    for _ in range(edits):
        size = edited(out, size, corpus, dice)
    return size


cdef int edited(uint8_t *data, int size, const Corpus *corpus, Dice *dice) noexcept nogil:
    cdef int turn = below(dice, 18)
    if size == 0 or turn == 0:
        return inserted(data, size, dice)
    if turn == 1:
        return removed(data, size, dice)
    if turn == 2:
        return below(dice, size + 1)
    if turn == 3:
        return repeated(data, size, dice)
    if turn == 4:
        return spliced(data, size, corpus_pick(corpus, dice), dice)
    if turn == 5:
        transplant(data, size, corpus_pick(corpus, dice), dice)
    elif turn < 10:
        data[place(size, dice)] ^= <uint8_t>(1 << below(dice, 8))
    elif turn < 13:
        data[place(size, dice)] = <uint8_t>(roll(dice) if roll(dice) & 1 else INTERESTING[below(dice, 16)])
    elif turn < 14:
        step(data, size, dice)
    else:
        write_field(data, size, dice)
    return size


cdef int place(int size, Dice *dice) noexcept nogil:
    # half of them in front, an eighth at the end, where trailers and counts of padding are
    cdef int turn = below(dice, 8)
    if turn < 4:
        return below(dice, min(size, FRONT))
    if turn == 4:
        return size - 1 - below(dice, min(size, 24))
    return below(dice, size)


cdef void fill(uint8_t *data, int size, Dice *dice) noexcept nogil:
    cdef int i
    if roll(dice) & 1:
        memset(data, either(dice, 0, 0xFF), size)
        return
    for i in range(size):
        data[i] = <uint8_t>roll(dice)


cdef int stretch(int room, Dice *dice) noexcept nogil:
    # mostly short, often a multiple of the words that formats are made of
    cdef int length = 1 + below(dice, either(dice, 8, 64))
    if roll(dice) & 1:
        length = (length + 3) & ~3
    return min(length, room)


cdef int inserted(uint8_t *data, int size, Dice *dice) noexcept nogil:
    cdef int at = size if size == 0 or below(dice, 8) == 0 else place(size, dice)
    cdef int length = stretch(INPUT_MAX - size, dice)
    memmove(data + at + length, data + at, size - at)
    fill(data + at, length, dice)
    return size + length


cdef int removed(uint8_t *data, int size, Dice *dice) noexcept nogil:
    cdef int at = place(size, dice)
    cdef int length = stretch(size - at, dice)
    memmove(data + at, data + at + length, size - at - length)
    return size - length


cdef int repeated(uint8_t *data, int size, Dice *dice) noexcept nogil:
    cdef int at = place(size, dice)
    cdef int length = min(stretch(size - at, dice), INPUT_MAX - size)
    memmove(data + at + length, data + at, size - at)
    return size + length


cdef int spliced(uint8_t *data, int size, const Entry *other, Dice *dice) noexcept nogil:
    # the front of one, the rest of another
    cdef int at = place(size, dice)
    cdef int start = at if at < other.size and roll(dice) & 1 else below(dice, other.size + 1)
    cdef int length = min(other.size - start, INPUT_MAX - at)
    memcpy(data + at, other.data + start, length)
    return at + length


cdef void transplant(uint8_t *data, int size, const Entry *other, Dice *dice) noexcept nogil:
    cdef int at = place(size, dice)
    cdef int start, length
    if other.size == 0:
        return
    start = at if at < other.size and roll(dice) & 1 else place(other.size, dice)
    length = stretch(min(other.size - start, size - at), dice)
    memcpy(data + at, other.data + start, length)


cdef void step(uint8_t *data, int size, Dice *dice) noexcept nogil:
    # a number a little larger or smaller
    cdef int at = place(size, dice)
    cdef int by = either(dice, 1, -1) * (1 + below(dice, either(dice, 2, 16)))
    if at + 1 < size and roll(dice) & 1:
        write_u16(data + at, ((data[at] << 8) | data[at + 1]) + by, False)
    else:
        data[at] = <uint8_t>(data[at] + by)


cdef void write_field(uint8_t *data, int size, Dice *dice) noexcept nogil:
    cdef int turn = below(dice, 4)
    cdef int at = length_place(data, size, dice) if turn < 2 else place(size, dice)
    cdef bint little = below(dice, 4) == 0
    cdef uint32_t value = INTERESTING[below(dice, 16)]
    if turn < 2:
        value = <uint32_t>length_of(size, at, dice)
    if turn == 2 and at + 4 <= size:
        # in 32 bits what is interesting in 16: its like at the other end, or all over
        value = value << 16 if roll(dice) & 1 else value | (value << 16)
        write_u16(data + at, value >> 16 if not little else value, little)
        write_u16(data + at + 2, value if not little else value >> 16, little)
    elif at + 2 <= size:
        write_u16(data + at, value, little)
    else:
        data[at] = <uint8_t>value


cdef int length_place(const uint8_t *data, int size, Dice *dice) noexcept nogil:
    # where 16 bits stand that may tell a length, if one is met soon
    cdef int at = 0
    cdef int value, _
    for _ in range(TRIES):
        at = place(size, dice)
        if at + 2 <= size:
            value = (data[at] << 8) | data[at + 1]
            if 0 < value <= size:
                break
    return at


cdef int length_of(int size, int at, Dice *dice) noexcept nogil:
    cdef int value = size - (at if roll(dice) & 1 else 0) - (4 * below(dice, 4) if roll(dice) & 1 else 2)
    if roll(dice) & 1:
        value //= 4                # lengths in words
    return value + (below(dice, 9) - 4 if roll(dice) & 1 else 0)


cdef inline void write_u16(uint8_t *at, uint32_t value, bint little) noexcept nogil:
    at[0] = <uint8_t>(value if little else value >> 8)
    at[1] = <uint8_t>(value >> 8 if little else value)
