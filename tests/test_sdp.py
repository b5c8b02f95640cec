"""SDP: lossless, bounded, and read as sdp-transform reads it."""

from pathlib import Path

import pytest
import sdp_transform
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarouter.errors import NegotiationError
from mediarouter.sdp import (
    MediaSection,
    SessionDescription,
    read_extmaps,
    read_fingerprints,
    read_parameters,
    read_rtpmaps,
    read_simulcast,
    read_ssrcs,
    write_parameters,
)

OFFERS = sorted((Path(__file__).parent / "vectors" / "sdp").glob("*.txt"))


@pytest.mark.parametrize("path", OFFERS, ids=lambda p: p.stem)
def test_a_description_is_written_as_it_was_read(path):
    text = path.read_text()
    lines = sorted(line for line in text.replace("\r", "").split("\n") if line)
    written = str(SessionDescription.parse(text))
    assert sorted(written.split("\r\n")[:-1]) == lines
    assert str(SessionDescription.parse(written)) == written


@pytest.mark.parametrize("path", OFFERS, ids=lambda p: p.stem)
def test_sdp_transform_reads_the_same(path):
    text = path.read_text()
    ours, theirs = SessionDescription.parse(text), sdp_transform.parse(text)
    assert len(ours.media) == len(theirs["media"])
    for media, other in zip(ours.media, theirs["media"], strict=True):
        assert (media.kind, media.port, media.mid) == (other["type"], other["port"], str(other["mid"]))
        assert media.direction == other.get("direction", "sendrecv")
        if media.kind == "application":
            continue
        maps = {m.payload_type: m for m in read_rtpmaps(media)}
        assert {(r["payload"], r["codec"], r["rate"]) for r in other["rtp"]} == {
            (m.payload_type, m.name, m.clock_rate) for m in maps.values()
        }
        assert {(e["value"], e["uri"]) for e in other.get("ext", [])} == {(e.id, e.uri) for e in read_extmaps(media)}
        assert {int(s["id"]) for s in other.get("ssrcs", [])} == {
            ssrc for pair in read_ssrcs(media).pairs for ssrc in pair if ssrc
        }


def test_simulcast_lists_what_is_sent():
    chromium = SessionDescription.parse((OFFERS[0].parent / "chromium-vp8sim.txt").read_text())
    assert read_simulcast(chromium.media[1]) == ["q", "h", "f"]
    media = MediaSection()
    media.add("simulcast", "recv a;b send ~x,y;z")
    assert read_simulcast(media) == ["x", "z"]
    assert read_simulcast(MediaSection()) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("v=1\r\n", "line 1"),
        ("hello", "line 1"),
        ("v=0\r\nnonsense\r\n", "line 2"),
        ("v=0\r\nm=audio\r\n", "line 2"),
        ("v=0\r\nm=audio x RTP/AVP 0\r\n", "port"),
        ("v=0\r\nm=audio 70000 RTP/AVP 0\r\n", "port"),
        ("v=0\r\n" + "m=audio 9 RTP/AVP 0\r\n" * 600, "512"),
        ("v=0\r\n" + "a=x\r\n" * 100_000, "letters"),
    ],
)
def test_malformed_descriptions_are_refused_with_the_line(text, reason):
    with pytest.raises(NegotiationError, match=reason):
        SessionDescription.parse(text)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("rtpmap", "x opus/48000", read_rtpmaps),
        ("rtpmap", "300 opus/48000", read_rtpmaps),
        ("rtpmap", "96 opus/0", read_rtpmaps),
        ("rtpmap", "96 opus", read_rtpmaps),
        ("extmap", "x uri", read_extmaps),
        ("extmap", "1/sideways uri", read_extmaps),
        ("ssrc", "0 cname:x", read_ssrcs),
        ("ssrc", "4294967296 cname:x", read_ssrcs),
        ("ssrc", "²", read_ssrcs),
        ("ssrc-group", "FID 1 x", read_ssrcs),
    ],
)
def test_malformed_attributes_are_refused(name, value, read):
    media = MediaSection(formats=["96"])
    media.add(name, value)
    with pytest.raises(NegotiationError):
        read(media)


def test_malformed_fingerprints_are_refused():
    for value in ("", "sha-256", "sha-256 XX:YY", "sha-256 AB", "sha-256 " + "AB" * 32):
        with pytest.raises(NegotiationError):
            read_fingerprints([value])
    assert read_fingerprints(["SHA-256 " + ":".join(["ab"] * 32)])[0].value == ":".join(["AB"] * 32)


def test_r23_extension_ids_that_cannot_be_used_are_left_out():
    media = MediaSection()
    for number in (0, 1, 14, 15, 16, 255, 256, 4096):
        media.add("extmap", f"{number} urn:x")
    assert [e.id for e in read_extmaps(media)] == [1, 14, 16, 255]


@given(st.dictionaries(st.text("abcdefgh-", min_size=1), st.text("0123456789abc", min_size=1), max_size=6))
def test_format_parameters_come_back(parameters):
    assert read_parameters(write_parameters(parameters)) == parameters


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(OFFERS) - 1), st.data())
def test_no_damage_raises_anything_but_its_own_error(index, data):
    text = OFFERS[index].read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    broken = text[:start] + data.draw(st.text(max_size=10)) + text[end:]
    read_everything(broken)


def read_everything(text: str) -> None:
    """Every reader over a text; the one error that is documented may come."""
    try:
        description = SessionDescription.parse(text)
        str(description)
        for media in description.media:
            read_rtpmaps(media)
            read_extmaps(media)
            read_ssrcs(media)
            read_simulcast(media)
            read_fingerprints(media.all("fingerprint"))
    except NegotiationError:
        pass
