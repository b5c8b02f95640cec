"""Layer selection: what is possible, and when one may step."""

import pytest

from mediarouter._layers import LayerSelectorFace


def selector(spatial: int = 127, temporal: int = 127, alive: int = 0b111) -> LayerSelectorFace:
    layers = LayerSelectorFace()
    layers.prefer(spatial, temporal)
    layers.update_target(alive)
    return layers


@pytest.mark.parametrize(
    ("wish", "alive", "target"),
    [(127, 0b111, 2), (127, 0b011, 1), (1, 0b111, 1), (1, 0b101, 0), (0, 0b110, 1), (2, 0b001, 0), (127, 0, -1)],
)
def test_target_is_the_highest_not_above_the_wish_else_the_lowest(wish, alive, target):
    assert selector(wish, alive=alive).target[0] == target


def test_with_nothing_alive_the_target_stays():
    layers = selector()
    assert not layers.update_target(0)
    assert layers.target[0] == 2


def test_an_encoding_is_entered_at_the_first_packet_of_a_key_frame_only():
    layers = selector()
    assert layers.wants_key_frame
    assert layers.judge(0, key_frame=True) == "other"
    assert layers.judge(2) == "other"
    assert layers.judge(2, key_frame=True, frame_start=False) == "other"
    assert layers.judge(2, key_frame=True) == "switch"
    assert not layers.wants_key_frame
    assert layers.judge(2) == "send"


def test_the_current_layer_goes_on_until_the_target_has_a_key_frame():
    layers = selector(0)
    assert layers.judge(0, key_frame=True) == "switch"
    layers.prefer(2, 127)
    layers.update_target(0b111)
    assert layers.judge(0) == "send"
    assert layers.judge(2) == "other"
    assert layers.judge(2, key_frame=True) == "switch"
    assert layers.judge(0, key_frame=True) == "other"


def test_without_key_frames_any_packet_is_an_entry():
    assert selector().judge(2, key_frames=False) == "switch"


def test_temporal_steps_down_at_the_next_picture_and_up_at_sync_points():
    layers = selector(0, 2)
    layers.judge(0, key_frame=True)
    assert layers.judge(0, temporal_layer=2) == "send"
    layers.prefer(0, 0)
    layers.update_target(1)
    assert layers.judge(0, temporal_layer=2, new_picture=False) == "send", "one picture is not cut"
    assert layers.judge(0, temporal_layer=2) == "skip"
    layers.prefer(0, 2)
    layers.update_target(1)
    assert layers.judge(0, temporal_layer=2) == "skip"
    assert layers.judge(0, temporal_layer=1, layer_sync=True) == "send"
    assert layers.judge(0, temporal_layer=2) == "skip"
    assert layers.judge(0, temporal_layer=2, layer_sync=True) == "send"
    assert layers.current == (0, 2)


def test_a_key_frame_takes_all_temporal_layers_in():
    layers = selector(0, 0)
    layers.judge(0, key_frame=True)
    layers.prefer(0, 127)
    layers.update_target(1)
    assert layers.judge(0, key_frame=True) == "send"
    assert layers.judge(0, temporal_layer=2) == "send"


def test_after_a_reset_one_enters_anew():
    layers = selector()
    layers.judge(2, key_frame=True)
    layers.reset()
    assert layers.current == (-1, -1)
    assert layers.judge(2) == "other"
    assert layers.judge(2, key_frame=True) == "switch"


def test_the_network_s_limit_is_kept_like_a_wish():
    layers = selector()
    layers.judge(2, key_frame=True)
    layers.allow(1, 0)
    assert layers.update_target(0b111)
    assert layers.target == (1, 0)
    layers.prefer(0, 127)
    layers.update_target(0b111)
    assert layers.target == (0, 0)
    layers.allow(127, 127)
    layers.prefer(127, 127)
    layers.update_target(0b111)
    assert layers.target == (2, 127)


def test_while_a_lower_encoding_s_key_frame_is_awaited_the_base_layer_of_the_higher_one_has_to_do():
    layers = selector()
    layers.judge(2, key_frame=True)
    layers.allow(1, 127)
    layers.update_target(0b111)
    assert layers.judge(2, temporal_layer=2) == "skip"
    assert layers.judge(2, temporal_layer=0) == "send"
    assert layers.judge(1, key_frame=True) == "switch"
    assert layers.judge(1, temporal_layer=2) == "send"


def test_where_there_is_no_room_nothing_is_sent_until_there_is_and_a_key_frame_comes():
    layers = selector()
    layers.judge(2, key_frame=True)
    layers.allow(-1, 0)
    assert layers.update_target(0b111)
    assert (layers.target[0], layers.current[0]) == (-1, -1)
    assert not layers.wants_key_frame
    assert layers.judge(2, key_frame=True) == "other"
    assert not layers.update_target(0b111), "nothing new"
    layers.allow(0, 127)
    assert layers.update_target(0b111)
    assert layers.wants_key_frame
    assert layers.judge(0, key_frame=True) == "switch"
