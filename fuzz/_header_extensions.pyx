"""Values of header extensions, on their way into a packet and out again, in C. What they mean is read in Python, so
every input goes there as well. An input's first byte chooses the extension."""

from fuzz._dice cimport Dice, below, roll
from fuzz._loop cimport Tally, loop_of, ran
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp
from mediarouter._rtp cimport (
    ExtensionWriter,
    RtpView,
    extension_writer_add,
    extension_writer_finish,
    extension_writer_init,
    rtp_extension,
    rtp_parse,
    rtp_write_header,
)

cdef enum:
    HEADER_SIZE = 12
    BLOCK_HEADER_SIZE = 4
    VALUE_MAX = 255
    SIZES_MAX = 8                  # of one extension

cdef int kinds                     # of extensions; an input's first byte modulo that is one
cdef int[256] size_counts
cdef int[256][SIZES_MAX] sizes     # that its seeds have


cdef int repair(Dice *dice, uint8_t *data, int size) noexcept nogil:
    # most often one of the sizes that the extension has
    cdef int kind, wanted
    if size == 0 or below(dice, 8) == 0:
        return max(size, 1)
    kind = data[0] % kinds
    wanted = 1 + sizes[kind][below(dice, size_counts[kind])]
    while size < wanted:
        data[size] = <uint8_t>roll(dice)
        size += 1
    return wanted


cdef const char *check(Tally *tally, uint8_t *data, int size) noexcept nogil:
    # by id and size the form is known: one-byte where it fits
    cdef int element_id = 1 + data[0] % 255 if size else 1
    cdef int value_size = size - 1
    cdef bint two_byte = element_id > 14 or not 1 <= value_size <= 16
    cdef bint fits = 0 <= value_size <= VALUE_MAX
    cdef const char *wrong = NULL
    if size == 0:
        return NULL
    ran(tally, data, size, fits, element_id << 8 | value_size)
    wrong = carried(element_id, data + 1, value_size, two_byte, fits, 0)
    if wrong == NULL and two_byte:
        wrong = carried(element_id, data + 1, value_size, False, False, 0)
    if wrong == NULL:
        # the three bytes kept for padding, then those of the element
        wrong = carried(element_id, data + 1, value_size, two_byte, False, 1 + data[size - 1] % (value_size + 4))
    return wrong


cdef const char *carried(int element_id, const uint8_t *value, int size, bint two_byte, bint fits,
                         int lacking) noexcept nogil:
    # through a packet and out again, in the room it needs but for so many bytes
    cdef ExtensionWriter writer
    cdef RtpView view
    cdef int found_size = -1
    cdef int room = HEADER_SIZE + BLOCK_HEADER_SIZE + 1 + two_byte + size + 3 - lacking
    cdef uint8_t *packet = <uint8_t *>malloc(room)
    cdef const uint8_t *found
    cdef const char *wrong = NULL
    cdef int packet_size = rtp_write_header(packet, room, False, 96, 1, 2, 3)
    extension_writer_init(&writer, packet, room, two_byte)
    if extension_writer_add(&writer, element_id, value, size) != fits:
        wrong = "a value refused that fits its form, or taken that does not"
    packet_size += extension_writer_finish(&writer)
    if wrong == NULL and (packet_size > room or rtp_parse(&view, packet, packet_size) != 0):
        wrong = "a packet of our own that is none"
    if wrong == NULL:
        found = rtp_extension(&view, element_id, &found_size)
        if (found != NULL) != fits:
            wrong = "an element that is not there, or should not be"
        elif fits and (found_size != size or memcmp(found, value, size) != 0):
            wrong = "an element that reads otherwise than it was written"
    free(packet)
    return wrong


def loop(seeds, seed, kept=None):
    """See `fuzz._loop`."""
    global kinds
    kinds = 1 + max([entry[0] for entry in seeds])
    for kind in range(kinds):
        found = sorted({len(entry) - 1 for entry in seeds if entry[0] == kind})[:SIZES_MAX]
        size_counts[kind] = len(found)
        for i, size in enumerate(found):
            sizes[kind][i] = size
    return loop_of(check, repair, seeds, seed, kept)
