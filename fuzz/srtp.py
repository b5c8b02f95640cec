"""Fuzz SRTP and SRTCP, both backends side by side: `python fuzz/srtp.py -max_total_time=60`."""

import random
import struct
import sys

from mediarouter.srtp import Profile, SrtpError, SrtpSession, available

PROFILES = list(Profile)
OPTIONS: tuple[dict[str, object], ...] = ({}, {"remote_mki": b"mki!"}, {"encrypted_extensions": [1, 5, 14]})


def key_of(profile: Profile) -> bytes:
    return bytes(range(profile.key_size + profile.salt_size))


def sealed(dice: random.Random, profile: Profile, options: dict[str, object], control: bool) -> bytes:
    """A packet that is authentic, before it is damaged."""
    mki = options.get("remote_mki", b"")
    others = {name: value for name, value in options.items() if name != "remote_mki"}
    session = SrtpSession(profile, key_of(profile), key_of(profile), local_mki=mki, **others)  # type: ignore[arg-type]
    if control:
        return session.protect_rtcp(struct.pack("!BBHI", 0x80, 200, 6, dice.randrange(3)) + dice.randbytes(20))
    one_byte, two_byte = b"\xbe\xde\0\2\x10a\0\x51bc\0\0", b"\x10\0\0\2\1\1a\0\5\2bc"
    block = dice.choice((b"", one_byte, two_byte))
    first = 0x90 if block else 0x80
    head = struct.pack("!BBHII", first, 96, dice.randrange(65536), 0, dice.randrange(3))
    return session.protect(head + block + dice.randbytes(dice.randrange(60)))


def damaged(dice: random.Random, packet: bytes) -> bytes:
    changed = bytearray(packet)
    for _ in range(dice.randrange(4)):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed[: dice.choice((len(changed), dice.randrange(len(changed) + 1)))])


def outcome(session: SrtpSession, control: bool, packet: bytes) -> bytes | str:
    try:
        return session.unprotect_rtcp(packet) if control else session.unprotect(packet)
    except SrtpError as error:
        assert error.reason.startswith("srtp_") or error.reason == "too_large"
        return error.reason


def fuzz_one(data: bytes) -> None:
    """No input may harm; both backends say the same; without our key nothing is believed."""
    dice = random.Random(data)
    profile, options = dice.choice(PROFILES), dice.choice(OPTIONS)
    key = key_of(profile)
    sessions = [SrtpSession(profile, key, key, backend=name, **options) for name in available()]  # type: ignore[arg-type]
    if "ipsec-mb" in available():
        cryptex = SrtpSession(profile, key, key, backend="ipsec-mb", cryptex=True)
        for control in (False, True):
            outcome(cryptex, control, data)
            outcome(cryptex, control, damaged(dice, sealed(dice, profile, {}, control)))
    for _ in range(6):
        control = dice.random() < 0.4
        packet = data if dice.random() < 0.3 else damaged(dice, sealed(dice, profile, options, control))
        said = {outcome(session, control, packet) for session in sessions}
        assert len(said) == 1, (profile, options, control, packet.hex(), said)


def main() -> None:
    """Run it under atheris."""
    import atheris  # type: ignore[import-untyped]

    atheris.Setup(sys.argv, lambda data: fuzz_one(bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
