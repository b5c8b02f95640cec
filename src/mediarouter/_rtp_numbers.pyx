"""The engine's arithmetic on sequence numbers, timestamps and send times, for Python: what is inline in `_rtp.pxd`."""

from libc.stdint cimport int64_t, uint16_t, uint32_t
from mediarouter._rtp cimport abs_send_time as c_abs_send_time
from mediarouter._rtp cimport seq_diff as c_seq_diff
from mediarouter._rtp cimport seq_unwrap
from mediarouter._rtp cimport timestamp_diff as c_timestamp_diff


def seq_diff(a, b, /):
    """How far sequence number `a` is ahead of `b` on the circle of 16 bits: -32768..32767."""
    return c_seq_diff(<uint16_t>(a & 0xFFFF), <uint16_t>(b & 0xFFFF))


def timestamp_diff(a, b, /):
    """How far RTP timestamp `a` is ahead of `b` on the circle of 32 bits: -2**31..2**31 - 1."""
    return c_timestamp_diff(<uint32_t>(a & 0xFFFFFFFF), <uint32_t>(b & 0xFFFFFFFF))


def unwrap_seq(int64_t newest, sequence_number, /):
    """The number nearest to `newest`, an unwrapped one, whose low 16 bits are `sequence_number`.

    Begin with the first packet's number as `newest`, and keep the largest of the results.
    """
    return seq_unwrap(newest, <uint16_t>(sequence_number & 0xFFFF))


def unwrap_timestamp(int64_t newest, timestamp, /):
    """The number nearest to `newest`, an unwrapped one, whose low 32 bits are `timestamp`."""
    return newest + c_timestamp_diff(<uint32_t>(timestamp & 0xFFFFFFFF), <uint32_t>newest)


def abs_send_time(int64_t now_us, /):
    """24 bits of seconds as 6.18 fixed point, as the abs-send-time header extension has them."""
    return c_abs_send_time(now_us)
