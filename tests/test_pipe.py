"""Producers that are consumed in another engine, in virtual time."""

from tests.pipes import House, Piped
from tests.test_forward import assert_continuous, seqs
from tests.virtual import MID, Source, publish_audio, watch


def test_a_packet_goes_through_the_pipe_to_a_viewer_there():
    house = House()
    near, far = house.calls
    publisher, viewer = near.peer(), far.peer()
    piped = Piped(publisher, publish_audio(publisher), far, video=False)
    watch(viewer, piped.copy, extensions={MID: 9}, payload_type=109)
    source = Source(publisher, 5, payload_type=111, mid="a", clock_rate=48000)
    for i in range(10):
        publisher.send(source.packet(b"opus %d" % i))
        source.advance(20_000)
        house.run(20_000)
    assert [r.header.payload for r in viewer.rtp] == [b"opus %d" % i for i in range(10)]
    assert_continuous(seqs(viewer))
    assert (near.dropped(), far.dropped()) == ({}, {})
    assert piped.sent()["packets_sent"] == 10
