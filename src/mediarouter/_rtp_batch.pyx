"""Parse a buffer full of RTP packets into one numpy array, without the GIL.

Theory of operation
A row of the array is a `RtpView` and a little more: `rtp_parse` writes straight into the array's memory, and the
pointer in the view gives way to the packet's position in the buffer. While one packet is parsed the header of a later
one is fetched into the cache, since in a buffer of many packets every header is a miss.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from mediarouter._rtp cimport RtpView, rtp_parse

import numpy

cdef extern from *:
    """
    #define MEDIAROUTER_PREFETCH(address) __builtin_prefetch(address)
    """
    void prefetch "MEDIAROUTER_PREFETCH"(const void *address) noexcept nogil
    int popcount "__builtin_popcount"(unsigned int) noexcept nogil

cdef enum:
    AHEAD = 8                     # packets between the one that is parsed and the one that is fetched
    CACHE_LINE = 64

cdef union Place:
    RtpView view
    uint64_t offset                # over the view's pointer, once the view is done

cdef struct Row:
    Place place
    uint32_t size
    int32_t status


cdef object row_dtype():
    # numpy lays the fields out where the C compiler put them
    cdef Row row
    cdef const char *base = <const char *>&row
    cdef RtpView *view = &row.place.view
    cdef dict fields = {
        "offset": ("<u8", <const char *>&row.place.offset - base),
        "size": ("<u4", <const char *>&row.size - base),
        "status": ("<i4", <const char *>&row.status - base),
        "timestamp": ("<u4", <const char *>&view.timestamp - base),
        "ssrc": ("<u4", <const char *>&view.ssrc - base),
        "sequence_number": ("<u2", <const char *>&view.seq - base),
        "payload_type": ("u1", <const char *>&view.payload_type - base),
        "marker": ("?", <const char *>&view.marker - base),
        "csrc_count": ("u1", <const char *>&view.csrc_count - base),
        "payload_offset": ("<u2", <const char *>&view.payload_offset - base),
        "payload_size": ("<u2", <const char *>&view.payload_size - base),
        "padding_size": ("<u2", <const char *>&view.padding_size - base),
        "extension_profile": ("<u2", <const char *>&view.extension_profile - base),
        "extension_offset": ("<u2", <const char *>&view.extension_offset - base),
        "extension_size": ("<u2", <const char *>&view.extension_size - base),
        "located": ("<u2", <const char *>&view.located - base),
        "element_offset": (("<u2", (15,)), <const char *>&view.element_offset[0] - base),
        "element_size": (("u1", (15,)), <const char *>&view.element_size[0] - base),
    }
    return numpy.dtype({
        "names": list(fields),
        "formats": [form for form, _ in fields.values()],
        "offsets": [offset for _, offset in fields.values()],
        "itemsize": sizeof(Row),
    })


BATCH_DTYPE = row_dtype()


def parse_batch(buffer, offsets, sizes=None):
    """Parse many RTP packets of one buffer.

    Args:
        buffer: bytes-like, not changed while this runs.
        offsets: where each packet begins. Without `sizes` one more position is there, and each packet ends where the
            next begins.
        sizes: bytes of each packet, as many as offsets.

    Returns:
        A structured array with a row a packet (`BATCH_DTYPE`): `offset` (of the packet in the buffer) and `size`;
        `status`, 0 or the negative code of why it is no RTP packet: then the row's other fields are 0; the header's
        fields; `payload_offset`, `extension_offset` and `element_offset` count from the packet's first byte.
        `located` has bit i set when header extension i (1..14) is there; its value is at `element_offset[i]`, with
        `element_size[i]` bytes.

    Raises:
        ValueError: positions that fall, or lie outside of the buffer; as many sizes as offsets are needed.
    """
    starts = numpy.ascontiguousarray(offsets, dtype=numpy.int64)
    if starts.ndim != 1:
        raise ValueError("offsets must be one-dimensional")
    if sizes is None:
        if len(starts) == 0:
            raise ValueError("offsets need at least one position")
        lengths = numpy.diff(starts)
        starts = starts[:len(starts) - 1]
    else:
        lengths = numpy.ascontiguousarray(sizes, dtype=numpy.int64)
        if lengths.shape != starts.shape:
            raise ValueError("as many sizes as offsets are needed")
    rows = numpy.zeros(len(starts), dtype=BATCH_DTYPE)
    if len(starts):
        fill(rows, buffer, starts, lengths)
    return rows


cdef int fill(object rows, object buffer, const int64_t[::1] starts, const int64_t[::1] lengths) except -1:
    cdef uint8_t[::1] room = rows.view(numpy.uint8)
    cdef Py_ssize_t count = starts.shape[0]
    cdef Py_ssize_t done
    cdef Py_buffer memory
    PyObject_GetBuffer(buffer, &memory, PyBUF_SIMPLE)
    try:
        with nogil:
            done = parse_all(<Row *>&room[0], <uint8_t *>memory.buf, memory.len, &starts[0], &lengths[0], count)
    finally:
        PyBuffer_Release(&memory)
    if done < count:
        raise ValueError(f"packet {done} lies outside of the buffer")
    return 0


cdef Py_ssize_t parse_all(Row *rows, uint8_t *data, int64_t capacity, const int64_t *starts, const int64_t *lengths,
                          Py_ssize_t count) noexcept nogil:
    # how many packets were parsed before one that lies outside
    cdef Py_ssize_t i
    cdef Row *row
    for i in range(count):
        if i + AHEAD < count:
            prefetch(data + starts[i + AHEAD])
            prefetch(data + starts[i + AHEAD] + CACHE_LINE)
        if starts[i] < 0 or starts[i] > capacity or lengths[i] < 0 or lengths[i] > capacity - starts[i]:
            return i
        row = &rows[i]
        row.status = rtp_parse(&row.place.view, data + starts[i], lengths[i])
        if row.status < 0:
            memset(&row.place, 0, sizeof(Place))
        row.place.offset = <uint64_t>starts[i]
        row.size = <uint32_t>lengths[i]
    return count


def parse_times(bytes data not None, int times):
    """Parse one packet into a view on the stack that many times; the number of extensions located. For benchmarks."""
    cdef RtpView view
    cdef uint8_t *packet = <uint8_t *><const char *>data
    cdef Py_ssize_t size = len(data)
    cdef int64_t located = 0
    cdef int _
    with nogil:
        for _ in range(times):
            if rtp_parse(&view, packet, size) == 0:
                located += popcount(view.located)
    return located
