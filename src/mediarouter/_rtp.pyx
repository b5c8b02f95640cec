"""RTP packets in C: parsing in place, rewriting, writing. The Python face of a packet is `RtpHeader`, made by `parse`.

Theory of operation
`rtp_parse` looks at each byte of the header once: it bounds-checks the fixed part, the CSRC list, the extension block
and the padding, and walks the extension elements and notes where those with ids 1 to 14 begin. Nothing is copied; the
view is good as long as the packet's memory is. Elements with ids from 15 on are rare (two-byte form only) and are
looked for when somebody asks.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from mediarouter._drop cimport DROP_RTP_EXTENSION, DROP_RTP_PADDING, DROP_RTP_SHORT, DROP_RTP_VERSION, DROP_TOO_LARGE

cdef enum:
    HEADER_SIZE = 12
    BLOCK_HEADER_SIZE = 4          # profile and length in words, before the elements
    LARGEST_PACKET = 65535
    ONE_BYTE = 0xBEDE
    TWO_BYTE = 0x1000              # with four bits of the application's own (appbits)


cdef int rtp_parse(RtpView *view, uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef int first, second, offset, padding, words
    if size < HEADER_SIZE:
        return DROP_RTP_SHORT
    if size > LARGEST_PACKET:
        return DROP_TOO_LARGE
    first = data[0]
    second = data[1]
    if first >> 6 != 2:
        return DROP_RTP_VERSION
    offset = HEADER_SIZE + 4 * (first & 0x0F)
    if offset > size:
        return DROP_RTP_SHORT
    view.data = data
    view.size = <uint16_t>size
    view.marker = <uint8_t>(second >> 7)
    view.payload_type = <uint8_t>(second & 0x7F)
    view.csrc_count = <uint8_t>(first & 0x0F)
    view.seq = read_u16(data + 2)
    view.timestamp = read_u32(data + 4)
    view.ssrc = read_u32(data + 8)
    if first & 0x10:
        if offset + BLOCK_HEADER_SIZE > size:
            return DROP_RTP_EXTENSION
        words = read_u16(data + offset + 2)
        view.extension_profile = read_u16(data + offset)
        offset += BLOCK_HEADER_SIZE
        if offset + 4 * words > size:
            return DROP_RTP_EXTENSION
        view.extension_offset = <uint16_t>offset
        view.extension_size = <uint16_t>(4 * words)
        if view.extension_profile == ONE_BYTE:
            locate_one_byte(view, data, offset, offset + 4 * words)
        else:
            locate_two_byte(view)
        offset += 4 * words
    else:
        view.extension_profile = view.extension_offset = view.extension_size = view.located = 0
    padding = 0
    if first & 0x20:
        padding = data[size - 1]
        if padding == 0 or offset + padding > size:
            return DROP_RTP_PADDING
    view.payload_offset = <uint16_t>offset
    view.padding_size = <uint16_t>padding
    view.payload_size = <uint16_t>(size - offset - padding)
    return 0


cdef inline void locate_one_byte(RtpView *view, const uint8_t *data, int at, int end) noexcept nogil:
    # RFC 8285 section 4.2: id 15, and id 0 with a length, end the walk; so does an element that runs past the block.
    # What was found before stands.
    cdef unsigned int head, element_id
    cdef int following
    cdef unsigned int located = 0
    while at < end:
        head = data[at]
        at += 1
        if head - 0x10 >= 0xE0:
            if head == 0:
                continue           # padding
            break
        following = at + <int>(head & 0x0F) + 1
        if cython.unlikely(following > end):
            break
        element_id = head >> 4
        if cython.likely(not located & (<unsigned int>1 << element_id)):
            located |= <unsigned int>1 << element_id
            view.element_offset[element_id] = <uint16_t>at
            view.element_size[element_id] = <uint8_t>((head & 0x0F) + 1)
        at = following
    view.located = <uint16_t>located


cdef void locate_two_byte(RtpView *view) noexcept nogil:
    # an opaque profile has no elements: the walk ends before it begins
    cdef ExtensionElement element
    element.next_offset = 0
    view.located = 0
    while rtp_next_extension(view, &element):
        if element.element_id < 15 and not view.located & (1 << element.element_id):
            view.located |= <uint16_t>(1 << element.element_id)
            view.element_offset[element.element_id] = <uint16_t>(element.value - view.data)
            view.element_size[element.element_id] = <uint8_t>element.size


cdef bint rtp_next_extension(const RtpView *view, ExtensionElement *element) noexcept nogil:
    cdef int at = element.next_offset or view.extension_offset
    cdef int end = view.extension_offset + view.extension_size
    cdef int head_size, size
    cdef bint one_byte = view.extension_profile == ONE_BYTE
    if not one_byte and view.extension_profile & 0xFFF0 != TWO_BYTE:
        return False
    while at < end and view.data[at] == 0:
        at += 1
    if at >= end:
        return False
    if one_byte:
        head_size = 1
        element.element_id = view.data[at] >> 4
        size = (view.data[at] & 0x0F) + 1
        if element.element_id == 0 or element.element_id == 15:
            return False
    else:
        if at + 2 > end:
            return False
        head_size = 2
        element.element_id = view.data[at]
        size = view.data[at + 1]
    if at + head_size + size > end:
        return False
    element.offset = at
    element.size = size
    element.value = view.data + at + head_size
    element.next_offset = at + head_size + size
    return True


cdef const uint8_t *rtp_extension(const RtpView *view, int element_id, int *size) noexcept nogil:
    cdef ExtensionElement element
    if 0 < element_id < 15:
        if not view.located & (1 << element_id):
            return NULL
        size[0] = view.element_size[element_id]
        return view.data + view.element_offset[element_id]
    element.next_offset = 0
    while rtp_next_extension(view, &element):
        if element.element_id == element_id:
            size[0] = element.size
            return element.value
    return NULL


cdef bint rtp_renumber_extensions(RtpView *view, const uint8_t *new_ids) noexcept nogil:
    cdef ExtensionElement element
    cdef bint one_byte = view.extension_profile == ONE_BYTE
    cdef uint8_t *head
    cdef int new_id
    element.next_offset = 0
    while rtp_next_extension(view, &element):
        if one_byte and new_ids[element.element_id] > 14:
            return False
    element.next_offset = 0
    while rtp_next_extension(view, &element):
        head = view.data + element.offset
        new_id = new_ids[element.element_id]
        if new_id == 0:
            memset(head, 0, element.next_offset - element.offset)
        elif one_byte:
            head[0] = <uint8_t>((new_id << 4) | (head[0] & 0x0F))
        else:
            head[0] = <uint8_t>new_id
    if one_byte:
        locate_one_byte(view, view.data, view.extension_offset, view.extension_offset + view.extension_size)
    else:
        locate_two_byte(view)
    return True


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
    writer.position = HEADER_SIZE + BLOCK_HEADER_SIZE
    writer.capacity = capacity
    writer.two_byte = two_byte


cdef bint extension_writer_add(ExtensionWriter *writer, int element_id, const uint8_t *value, int size) noexcept nogil:
    # three bytes are kept for the padding that `extension_writer_finish` may add
    cdef uint8_t *out = writer.packet + writer.position
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
    memcpy(out, value, size)
    writer.position = <int>(out - writer.packet) + size
    return True


cdef int extension_writer_finish(ExtensionWriter *writer) noexcept nogil:
    cdef int size = writer.position - HEADER_SIZE - BLOCK_HEADER_SIZE
    if size == 0:
        return 0
    while size & 3:
        writer.packet[HEADER_SIZE + BLOCK_HEADER_SIZE + size] = 0
        size += 1
    writer.packet[0] |= 0x10
    write_u16(writer.packet + HEADER_SIZE, TWO_BYTE if writer.two_byte else ONE_BYTE)
    write_u16(writer.packet + HEADER_SIZE + 2, <uint16_t>(size >> 2))
    return size + BLOCK_HEADER_SIZE


# ---- the Python face


def parse(data, /):
    """Read one RTP packet, decrypted. Nothing is copied: the header holds on to `data`.

    Args:
        data: bytes-like. Over writable memory (a bytearray) the header's fields can be set, in place.

    Raises:
        ValueError: it is no RTP packet (RFC 3550 section 5.1, appendix A.1); the text says why.
        TypeError: `data` is not bytes-like.
    """
    cdef RtpHeader header = RtpHeader.__new__(RtpHeader)
    cdef int result
    if type(data) is bytes:
        header._data = <bytes>data
        result = rtp_parse(&header._view, <uint8_t *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    else:
        result = header._borrow(data)
    if result < 0:
        raise ValueError(reason_of(result))
    return header


@cython.final
@cython.freelist(64)
cdef class RtpHeader:
    """A parsed RTP packet (RFC 3550 section 5.1). Made by `parse`; `bytes(header)` is the whole packet.

    Setting a field rewrites the packet in place; that needs writable memory (`parse(bytearray)`) and raises TypeError
    without.
    """
    cdef bytes _data               # what was parsed, when that was bytes; else None and `_memory` is held
    cdef Py_buffer _memory
    cdef bint _holds_memory
    cdef RtpView _view

    def __init__(self):
        raise TypeError("RtpHeader is made by parse()")

    def __dealloc__(self):
        if self._holds_memory:
            PyBuffer_Release(&self._memory)

    cdef int _borrow(self, object data) except? -1:
        try:
            PyObject_GetBuffer(data, &self._memory, PyBUF_WRITABLE)
        except (BufferError, TypeError):
            PyObject_GetBuffer(data, &self._memory, PyBUF_SIMPLE)
        self._holds_memory = True
        return rtp_parse(&self._view, <uint8_t *>self._memory.buf, self._memory.len)

    cdef int _check_writable(self) except -1:
        if not self._holds_memory or self._memory.readonly:
            raise TypeError("the packet is read-only: parse a bytearray to rewrite it in place")
        return 0

    @property
    def version(self):
        """2."""
        return 2

    @property
    def padding(self):
        """P bit: there is padding behind the payload."""
        return self._view.padding_size != 0

    @property
    def extension(self):
        """X bit: there is an extension block, maybe an empty one."""
        return self._view.extension_offset != 0

    @property
    def marker(self):
        """M bit: the end of a video frame, the begin of an audio talk spurt."""
        return self._view.marker != 0

    @marker.setter
    def marker(self, value):
        self._check_writable()
        rtp_set_marker(&self._view, bool(value))

    @property
    def payload_type(self):
        """0..127."""
        return self._view.payload_type

    @payload_type.setter
    def payload_type(self, value):
        self._check_writable()
        rtp_set_payload_type(&self._view, <int>checked(value, 0x7F, "payload_type"))

    @property
    def sequence_number(self):
        """0..65535."""
        return self._view.seq

    @sequence_number.setter
    def sequence_number(self, value):
        self._check_writable()
        rtp_set_seq(&self._view, <uint16_t>checked(value, 0xFFFF, "sequence_number"))

    @property
    def timestamp(self):
        """RTP clock units, 32 bits."""
        return self._view.timestamp

    @timestamp.setter
    def timestamp(self, value):
        self._check_writable()
        rtp_set_timestamp(&self._view, checked(value, 0xFFFFFFFF, "timestamp"))

    @property
    def ssrc(self):
        """Synchronisation source, 32 bits."""
        return self._view.ssrc

    @ssrc.setter
    def ssrc(self, value):
        self._check_writable()
        rtp_set_ssrc(&self._view, checked(value, 0xFFFFFFFF, "ssrc"))

    @property
    def csrc(self):
        """Contributing sources, a tuple of up to 15. Setting takes as many as there are."""
        cdef int i
        return tuple([read_u32(self._view.data + HEADER_SIZE + 4 * i) for i in range(self._view.csrc_count)])

    @csrc.setter
    def csrc(self, value):
        cdef list sources = [checked(source, 0xFFFFFFFF, "csrc") for source in value]
        cdef int i
        self._check_writable()
        if len(sources) != self._view.csrc_count:
            raise ValueError(f"the packet has room for {self._view.csrc_count} contributing sources")
        for i in range(self._view.csrc_count):
            write_u32(self._view.data + HEADER_SIZE + 4 * i, <uint32_t>sources[i])

    @property
    def extension_profile(self):
        """0xBEDE: one-byte elements; 0x1000..0x100F: two-byte elements; else opaque; 0 without an extension block."""
        return self._view.extension_profile

    @property
    def extension_data(self):
        """The extension block behind its four bytes of header, as on the wire."""
        return slice_of(&self._view, self._view.extension_offset, self._view.extension_size)

    @property
    def extensions(self):
        """A new dict: value by element id, in the order of the wire (RFC 8285). Of two with one id the first counts.

        Empty for an opaque profile.
        """
        cdef dict elements = {}
        cdef ExtensionElement element
        element.next_offset = 0
        while rtp_next_extension(&self._view, &element):
            elements.setdefault(element.element_id, bytes_of(element.value, element.size))
        return elements

    def get_extension(self, int element_id, /):
        """Value of the element with that id (1..255); None when it is absent."""
        cdef int size
        cdef const uint8_t *value = rtp_extension(&self._view, element_id, &size)
        return None if value == NULL else bytes_of(value, size)

    def set_extension(self, int element_id, value, /):
        """Rewrite an element's value in place; the new one has the old one's size.

        Raises:
            KeyError: there is no such element.
            ValueError: the sizes differ.
        """
        cdef int size
        cdef bytes content = bytes(value)
        cdef const uint8_t *room = rtp_extension(&self._view, element_id, &size)
        self._check_writable()
        if room == NULL:
            raise KeyError(element_id)
        if size != len(content):
            raise ValueError(f"header extension {element_id} has {size} bytes")
        memcpy(<uint8_t *>room, PyBytes_AS_STRING(content), size)

    def renumber_extensions(self, new_ids, /):
        """Give elements other ids, in place: {old: new}. New id 0 takes an element out; ids not named stay.

        Raises:
            ValueError: an id is outside of 0..255, or above 14 in a packet of the one-byte form, or two elements would
                have one id; nothing was changed.
        """
        cdef uint8_t table[256]
        cdef int i
        cdef set taken = set()
        self._check_writable()
        for i in range(256):
            table[i] = <uint8_t>i
        for old, new in new_ids.items():
            table[<int>checked(old, 255, "header extension id")] = <uint8_t>checked(new, 255, "header extension id")
        for old in self.extensions:
            new = table[<int>old]
            if new and new in taken:
                raise ValueError(f"two header extensions would have id {new}")
            taken.add(new)
        if not rtp_renumber_extensions(&self._view, table):
            raise ValueError("the one-byte form has ids 1..14")

    @property
    def payload(self):
        """Without padding."""
        return slice_of(&self._view, self._view.payload_offset, self._view.payload_size)

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

    def __len__(self):
        return self._view.size

    def __bytes__(self):
        return slice_of(&self._view, 0, self._view.size) if self._data is None else self._data

    def __repr__(self):
        return (f"RtpHeader(payload_type={self._view.payload_type}, marker={bool(self._view.marker)}, "
                f"sequence_number={self._view.seq}, timestamp={self._view.timestamp}, ssrc={self._view.ssrc}, "
                f"payload_size={self._view.payload_size})")


cdef inline bytes slice_of(const RtpView *view, Py_ssize_t offset, Py_ssize_t size):
    # a header that `parse` did not make has no memory
    return b"" if view.data == NULL else bytes_of(view.data + offset, size)


cdef inline bytes bytes_of(const uint8_t *data, Py_ssize_t size):
    return PyBytes_FromStringAndSize(<const char *>data, size)


cdef inline uint32_t checked(object value, uint32_t largest, str name) except? 0xFFFFFFFF:
    if not 0 <= value <= largest:
        raise ValueError(f"{name} must be 0..{largest}")
    return <uint32_t>value


cdef str reason_of(int drop):
    if drop == DROP_RTP_SHORT:
        return "RTP packet is truncated"
    if drop == DROP_RTP_VERSION:
        return "RTP version is not 2"
    if drop == DROP_RTP_EXTENSION:
        return "RTP header extension is truncated"
    if drop == DROP_RTP_PADDING:
        return "RTP padding length is invalid"
    return "RTP packet is larger than 65535 bytes"


def kind_of_datagram(data, /):
    """"stun", "dtls", "rtp", "rtcp" or "unknown", by the first two bytes (RFC 7983, RFC 5761)."""
    cdef Py_buffer memory
    cdef int kind
    PyObject_GetBuffer(data, &memory, PyBUF_SIMPLE)
    kind = packet_kind(<const uint8_t *>memory.buf, memory.len)
    PyBuffer_Release(&memory)
    return ("unknown", "stun", "dtls", "rtp", "rtcp")[kind]
