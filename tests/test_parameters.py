"""The structs as JSON, the way browser libraries have them."""

import msgspec
import pytest

from mediarouter.ortc import get_router_rtp_capabilities
from mediarouter.parameters import DEFAULT_CODECS, Bandwidth, IceCandidate, RtpCapabilities, RtpParameters


def test_capabilities_come_back_from_json():
    capabilities = get_router_rtp_capabilities(DEFAULT_CODECS)
    text = msgspec.json.encode(capabilities)
    assert b'"preferredPayloadType"' in text and b'"headerExtensions"' in text
    assert msgspec.json.decode(text, type=RtpCapabilities) == capabilities


def test_what_a_client_library_sends_is_read():
    text = """{"mid": "0", "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000,
        "rtcpFeedback": [{"type": "nack", "parameter": "pli"}]}], "headerExtensions": [{"uri": "urn:x", "id": 4}],
        "encodings": [{"rid": "q", "maxBitrate": 100000, "scalabilityMode": "L1T3"}], "rtcp": {"cname": "abc"}}"""
    parameters = msgspec.json.decode(text, type=RtpParameters)
    assert parameters.encodings[0].rid == "q" and parameters.codecs[0].rtcp_feedback[0].parameter == "pli"


@pytest.mark.parametrize("text", ['{"codecs": 5}', '{"codecs": [{"mimeType": 1}]}', "[]", "{"])
def test_malformed_json_is_refused(text):
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text, type=RtpParameters)


def test_a_candidate_has_its_fields_names():
    candidate = IceCandidate("f", 1, "192.0.2.1", "tcp", 5, tcp_type="passive")
    assert msgspec.to_builtins(candidate)["tcpType"] == "passive"


@pytest.mark.parametrize(
    "limits",
    [
        {"start_bps": 5_000},
        {"min_bps": 999, "start_bps": 999},
        {"start_bps": 30_000_000},
        {"max_bps": 1_000_000_001},
        {"min_bps": 2_000_000},
    ],
)
def test_a_bandwidth_out_of_order_is_refused_where_it_is_made(limits):
    with pytest.raises(ValueError, match="bandwidth must be"):
        Bandwidth(**limits)
