"""The names of the drop counters against the codes, which only C sees otherwise."""

import re
from importlib import resources

import pytest

from mediarouter import _drop


@pytest.fixture(scope="module")
def codes():
    text = (resources.files("mediarouter") / "_drop.pxd").read_text()
    return {name: int(code) for name, code in re.findall(r"^    DROP_(\w+) = (-?\d+)", text, re.MULTILINE)}


def test_every_code_has_its_name_at_its_place(codes):
    assert codes["COUNT"] == _drop.COUNT == len(_drop.NAMES) == len(codes) - 1
    for name, code in codes.items() - {("COUNT", _drop.COUNT)}:
        assert _drop.NAMES[-code] == name.lower()


def test_codes_are_negative_and_without_gaps(codes):
    assert sorted(codes.values())[:-1] == list(range(2 - len(codes), 1))


def test_names_are_distinct_words_of_a_metric():
    assert len(set(_drop.NAMES)) == len(_drop.NAMES)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in _drop.NAMES)
