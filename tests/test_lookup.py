"""The hash tables against a dict."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter._lookup import AddressTableFace, SsrcTableFace

small = st.integers(0, 40)
steps = st.lists(st.tuples(st.sampled_from(["put", "remove"]), small, st.integers(1, 200)), max_size=200)


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(0, 0xFFFFFFFF))
def test_ssrcs_are_found_until_they_are_removed(script, base):
    table, model = SsrcTableFace(), {}
    for what, key, role in script:
        ssrc = (base + key * 0x10001) & 0xFFFFFFFF
        if what == "put":
            assert table.put(ssrc, role)
            model[ssrc] = role
        else:
            table.remove(ssrc)
            model.pop(ssrc, None)
        assert len(table) == len(model)
    for key in range(41):
        ssrc = (base + key * 0x10001) & 0xFFFFFFFF
        assert table.find(ssrc) == model.get(ssrc)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_addresses_are_told_apart_by_every_part(script):
    table, model = AddressTableFace(), {}
    for what, key, owner in script:
        place = (bytes((10, 0, 0, key % 5)), 5000 + key)
        if what == "put":
            assert table.put(*place, owner)
            model[place] = owner
        else:
            table.remove(*place)
            model.pop(place, None)
    assert len(table) == len(model)
    for key in range(41):
        place = (bytes((10, 0, 0, key % 5)), 5000 + key)
        assert table.find(*place) == model.get(place)


def test_an_empty_table_finds_nothing():
    assert SsrcTableFace().find(1) is None
    assert AddressTableFace().find(b"\x7f\0\0\1", 1) is None
    SsrcTableFace().remove(1)
    AddressTableFace().remove(b"\x7f\0\0\1", 1)
