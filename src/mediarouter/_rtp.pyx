"""RTP packets: parsing in place, writing headers and extensions. The Python face is `RtpHeader`, made by `parse`.

Theory of operation
`rtp_parse` looks at each byte of the header once: it bounds-checks the fixed part, the CSRC list, the extension block and
the padding, then walks the extension elements and notes where those with ids 1 to 14 begin. Nothing is copied; the view
is good as long as the packet's memory is.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from mediarouter._drop cimport DROP_RTP_EXTENSION, DROP_RTP_PADDING, DROP_RTP_SHORT, DROP_RTP_VERSION

import numpy

cdef enum:
    HEADER_SIZE = 12
    ONE_BYTE = 0xBEDE
    TWO_BYTE = 0x1000              # with four bits of the application's own (appbits)
    LARGEST_PACKET = 65535


cdef int rtp_parse(RtpView *view, uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef int offset, padding
    if size < HEADER_SIZE or size > LARGEST_PACKET:
        return DROP_RTP_SHORT
    if data[0] >> 6 != 2:
        return DROP_RTP_VERSION
    view.data = data
    view.size = <uint16_t>size
    view.marker = data[1] >> 7
    view.payload_type = data[1] & 0x7F
    view.seq = read_u16(data + 2)
    view.timestamp = read_u32(data + 4)
    view.ssrc = read_u32(data + 8)
    view.csrc_count = data[0] & 0x0F
    view.extension_profile = 0
    view.extension_offset = 0
    view.extension_size = 0
    view.located = 0
    offset = HEADER_SIZE + 4 * view.csrc_count
    if offset > size:
        return DROP_RTP_SHORT
    if data[0] & 0x10:
        if offset + 4 > size:
            return DROP_RTP_EXTENSION
        view.extension_profile = read_u16(data + offset)
        view.extension_size = read_u16(data + offset + 2) * 4
        view.extension_offset = <uint16_t>(offset + 4)
        if offset + 4 + read_u16(data + offset + 2) * 4 > size:
            return DROP_RTP_EXTENSION
        offset += 4 + view.extension_size
        locate(view)
    padding = 0
    if data[0] & 0x20:
        if offset == size:
            return DROP_RTP_PADDING
        padding = data[size - 1]
        if padding == 0 or offset + padding > size:
            return DROP_RTP_PADDING
    view.payload_offset = <uint16_t>offset
    view.padding_size = <uint16_t>padding
    view.payload_size = <uint16_t>(size - offset - padding)
    return 0


cdef inline void locate(RtpView *view) noexcept nogil:
    # an element that runs past the block, and id 15 of the one-byte form, end the walk (RFC 8285 4.2); what was found
    # before stands
    cdef const uint8_t *data = view.data
    cdef int at = view.extension_offset
    cdef int end = at + view.extension_size
    cdef int element_id, size
    if view.extension_profile == ONE_BYTE:
        while at < end:
            element_id = data[at] >> 4
            size = (data[at] & 0x0F) + 1
            at += 1
            if element_id == 0:
                if size != 1:
                    return         # id 0 with a length is no padding and no element
                continue
            if element_id == 15 or at + size > end:
                return
            note_element(view, element_id, at, size)
            at += size
    elif view.extension_profile & 0xFFF0 == TWO_BYTE:
        while at < end:
            element_id = data[at]
            at += 1
            if element_id == 0:
                continue
            if at == end:
                return
            size = data[at]
            at += 1
            if at + size > end:
                return
            if element_id < 15:
                note_element(view, element_id, at, size)
            at += size


cdef inline void note_element(RtpView *view, int element_id, int at, int size) noexcept nogil:
    if view.located & (1 << element_id):
        return                     # the first one counts
    view.located |= <uint16_t>(1 << element_id)
    view.element_offset[element_id] = <uint16_t>at
    view.element_size[element_id] = <uint8_t>size


cdef const uint8_t *rtp_extension(const RtpView *view, int element_id, int *size) noexcept nogil:
    cdef int at, end
    if 0 < element_id < 15:
        if not view.located & (1 << element_id):
            return NULL
        size[0] = view.element_size[element_id]
        return view.data + view.element_offset[element_id]
    if view.extension_profile & 0xFFF0 != TWO_BYTE:
        return NULL
    at = view.extension_offset
    end = at + view.extension_size
    while at < end:
        if view.data[at] == 0:
            at += 1
            continue
        if at + 2 > end or at + 2 + view.data[at + 1] > end:
            return NULL
        if view.data[at] == element_id:
            size[0] = view.data[at + 1]
            return view.data + at + 2
        at += 2 + view.data[at + 1]
    return NULL


cdef int rtp_write_header(uint8_t *out, int capacity, bint marker, int payload_type, uint16_t seq,
                          uint32_t timestamp, uint32_t ssrc) noexcept nogil:
    if capacity < HEADER_SIZE:
        return 0
    out[0] = 0x80
    out[1] = <uint8_t>((payload_type & 0x7F) | (0x80 if marker else 0))
    write_u16(out + 2, seq)
    write_u32(out + 4, timestamp)
    write_u32(out + 8, ssrc)
    return HEADER_SIZE


cdef void extension_writer_init(ExtensionWriter *writer, uint8_t *packet, int capacity, bint two_byte) noexcept nogil:
    writer.packet = packet
    writer.position = HEADER_SIZE + 4
    writer.capacity = capacity
    writer.two_byte = two_byte


cdef bint extension_writer_add(ExtensionWriter *writer, int element_id, const uint8_t *value, int size) noexcept nogil:
    cdef uint8_t *out = writer.packet + writer.position
    cdef int i
    if writer.two_byte:
        if not (0 < element_id < 256 and 0 <= size < 256) or writer.position + 5 + size > writer.capacity:
            return False
        out[0] = <uint8_t>element_id
        out[1] = <uint8_t>size
        out += 2
    else:
        if not (0 < element_id < 15 and 0 < size < 17) or writer.position + 4 + size > writer.capacity:
            return False
        out[0] = <uint8_t>((element_id << 4) | (size - 1))
        out += 1
    for i in range(size):
        out[i] = value[i]
    writer.position = <int>(out - writer.packet) + size
    return True


cdef int extension_writer_finish(ExtensionWriter *writer) noexcept nogil:
    cdef int size = writer.position - HEADER_SIZE - 4
    if size == 0:
        return 0
    while size & 3:
        writer.packet[HEADER_SIZE + 4 + size] = 0
        size += 1
    writer.packet[0] |= 0x10
    write_u16(writer.packet + HEADER_SIZE, TWO_BYTE if writer.two_byte else ONE_BYTE)
    write_u16(writer.packet + HEADER_SIZE + 2, <uint16_t>(size >> 2))
    return size + 4


# ---- the Python face

cdef tuple REASONS = (
    "", "RTP packet is truncated", "RTP version is not 2", "RTP header extension is truncated",
    "RTP padding length is invalid",
)


@cython.final
@cython.freelist(64)
cdef class RtpHeader:
    """A parsed RTP packet (RFC 3550 section 5.1). It holds on to the bytes it was made of."""
    cdef bytes _data
    cdef RtpView _view

    @property
    def marker(self):
        """M bit: 0 or 1."""
        return int(self._view.marker)

    @property
    def payload_type(self):
        """0..127."""
        return self._view.payload_type

    @property
    def sequence_number(self):
        """0..65535."""
        return self._view.seq

    @property
    def timestamp(self):
        """RTP clock units, 32 bits."""
        return self._view.timestamp

    @property
    def ssrc(self):
        """Synchronisation source, 32 bits."""
        return self._view.ssrc

    @property
    def csrc(self):
        """Contributing sources."""
        return tuple(read_u32(self._view.data + HEADER_SIZE + 4 * i) for i in range(self._view.csrc_count))

    @property
    def extension_profile(self):
        """0 none, 0xBEDE one-byte elements, 0x1000..0x100F two-byte elements, else opaque."""
        return self._view.extension_profile

    @property
    def extensions(self):
        """Header extension elements: value by id (RFC 8285). Empty for an opaque profile."""
        return read_elements(&self._view)

    @property
    def payload(self):
        """Without padding."""
        return self._data[self._view.payload_offset:self._view.payload_offset + self._view.payload_size]

    @property
    def payload_offset(self):
        """Bytes before the payload."""
        return self._view.payload_offset

    @property
    def payload_size(self):
        """Bytes, padding not counted."""
        return self._view.payload_size

    @property
    def padding_size(self):
        """Bytes of padding, its count included; 0 when there is none."""
        return self._view.padding_size

    def __bytes__(self):
        return self._data

    def __repr__(self):
        return (f"RtpHeader(payload_type={self._view.payload_type}, sequence_number={self._view.seq}, "
                f"timestamp={self._view.timestamp}, ssrc={self._view.ssrc}, payload={self._view.payload_size} bytes)")


cdef dict read_elements(const RtpView *view):
    cdef dict elements = {}
    cdef const char *data = <const char *>view.data
    cdef int i, at, end
    for i in range(1, 15):
        if view.located & (1 << i):
            elements[i] = data[view.element_offset[i]:view.element_offset[i] + view.element_size[i]]
    if view.extension_profile & 0xFFF0 == TWO_BYTE:
        at = view.extension_offset
        end = at + view.extension_size
        while at + 1 < end:
            if view.data[at] == 0:
                at += 1
                continue
            if at + 2 + view.data[at + 1] > end:
                break
            if view.data[at] > 14:
                elements.setdefault(view.data[at], data[at + 2:at + 2 + view.data[at + 1]])
            at += 2 + view.data[at + 1]
    return elements


def parse(data):
    """Read an RTP packet.

    Args:
        data: bytes of one packet, decrypted.

    Raises:
        ValueError: it is no RTP packet; the text says why.
    """
    cdef RtpHeader header = RtpHeader.__new__(RtpHeader)
    cdef int result
    header._data = data if type(data) is bytes else bytes(data)
    result = rtp_parse(&header._view, <uint8_t *>PyBytes_AS_STRING(header._data), PyBytes_GET_SIZE(header._data))
    if result < 0:
        raise ValueError(REASONS[-result])
    return header


def build(*, int payload_type, int sequence_number, uint32_t timestamp, uint32_t ssrc, bint marker=False,
          payload=b"", dict extensions=None, csrc=(), int padding_size=0):
    """The bytes of an RTP packet.

    Args:
        payload_type: 0..127.
        sequence_number: 0..65535.
        extensions: value by id; the two-byte form is taken when an id is above 14 or a value not 1..16 bytes long.
        csrc: at most 15 contributing sources.
        padding_size: bytes of padding behind the payload, 0..255.

    Raises:
        ValueError: a field is out of range, or an extension fits neither form.
    """
    cdef uint8_t head[2048]
    cdef ExtensionWriter writer
    cdef bytes value
    cdef bint two_byte
    cdef int size = HEADER_SIZE
    if not (0 <= payload_type < 128 and 0 <= sequence_number < 65536 and 0 <= padding_size < 256 and len(csrc) < 16):
        raise ValueError("an RTP header field is out of range")
    rtp_write_header(head, sizeof(head), marker, payload_type, <uint16_t>sequence_number, timestamp, ssrc)
    extensions = extensions or {}
    two_byte = any(i > 14 or not 0 < len(v) < 17 for i, v in extensions.items())
    extension_writer_init(&writer, head, sizeof(head), two_byte)
    for element_id, item in extensions.items():
        value = bytes(item)
        if not extension_writer_add(&writer, element_id, <const uint8_t *><const char *>value, <int>len(value)):
            raise ValueError(f"header extension {element_id} of {len(value)} bytes cannot be written")
    size += extension_writer_finish(&writer)
    head[0] |= <uint8_t>(len(csrc) | (0x20 if padding_size else 0))
    sources = b"".join(source.to_bytes(4, "big") for source in csrc)
    padding = bytes(padding_size - 1) + bytes((padding_size,)) if padding_size else b""
    return (<char *>head)[:HEADER_SIZE] + sources + (<char *>head)[HEADER_SIZE:size] + bytes(payload) + padding


BATCH_DTYPE = numpy.dtype([
    ("offset", "<u8"),             # of the packet, in the buffer
    ("size", "<u4"),
    ("status", "<i4"),             # 0, or a negative Drop code: then the other fields mean nothing
    ("timestamp", "<u4"),
    ("ssrc", "<u4"),
    ("sequence_number", "<u2"),
    ("payload_offset", "<u2"),
    ("payload_size", "<u2"),
    ("padding_size", "<u2"),
    ("extension_profile", "<u2"),
    ("extension_offset", "<u2"),
    ("extension_size", "<u2"),
    ("located", "<u2"),            # bit i: the element with id i is there
    ("element_offset", "<u2", (15,)),
    ("element_size", "u1", (15,)),
    ("payload_type", "u1"),
    ("csrc_count", "u1"),
    ("marker", "u1"),
])


cdef packed struct BatchRow:
    uint64_t offset
    uint32_t size
    int32_t status
    uint32_t timestamp
    uint32_t ssrc
    uint16_t seq
    uint16_t payload_offset
    uint16_t payload_size
    uint16_t padding_size
    uint16_t extension_profile
    uint16_t extension_offset
    uint16_t extension_size
    uint16_t located
    uint16_t element_offset[15]
    uint8_t element_size[15]
    uint8_t payload_type
    uint8_t csrc_count
    uint8_t marker


def parse_batch(buffer, offsets):
    """Parse many packets that stand one behind the other in a buffer.

    Args:
        buffer: bytes-like.
        offsets: n + 1 rising positions: packet i is buffer[offsets[i]:offsets[i + 1]].

    Returns:
        A structured array of n rows (`BATCH_DTYPE`); a row whose `status` is negative is no RTP packet.

    Raises:
        ValueError: offsets that fall, or lie outside of the buffer.
    """
    cdef const int64_t[::1] positions = numpy.ascontiguousarray(offsets, dtype=numpy.int64)
    cdef Py_ssize_t count = positions.shape[0] - 1
    cdef Py_buffer memory
    cdef Py_ssize_t i
    cdef BatchRow[::1] view
    cdef bint orderly = True
    if count < 0:
        raise ValueError("offsets need at least one position")
    rows = numpy.empty(count, dtype=BATCH_DTYPE)
    if count == 0:
        return rows
    view = rows
    PyObject_GetBuffer(buffer, &memory, PyBUF_SIMPLE)
    try:
        with nogil:
            orderly = positions[0] >= 0 and positions[count] <= memory.len
            for i in range(count):
                if positions[i + 1] < positions[i]:
                    orderly = False
                    break
            if orderly:
                for i in range(count):
                    fill_row(&view[i], <uint8_t *>memory.buf, positions[i], positions[i + 1])
    finally:
        PyBuffer_Release(&memory)
    if not orderly:
        raise ValueError("offsets must rise and lie within the buffer")
    return rows


cdef inline void fill_row(BatchRow *row, uint8_t *data, int64_t start, int64_t end) noexcept nogil:
    cdef RtpView view
    cdef int i
    row.offset = <uint64_t>start
    row.size = <uint32_t>(end - start)
    row.status = rtp_parse(&view, data + start, end - start)
    if row.status < 0:
        return
    row.timestamp = view.timestamp
    row.ssrc = view.ssrc
    row.seq = view.seq
    row.payload_offset = view.payload_offset
    row.payload_size = view.payload_size
    row.padding_size = view.padding_size
    row.extension_profile = view.extension_profile
    row.extension_offset = view.extension_offset
    row.extension_size = view.extension_size
    row.located = view.located
    for i in range(15):
        row.element_offset[i] = view.element_offset[i] if view.located & (1 << i) else 0
        row.element_size[i] = view.element_size[i] if view.located & (1 << i) else 0
    row.payload_type = view.payload_type
    row.csrc_count = view.csrc_count
    row.marker = view.marker


def unwrap_sequence_number(int64_t newest, int sequence_number):
    """The number nearest to `newest` (an unwrapped one) whose low 16 bits are `sequence_number`."""
    return seq_unwrap(newest, <uint16_t>(sequence_number & 0xFFFF))


def kind_of_datagram(data):
    """ "stun", "dtls", "rtp", "rtcp" or "unknown", by the first two bytes (RFC 7983, RFC 5761)."""
    cdef bytes head = bytes(data[:2])
    return ("unknown", "stun", "dtls", "rtp", "rtcp")[
        <int>packet_kind(<const uint8_t *><const char *>head, <Py_ssize_t>len(head))]
