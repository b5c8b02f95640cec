"""A stranger's extension module is compiled against mediarouter's .pxd files, in a folder of its own, and works."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mediarouter
from mediarouter import rtp
from mediarouter.srtp import Profile, SrtpSession
from tests.rtp_vectors import VECTORS, captured

EXAMPLE = Path(__file__).parents[1] / "examples" / "cython_plugin"


@pytest.fixture(scope="module")
def loudness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugin")
    for path in EXAMPLE.iterdir():
        if path.suffix in (".py", ".pyx"):
            shutil.copy(path, folder)
    # what pip would have put on sys.path
    environment = {**os.environ, "PYTHONPATH": str(Path(mediarouter.__file__).parents[1])}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    sys.path.insert(0, str(folder))
    try:
        import loudness
    finally:
        sys.path.remove(str(folder))
    return loudness


def test_it_reads_packets(loudness):
    packets = captured(VECTORS / "rtp_chromium_audiored.pcap")
    levels = [rtp.parse(packet).get_extension(1) for packet in packets]
    loudest = min(level[0] & 0x7F for level in levels if level)
    assert levels[loudness.loudest(packets, 1)][0] & 0x7F == loudest
    assert loudness.loudest(packets, 9) == loudness.loudest([b"", b"\x80" * 11], 1) == -1


def test_it_decrypts_and_encrypts(loudness):
    ours, theirs, unused = bytes(range(28)), bytes(range(100, 128)), bytes(28)
    sender = SrtpSession(Profile.AEAD_AES_128_GCM, ours, unused)
    receiver = SrtpSession(Profile.AEAD_AES_128_GCM, unused, theirs)
    relay = loudness.Relay(ours, theirs)
    packets = [p for p in captured(VECTORS / "rtp_chromium_vp8sim.pcap") if rtp.parse(p).ssrc == 0xB154B704]
    assert packets
    for packet in packets:
        expected = rtp.RtpPacket.parse(packet)
        expected.ssrc = 0x1234
        assert receiver.unprotect(relay.relay(sender.protect(packet), 0x1234)) == bytes(expected)
    damaged = bytearray(sender.protect(bytes.fromhex("806000010000000200000009") + bytes(20)))
    damaged[-1] ^= 1
    assert relay.relay(bytes(damaged), 1) is None
    assert relay.relay(bytes(3000), 1) is None
    with pytest.raises(ValueError, match="28 bytes"):
        loudness.Relay(b"short", theirs)
