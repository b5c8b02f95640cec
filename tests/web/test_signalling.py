"""The meeting's WebSocket: what members tell each other, and what odd messages are answered."""

import json

import pytest

from mediarouter.web import rooms, signalling
from tests.web.door import offer, opus


async def publish(door, meeting, *sections):
    """A connected publisher."""
    peer = door.peer()
    meeting.send({"type": "publish", "sdp": offer(peer, *sections)})
    await peer.accept((await meeting.next("published"))["sdp"])
    return peer


def streams_of(members, name):
    return [s for m in members if m["name"] == name for s in m["streams"]]


def test_two_meet(run):
    async def scenario(door):
        ann, bob = await door.meet("hall", "name=Ann"), await door.meet("hall", "name=Bob")
        welcome = await bob.next("welcome")
        assert welcome["room"] == "hall" and welcome["id"]
        await ann.members(lambda members: [m["name"] for m in members] == ["Ann", "Bob"])
        publisher = await publish(door, ann, "audio sendonly")
        members = await bob.members(lambda members: streams_of(members, "Ann"))
        (stream,) = streams_of(members, "Ann")
        assert (stream["kind"], stream["mid"], stream["paused"]) == ("audio", "0", False)
        viewer = door.peer()
        bob.send({"type": "receive", "sdp": offer(viewer, "audio recvonly"), "wanted": {"0": stream["id"]}})
        await viewer.accept((await bob.next("received"))["sdp"])
        publisher.send_rtp(opus(1))
        assert await viewer.payload() == b"opus 1"
        await ann.leave()
        await bob.members(lambda members: [m["name"] for m in members] == ["Bob"])
        assert door.transports == 1
        await bob.leave()
        assert door.nothing_is_left()

    run(scenario)


def test_mute_layers_and_ping(run):
    async def scenario(door):
        ann, bob = await door.meet("hall", "name=Ann"), await door.meet("hall", "name=Bob")
        ann.send({"type": "ping"})
        await ann.next("pong")
        ann.send({"type": "mute", "kind": "audio", "muted": True})
        await bob.members(lambda members: any(m["muted"] == {"audio": True, "video": False} for m in members))
        await publish(door, ann, "video sendonly")
        (stream,) = streams_of(await bob.members(lambda members: streams_of(members, "Ann")), "Ann")
        bob.send({"type": "receive", "sdp": offer(None, "video recvonly"), "wanted": {"0": stream["id"]}})
        await bob.next("received")
        bob.send({"type": "layers", "stream": stream["id"], "spatial": 1, "temporal": None})
        bob.send({"type": "ping"})
        await bob.next("pong")
        (member,) = [m for m in door.rooms.rooms["hall"].members.values() if m.name == "Bob"]
        assert member.receiving.consumers["0"].preferred_layers == (1, None)
        await bob.leave()
        await ann.leave()

    run(scenario)


def test_a_publisher_hears_which_of_its_layers_are_wanted(run):
    async def scenario(door):
        ann, bob = await door.meet("hall", "name=Ann"), await door.meet("hall", "name=Bob")
        await publish(door, ann, "audio sendonly", "video sendonly")
        streams = streams_of(await bob.members(lambda members: streams_of(members, "Ann")), "Ann")
        wanted = await ann.next("wanted")
        assert wanted == {
            "type": "wanted",
            "mid": "1",
            "layers": [{"rid": None, "active": False, "temporal": None}],
        }, "the video alone: whether anybody listens is nothing a page should act upon"
        (stream,) = [s for s in streams if s["kind"] == "video"]
        bob.send({"type": "receive", "sdp": offer(None, "video recvonly"), "wanted": {"0": stream["id"]}})
        await bob.next("received")
        assert (await ann.next("wanted"))["layers"] == [{"rid": None, "active": True, "temporal": None}]
        await bob.leave()
        await ann.leave()

    run(scenario)


def test_what_is_wanted_of_a_connection_that_was_replaced_is_not_told(run):
    async def scenario(door):
        ann = await door.meet("hall", "name=Ann")
        await publish(door, ann, "video sendonly")
        (member,) = door.rooms.rooms["hall"].members.values()
        old = member.publishing
        (producer,) = old.producers.values()
        other = "sha-256 " + ":".join(["AB"] * 32)
        ann.send({"type": "publish", "sdp": offer(None, "video sendonly", fingerprint=other)})
        await ann.next("published")
        assert member.publishing is not old
        old.on_wanted("0", producer.wanted_layers)
        assert not member._wanted
        await ann.leave()

    run(scenario)


