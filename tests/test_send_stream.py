"""Outgoing numbers against a plain model: every packet keeps its place, nothing left out leaves a gap."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._send_stream import SendStreamFace


def started(first_seq: int = 100, source: int = 1000) -> SendStreamFace:
    stream = SendStreamFace(first_seq)
    assert stream.switch(0, source, 0, 0)
    return stream


def test_numbers_begin_where_they_were_told_to():
    stream = started(100)
    assert [stream.extend(1000), stream.extend(1001)] == [100, 101]


def test_a_gap_keeps_its_places_and_late_packets_find_them():
    stream = started()
    assert stream.extend(1000) == 100
    assert stream.extend(1004) == 104
    assert [stream.place(0, n) for n in (1001, 1002, 1003)] == [101, 102, 103]
    assert stream.place(0, 1005) is None and stream.place(0, 999) is None and stream.place(1, 1001) is None


def test_left_out_packets_close_the_gap_and_find_no_place():
    stream = started()
    stream.extend(1000)
    stream.skip(1001)
    stream.skip(1002)
    assert stream.extend(1003) == 101
    assert stream.place(0, 1001) is None and stream.place(0, 1002) is None


def test_a_switch_goes_on_by_one_or_leaves_a_hole_after_a_cut_frame():
    stream = started()
    stream.extend(1000, True)
    stream.switch(1, 50, 9, 9)
    assert stream.extend(50, False) == 101
    stream.switch(0, 1001, 9, 9)
    assert stream.extend(1001) == 103
    assert stream.place(1, 50) == 101


def test_picture_ids_count_what_was_left_out():
    stream = SendStreamFace(0)
    stream.switch(0, 10, 0, 0, 5, 1)
    stream.extend(10)
    stream.skip(11, True)
    stream.skip(12, False)
    stream.extend(13)
    assert stream.trace(1)[3] == (0 - 1) % (1 << 15)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["send", "skip", "lose"]), max_size=120), st.integers(0, 32767), st.integers(0, 1 << 40)
)
def test_what_was_sent_is_traced_back(script, first_seq, source):
    stream, expected, next_out = SendStreamFace(first_seq), {}, first_seq
    stream.switch(0, source, 0, 0)
    lost = 0
    for number, what in enumerate(script, source):
        if what == "send":
            next_out += lost
            assert stream.extend(number) == next_out
            expected[next_out & 0xFFFF] = number
            next_out += 1
            lost = 0
        elif what == "skip":
            next_out += lost
            stream.skip(number)
            lost = 0
        else:
            lost += 1
    kept = 0
    for out, number in expected.items():
        found = stream.trace(out)
        if found is not None:
            assert found[:2] == (0, number)
            kept += 1
    assert kept == len(expected), "128 runs hold more than 120 packets"


def test_the_history_is_bounded():
    stream = started()
    for number in range(1000, 11000, 2):
        stream.extend(number)
        stream.skip(number + 1)
    assert stream.run_count == 128
    assert stream.trace(100) is None
    assert stream.trace(stream.newest_seq & 0xFFFF) is not None


def test_a_number_is_resent_three_times_a_round_trip_apart():
    stream, now_us, answered = started(), 0, 0
    for _ in range(100):
        answered += stream.may_resend(100, 50_000, now_us)
        now_us += 10_000
    assert answered == 3
    assert stream.may_resend(101, 50_000, now_us)


def test_a_storm_for_ever_other_numbers_is_answered_until_the_credit_is_used():
    stream = started()
    for number in range(1000, 5000):
        stream.extend(number)
    assert sum(stream.may_resend(seq, 50_000, seq * 100) for seq in range(100, 4000)) == 256
    assert not stream.may_resend(4050, 50_000, 10_000_000)


def test_what_came_before_a_key_frame_that_went_down_is_past():
    stream = started()
    assert [stream.extend(1000), stream.extend(1001)] == [100, 101]
    stream.switch(1, 50, 9, 9)  # up: what was lost before may still be shown
    assert stream.extend(50) == 102
    assert not any(stream.is_past(seq) for seq in (100, 101, 102))
    stream.switch(0, 1002, 9, 9)
    assert stream.extend(1002) == 103
    assert [stream.is_past(seq) for seq in (100, 101, 102, 103, 104)] == [True, True, True, False, False]
    stream.switch(0, 1005, 9, 9)  # paused, and begun anew with a key frame
    assert stream.extend(1005) == 104
    assert [stream.is_past(seq) for seq in (103, 104)] == [True, False]
