"""Addresses in and out."""

import pytest

from mediarouter.net.addresses import candidates_of, interface_addresses, parse_listen


@pytest.mark.parametrize(
    ("text", "place"),
    [("0.0.0.0:3478", ("0.0.0.0", 3478)), ("[::1]:0", ("::1", 0)), ("127.0.0.1:65535", ("127.0.0.1", 65535))],
)
def test_addresses_are_read(text, place):
    assert parse_listen(text) == place


@pytest.mark.parametrize("text", ["", "x", ":", "localhost:5", "1.2.3.4:", "1.2.3.4:65536", "1.2.3:4", "[::1]"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError):
        parse_listen(text)


def test_loopback_comes_last_among_the_machines_own():
    found = interface_addresses(4)
    assert "127.0.0.1" in found
    assert found[-1].startswith("127.")


def test_a_wildcard_is_told_as_the_addresses_behind_it():
    told = {c.address for c in candidates_of([("0.0.0.0", 5000, True)], ())}
    assert told == set(interface_addresses(4))


def test_foundations_and_priorities_tell_candidates_apart():
    told = candidates_of([("192.0.2.1", 1, True), ("2001:db8::5", 2, True)], ())
    assert len({c.foundation for c in told}) == len({c.priority for c in told}) == 4
    assert all(0 < c.priority < 1 << 31 for c in told)
