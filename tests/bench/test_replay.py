"""A replayed engine does what an engine does: the same datagrams as by its Python doors, and nobody misses a packet."""

import sys
from collections import defaultdict
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))

import replay  # noqa: E402

from mediarouter import rtp
from mediarouter.bench._recording import COPY_SSRC, FIRST_SEQ
from mediarouter.bench._replay import Replay
from mediarouter.bench.stage import Stage, key_of
from mediarouter.srtp import Profile, SrtpSession

PROFILE = Profile.AEAD_AES_128_GCM
SECOND_US = 1_000_000


def published(stage: Stage, publisher: int) -> list[bytes]:
    """The payloads that a publisher sends; before they are played."""
    key = key_of(stage.profile, publisher)
    session = SrtpSession(stage.profile, key, key)
    found = [stage.recording.datagram(i) for i in range(len(stage.recording))]
    return [
        rtp.parse(session.unprotect(data)).payload
        for _, client, data in found
        if client == publisher and rtp.packet_kind(data) is rtp.PacketKind.RTP
    ]


def drops(stage: Stage) -> dict[str, int]:
    return {name: n for name, n in stage.engine.counters().items() if name.startswith("dropped_") and n}


@pytest.mark.parametrize(
    ("publishers", "subscribers", "profile"),
    [(1, 1, PROFILE), (3, 5, PROFILE), (1, 40, Profile.AES128_CM_SHA1_80)],
)
def test_every_subscriber_gets_every_packet_whole_and_in_order(publishers, subscribers, profile):
    stage = Stage(publishers, subscribers, profile=profile)
    stage.record(SECOND_US)
    sent = [published(stage, publisher) for publisher in range(publishers)]
    stage.replay.keep(True)
    figures = stage.play(SECOND_US)
    assert figures["packets"] == publishers * subscribers * 180
    kept = stage.replay.take_kept()
    assert len(kept) == figures["datagrams"] and stage.replay.take_kept() == []
    assert figures["messages"] < figures["datagrams"] / 2, "a frame leaves by few messages"
    got = defaultdict(list)
    sessions = {}
    for client, data in kept:
        key = key_of(profile, client, routers=True)
        session = sessions.setdefault(client, SrtpSession(profile, key, key))
        if rtp.packet_kind(data) is rtp.PacketKind.RTP:
            header = rtp.parse(session.unprotect(data))
            got[client, header.ssrc - COPY_SSRC].append(header)
    assert set(got) == {(publishers + s, p) for s in range(subscribers) for p in range(publishers)}
    for (_, publisher), headers in got.items():
        assert [header.sequence_number for header in headers] == list(range(FIRST_SEQ, FIRST_SEQ + 180))
        # the picture id may be another, what is behind the descriptor not
        assert [header.payload[6:] for header in headers] == [payload[6:] for payload in sent[publisher]]
    assert drops(stage) == {}


def by_the_doors_of_python(stage: Stage, duration_us: int) -> list[tuple[str, bytes]]:
    """The same recording, given to the engine as tests do it."""
    engine, begun_us = stage.engine, 1_001_000_000
    sent: list[tuple[str, bytes]] = []

    def pass_time(until_us: int) -> None:
        while (due_us := engine.poll_timeout()) is not None and due_us < until_us:
            engine.handle_timeout(max(due_us, 0))
            collect()

    def collect() -> None:
        sent.extend((address[0], data) for data, address in engine.poll_transmit())

    at = 0
    while at < len(stage.recording):
        now_us = begun_us + stage.recording.datagram(at)[0]
        pass_time(now_us)
        engine.handle_timeout(now_us)
        batch = []
        while at < len(stage.recording) and begun_us + stage.recording.datagram(at)[0] == now_us:
            _, client, data = stage.recording.datagram(at)
            batch.append((data, stage.recording.address(client)))
            at += 1
        engine.handle_batch(batch, now_us)
        collect()
    pass_time(begun_us + duration_us)
    return sent


def test_it_sends_the_very_datagrams_that_the_sans_io_engine_sends():
    duration_us = 2 * SECOND_US
    one, other = Stage(2, 6), Stage(2, 6)
    for stage in (one, other):
        stage.record(duration_us)
    one.replay.keep(True)
    one.play(duration_us // 3)
    one.play(duration_us - duration_us // 3)
    addresses = [one.recording.address(client)[0] for client in range(8)]
    replayed = [(addresses[client], data) for client, data in one.replay.take_kept()]
    expected = by_the_doors_of_python(other, duration_us)
    assert len(replayed) > 2 * 6 * 180 * 2
    for client in addresses:
        assert [d for a, d in replayed if a == client] == [d for a, d in expected if a == client]


def test_feedback_and_checks_reach_the_engine():
    stage = Stage(1, 3)
    stage.record(4 * SECOND_US)
    figures = stage.play(4 * SECOND_US)
    assert figures["handled"] == len(stage.recording)
    for handle in stage.subscribers:
        transport = stage.engine.transport_figures(handle)
        assert transport["consent"] and transport["twcc_lost"] == 0
        assert transport["twcc_received"] >= 4 * 180 - 36
    assert drops(stage) == {}


def test_more_than_is_recorded_cannot_be_played():
    stage = Stage(1, 1)
    stage.record(1000)
    with pytest.raises(ValueError, match="recorded"):
        stage.play(1001)
    with pytest.raises(ValueError, match="recorded"):
        stage.play(-1)
    stage.play(1000)
    assert Replay(stage.engine, stage.recording, 0) is not None


@pytest.mark.parametrize("spin", [False, True])
def test_two_engines_do_not_block_each_other_even_while_python_spins(spin):
    measured = replay.measure(2, subscribers=100, seconds=10, spin=spin)
    assert measured.packets == [100 * 180 * 10] * 2
    # neither on a processor nor waiting for one: held up by a lock, as the GIL would be; that takes about half
    assert measured.blocked < 0.2, measured
    assert measured.cpu_ns_per_packet > 20


def test_rates_leave_out_the_time_without_a_processor_but_not_what_a_lock_took():
    alone = replay.Measured([1000], [100], [100], [0])
    disturbed = replay.Measured([1000, 1000], [200, 100], [100, 100], [100, 0])
    assert disturbed.rate == pytest.approx(2 * alone.rate) and disturbed.blocked == 0
    assert disturbed.wall_rate == pytest.approx(alone.wall_rate)
    locked = replay.Measured([1000, 1000], [200, 200], [100, 100], [0, 0])
    assert locked.rate == pytest.approx(alone.rate) and locked.blocked == 0.5
    assert locked.cpu_ns_per_packet == alone.cpu_ns_per_packet == 0.1


@pytest.mark.parametrize(("second", "code"), [(1.95, 0), (1.85, 1)])
def test_the_check_fails_below_nineteen_tenths(monkeypatch, capsys, second, code):
    def measure(workers, *, subscribers, seconds, spin=False):
        return replay.Measured([int(1000 * (1 if workers == 1 else second))], [100], [100], [0])

    monkeypatch.setattr(replay, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["replay.py", "--check", "--rounds", "1"])
    assert replay.main() == code
    assert "2 workers, and Python spins" in capsys.readouterr().out
