"""FFmpeg's WHIP muxer through PyAV: H264 and Opus from a process of its own. usage: URL SECONDS

FFmpeg is the DTLS server (setup:passive). PyAV's wheels build it on GnuTLS, whose own certificates are on P-224, a
curve that OpenSSL 4 has taken out of TLS; so it is given a certificate on P-256.
"""

import datetime
import fractions
import sys
import tempfile
import time
from pathlib import Path

import av
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_certificate(folder: Path) -> dict[str, str]:
    """A P-256 certificate and its key in files; FFmpeg's options for them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whip")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    certificate = builder.not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {"cert_file": str(folder / "certificate.pem"), "key_file": str(folder / "key.pem")}


def publish(url: str, seconds: float) -> None:
    """Encode a moving grey and silence in real time and send them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        av.open(url, "w", format="whip", options=write_certificate(Path(folder))) as output,
    ):
        video = output.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        video.options = {"profile": "baseline", "preset": "ultrafast", "tune": "zerolatency", "g": "30", "bf": "0"}
        video.codec_context.time_base = fractions.Fraction(1, 30)
        audio = output.add_stream("libopus", rate=48000)
        audio.layout = "stereo"
        samples, begun = 0, time.monotonic()
        for number in range(int(seconds * 30)):
            frame = av.VideoFrame(640, 360, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([(number * 3) & 255]) * plane.buffer_size)
            frame.pts, frame.time_base = number, fractions.Fraction(1, 30)
            for packet in video.encode(frame):
                output.mux(packet)
            while samples < (number + 1) * 1600:
                sound = av.AudioFrame(format="s16", layout="stereo", samples=960)
                sound.planes[0].update(bytes(sound.planes[0].buffer_size))
                sound.sample_rate, sound.pts = 48000, samples
                sound.time_base = fractions.Fraction(1, 48000)
                samples += 960
                for packet in audio.encode(sound):
                    output.mux(packet)
            time.sleep(max(0.0, begun + (number + 1) / 30 - time.monotonic()))


if __name__ == "__main__":
    publish(sys.argv[1], float(sys.argv[2]))
