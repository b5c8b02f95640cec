"""SRTP and SRTCP, every backend beside the others, for users of Python.

An input is a script, and the same one is played in C (`_srtp.pyx`): a byte for the profile, one for the options, then
eight bytes a packet, that say how it is made, protected and damaged before it is unprotected.
"""

import random
import struct

from mediarouter.srtp import Profile, SrtpError, SrtpSession, available

EVERY = 2000  # runs in C between two scripts that are played here
OPTION_MKI, OPTION_MASKED, OPTION_CRYPTEX, OPTION_SHORT_LIFE, OPTION_ALONE = 1, 2, 4, 8, 16
STEP_SIZE, STEPS_MAX = 8, 64
PROFILES = (0x0001, 0x0002, 0x0007, 0x0008, 0x0101, 0x0102)
MASKED_IDS = (1, 5, 14, 15)
LIFE = 20  # packets
JUMPS = (1, 1, 1, 2, 0, -1, -3, -64, -127, -128, -200, 130, 0x3FFF, 0x7FFF, 0x8000, -0x7FFF)


def seeds() -> list[bytes]:
    """Every profile with all options; among the packets sound ones in a row, and all that scripts can ask for."""
    dice, found = random.Random(1), []
    for options in range(32):
        for profile in range(len(PROFILES)):
            plain = b"".join(bytes([dice.randrange(8) & ~1 | dice.randrange(2), 0, 40, dice.randrange(64)]) + bytes(4)
                             for _ in range(12))  # fmt: skip
            found.append(bytes([profile, options]) + plain + dice.randbytes(STEP_SIZE * 20))
    return found


SEEDS = seeds()


def fuzz_one(data: bytes) -> tuple[int, int]:
    """No input may harm; all backends say the same; without our key nothing is believed."""
    if len(data) < 2:
        return 0, 0
    player = Player(data[0], data[1], random.Random(data))
    for at in range(2, min(len(data) - STEP_SIZE, 2 + STEP_SIZE * (STEPS_MAX - 1)) + 1, STEP_SIZE):
        player.play(data[at : at + STEP_SIZE])
    return player.accepted, player.refused


class Player:
    """The sessions of one script; the dice are for what packets hold."""

    def __init__(self, profile: int, options: int, dice: random.Random) -> None:
        kind = Profile(PROFILES[profile % len(PROFILES)])
        key = bytes(range(kind.key_size + kind.salt_size))
        mki = b"mki!" if options & OPTION_MKI else b""
        fast = "ipsec-mb" in available()
        cryptex = bool(options & OPTION_CRYPTEX) and fast
        masked = MASKED_IDS if options & OPTION_MASKED and not cryptex else ()
        backends = ["ipsec-mb"] if cryptex or options & OPTION_ALONE and fast else available()
        both = {"encrypted_extensions": masked, "cryptex": cryptex}
        life = LIFE if options & OPTION_SHORT_LIFE else None
        self.sender = SrtpSession(kind, key, key, backend=backends[-1], local_mki=mki, **both)  # type: ignore[arg-type]
        # authentic too, but the header goes as it is: what the peer may write into it
        self.plain = SrtpSession(kind, key, key, backend=backends[0], local_mki=mki)
        self.receivers = [
            SrtpSession(kind, key, key, backend=name, remote_mki=mki, remote_lifetime=life, **both)  # type: ignore[arg-type]
            for name in backends
        ]
        self.seqs = [0xFFF0, 0, 0x7FF0, 0x8005] * 2
        self.last, self.dice, self.zeros = b"", dice, len(backends) == 1
        self.accepted = self.refused = 0

    def play(self, step: bytes) -> None:
        """Make a packet, damage it, unprotect it."""
        kind, control = step[0], step[0] & 1
        if not (kind & 0x10 and self.last):
            try:
                self.last = self.protected(step)
            except SrtpError:
                return
        packet = damaged(self.last, step)
        said = {outcome(session, bool(control), packet) for session in self.receivers}
        assert len(said) == 1, (packet.hex(), said)
        taken = isinstance(next(iter(said)), bytes)
        self.accepted += taken
        self.refused += not taken

    def protected(self, step: bytes) -> bytes:
        """A packet that is authentic."""
        which = (step[0] >> 1 & 3) + (4 if step[0] & 8 else 0)
        session = self.plain if step[0] & 8 else self.sender
        payload = self.dice.randbytes(step[2])
        if step[0] & 1:
            return session.protect_rtcp(struct.pack("!BBHI", 0x80, 200, 6, which) + payload)
        self.seqs[which] = (self.seqs[which] + JUMPS[step[1] & 15]) & 0xFFFF
        block = block_of(step, self.dice, self.zeros)
        first = 0x80 | (0x10 if block else 0) | (step[3] >> 3 & 3)
        head = struct.pack("!BBHII", first, 96, self.seqs[which], 0, which) + bytes(4 * (step[3] >> 3 & 3))
        return session.protect(head + block + payload)


def block_of(step: bytes, dice: random.Random, zeros: bool) -> bytes:
    """An extension block, sound or not, in one of the forms; none."""
    form = step[3] & 7
    if form < 2:
        return b""
    profile = (0xBEDE, 0xBEDE, 0x1000, 0x1005, 0xC0DE, 0xC2DE)[form - 2]
    content = b"\x10a\x51bc\0\0\0" if profile in (0xBEDE, 0xC0DE) else b"\1\1a\5\2bc\0"
    if step[3] & 0x40:
        content = dice.randbytes(4 * (1 + step[3] % 5))
        content = content if zeros else content.replace(b"\0", b"\1")  # _srtp.pyx tells why
    return struct.pack("!HH", profile, len(content) // 4) + content


def damaged(packet: bytes, step: bytes) -> bytes:
    """The packet with a bit turned, cut, longer, or as it was."""
    turn, place = step[0] >> 5, step[4] << 8 | step[5]
    if turn == 5:
        return packet[: place % (len(packet) + 1)]
    if turn == 6:
        return packet + bytes(1 + place % 20)
    if turn in (4, 7):
        changed = bytearray(packet)
        at = place % len(changed) if turn == 4 else len(changed) - 1 - place % min(len(changed), 24)
        changed[at] ^= 1 << (step[6] & 7)
        return bytes(changed)
    return packet


def outcome(session: SrtpSession, control: bool, packet: bytes) -> bytes | str:
    """What comes out of it, or why nothing does."""
    try:
        return session.unprotect_rtcp(packet) if control else session.unprotect(packet)
    except SrtpError as error:
        assert error.reason.startswith("srtp_") or error.reason == "too_large"
        return error.reason