def test_names_are_cut_and_never_empty(run):
    async def scenario(door):
        long, none = await door.meet("hall", "name=" + "x" * 100), await door.meet("hall", "name=%20")
        members = await none.members(lambda members: len(members) == 2)
        assert [m["name"] for m in members] == ["x" * 64, "Guest"]
        await long.leave()
        await none.leave()

    run(scenario)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("", "Expecting value"),
        ("{", "Expecting"),
        ("[]", "JSON object"),
        ("null", "JSON object"),
        ('"text"', "JSON object"),
        ("[" * 200_000, "deep"),
        ('{"type": ' + "9" * 5000 + "}", "digits"),
        ("{}", "no message type"),
        ('{"type": "dance"}', "no message type"),
        ('{"type": ["publish"]}', "no message type"),
        ('{"type": "publish"}', "sdp is missing"),
        ('{"type": "publish", "sdp": 5}', "sdp is missing"),
        ('{"type": "publish", "sdp": "nonsense"}', "SDP line 1"),
        ('{"type": "publish", "sdp": "\\ud800"}', "SDP line 1"),
        (json.dumps({"type": "publish", "sdp": offer(None, "audio recvonly")}), "brings no"),
        ('{"type": "receive", "sdp": "x"}', "wanted"),
        ('{"type": "receive", "sdp": "x", "wanted": []}', "wanted"),
        ('{"type": "receive", "sdp": "x", "wanted": {"0": 1}}', "wanted"),
        (json.dumps({"type": "receive", "sdp": offer(None, "audio sendonly"), "wanted": {}}), "wants no"),
        ('{"type": "layers", "spatial": true}', "whole numbers"),
        ('{"type": "layers", "temporal": "1"}', "whole numbers"),
        ('{"type": "mute", "kind": "smell", "muted": true}', "mute needs"),
        ('{"type": "mute", "kind": "audio", "muted": 1}', "mute needs"),
    ],
)
def test_messages_of_the_wrong_shape_are_answered_with_a_sentence(run, message, says):
    async def scenario(door):
        other, member = await door.meet("hall"), await door.meet("hall")
        publisher = await publish(door, other, "audio sendonly")
        before = door.transports
        member.send(message)
        assert says in (await member.next("error"))["text"]
        assert door.transports == before, "what failed leaves nothing"
        for socket in (member, other):
            socket.send({"type": "ping"})
            await socket.next("pong")
        assert publisher.session is not None
        await member.leave()
        await other.leave()
        assert door.nothing_is_left()

    run(scenario)


def test_a_stream_that_is_not_there_stays_inactive(run):
    async def scenario(door):
        member = await door.meet("hall")
        member.send({"type": "receive", "sdp": offer(None, "audio recvonly"), "wanted": {"0": "nobodys", "9": "x"}})
        assert "a=inactive" in (await member.next("received"))["sdp"]
        await member.leave()
        assert door.nothing_is_left()

    run(scenario)


@pytest.mark.parametrize(
    ("messages", "code", "says"),
    [
        ([b"\x00\xffbinary"], 1003, "text"),
        (["x" * (signalling.MAX_MESSAGE + 1)], 1009, "at most"),
        (['{"type": "ping"}'] * (signalling.BURST + 30), 4429, "a second"),
    ],
)
def test_what_cannot_go_on_ends_with_a_code_and_others_stay(run, messages, code, says):
    async def scenario(door):
        other, member = await door.meet("hall"), await door.meet("hall")
        await publish(door, member, "audio sendonly")
        for message in messages:
            member.send(message)
        shown, reason = await member.closed()
        assert shown == code and says in reason
        other.send({"type": "ping"})
        await other.next("pong")
        await other.members(lambda members: len(members) == 1)
        assert door.transports == 0
        await member.leave()
        await other.leave()
        assert door.nothing_is_left()

    run(scenario)


def test_refusals_at_the_door(run, monkeypatch):
    async def scenario(door):
        assert (await (await door.meet("no name")).closed())[0] == 4400
        member = await door.meet("hall")
        await member.next("welcome")
        monkeypatch.setattr(rooms, "MAX_ROOMS", 1)
        monkeypatch.setattr(signalling, "MAX_MEMBERS", 1)
        assert await (await door.meet("another")).closed() == (4503, "too many rooms")
        assert await (await door.meet("hall")).closed() == (4503, "the room is full")
        await member.leave()
        assert door.nothing_is_left()

    run(scenario)


def test_the_token_is_asked_for(run):
    async def scenario(door):
        for query in ("", "token=", "token=wrong"):
            code, reason = await (await door.meet("hall", query)).closed()
            assert code == 4401 and "token" in reason
        assert door.nothing_is_left()
        member = await door.meet("hall", "token=secret")
        await member.next("welcome")
        await member.leave()

    run(scenario, token="secret")


def test_a_new_peer_connection_of_a_member_takes_the_place_of_the_old(run):
    async def scenario(door):
        member = await door.meet("hall")
        await publish(door, member, "audio sendonly")
        (before,) = door.rooms.rooms["hall"].connections.values()
        member.send({"type": "publish", "sdp": offer(None, "audio sendonly", "video sendonly")})
        await member.next("published")
        assert list(door.rooms.rooms["hall"].connections.values()) == [before] and before.restarts == 1
        another = "sha-256 " + ":".join(["AB"] * 32)
        member.send({"type": "publish", "sdp": offer(None, "audio sendonly", fingerprint=another)})
        await member.next("published")
        (after,) = door.rooms.rooms["hall"].connections.values()
        assert before.closed and after is not before and door.transports == 1
        member.send({"type": "publish", "sdp": "v=0\r\nnonsense"})
        await member.next("error")
        assert not after.closed, "what works goes on"
        await member.leave()

    run(scenario)


def test_a_member_is_not_given_what_it_did_not_ask_for(run):
    async def scenario(door):
        member, first = await door.meet("hall", "name=Me"), await door.meet("hall", "name=First")
        await publish(door, first, "audio sendonly")
        (stream,) = streams_of(await member.members(lambda members: streams_of(members, "First")), "First")
        member.send({"type": "receive", "sdp": offer(None, "audio recvonly"), "wanted": {"0": stream["id"]}})
        await member.next("received")
        await first.leave()
        second = await door.meet("hall", "name=Second")
        await publish(door, second, "audio sendonly")
        (me,) = [m for m in door.rooms.rooms["hall"].members.values() if m.name == "Me"]
        assert not me.receiving.consumers and not me.receiving.waiting
        await member.leave()
        await second.leave()

    run(scenario)
