"""Transport-wide numbers on the way out; P numbers are the traps of test_transport_feedback.py."""

import struct

from tests.virtual import TRANSPORT_CC, Call, Source, nack, publish_video, vp8_payload, watch

ELEMENT_ID = 5


def numbers_of(packets):
    return [struct.unpack("!H", received.header.extensions[ELEMENT_ID])[0] for received in packets]


def test_p15_numbers_follow_the_order_of_sending_over_all_streams_and_retransmissions():
    call = Call()
    viewer, publishers = call.peer(), [call.peer() for _ in range(3)]
    sources = []
    for i, publisher in enumerate(publishers):
        producer = publish_video(publisher, ())
        watch(viewer, producer, ssrc=7000 + 10 * i, first_seq=500, extensions={TRANSPORT_CC: ELEMENT_ID})
        sources.append(Source(publisher, 5 + i))
        publisher.send(sources[i].packet(vp8_payload(1, key=True)))
    for turn in range(20):
        for i in (turn % 3, (turn + 1) % 3):  # never in the same order for long
            publishers[i].send(sources[i].packet(vp8_payload(2 + turn)))
        nack(viewer, 7000 + 10 * (turn % 3), [500])
        for source in sources:
            source.advance(20_000)
        call.run(20_000)
    streams = {received.header.ssrc for received in viewer.rtp}
    assert {7000, 7010, 7020} < streams, "and something was sent again"
    assert len(viewer.rtp) > 43
    assert numbers_of(viewer.rtp) == list(range(len(viewer.rtp)))


def test_p15_numbers_are_each_transports_own():
    call = Call()
    publisher, viewers = call.peer(), [call.peer() for _ in range(2)]
    producer = publish_video(publisher, ())
    watch(viewers[0], producer, extensions={TRANSPORT_CC: ELEMENT_ID})
    source = Source(publisher, 5)
    publisher.send(source.packet(vp8_payload(1, key=True)))
    watch(viewers[1], producer, extensions={TRANSPORT_CC: ELEMENT_ID})
    publisher.send(source.packet(vp8_payload(2, key=True)))
    assert [numbers_of(viewer.rtp) for viewer in viewers] == [[0, 1], [0]]
