"""Keys in SDP: `a=crypto` of RFC 4568, with the suites of RFC 6188 and RFC 7714. Only for encrypted signalling."""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mediarouter.errors import NegotiationError
from mediarouter.srtp import Profile, SrtpSession

__all__ = ["SUITES", "CryptoAttribute", "MasterKey", "answer", "choose", "create_session"]

SUITES = {
    "AEAD_AES_128_GCM": Profile.AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Profile.AEAD_AES_256_GCM,
    "AES_CM_128_HMAC_SHA1_80": Profile.AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Profile.AES128_CM_SHA1_32,
    "AES_256_CM_HMAC_SHA1_80": Profile.AES256_CM_SHA1_80,
    "AES_256_CM_HMAC_SHA1_32": Profile.AES256_CM_SHA1_32,
}
_LINE = re.compile(r"(?:a=)?crypto:(\d{1,9})[ \t]+([A-Za-z0-9_]+)[ \t]+(\S+)((?:[ \t]+\S+)*)[ \t]*\r?\n?")
_KEY = re.compile(r"inline:([A-Za-z0-9+/]+={0,2})(?:\|(2\^\d{1,2}|\d{1,15}))?(?:\|(\d{1,39}):(\d{1,3}))?")
_LIFETIME_MAX = 1 << 48
_MKI_MAX = 120


@dataclass(frozen=True)
class MasterKey:
    """What stands behind `inline:`.

    Attributes:
        key: master key, then master salt.
        lifetime: packets the key may protect, 1 to 2^48; None: as many as the suite allows.
        mki: master key identifier behind each packet, 0 to 120 bytes.
    """

    key: bytes
    lifetime: int | None = None
    mki: bytes = b""

    def __str__(self) -> str:
        text = f"inline:{base64.b64encode(self.key).decode()}"
        if self.lifetime is not None:
            power = self.lifetime.bit_length() - 1
            text += f"|2^{power}" if self.lifetime == 1 << power else f"|{self.lifetime}"
        return text + (f"|{int.from_bytes(self.mki)}:{len(self.mki)}" if self.mki else "")


@dataclass(frozen=True)
class CryptoAttribute:
    """One `a=crypto` line (RFC 4568 section 4).

    Attributes:
        tag: 0 to 999999999; an answer repeats the offer's.
        suite: a name of `SUITES`, or one that is not known here.
        keys: one or more of the same suite; the first is what is sent with.
        session: session parameters, as they stand: KDR=0, UNENCRYPTED_SRTP and so on.
    """

    tag: int
    suite: str
    keys: tuple[MasterKey, ...]
    session: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> "CryptoAttribute":
        """Read a line, with or without its `a=`.

        Raises:
            NegotiationError: it is malformed, or a key's length does not fit its suite.
        """
        match = _LINE.fullmatch(line)
        if not match:
            raise NegotiationError("no crypto attribute of RFC 4568")
        tag, suite, keys, session = match.groups()
        found = tuple(_read_key(part, suite) for part in keys.split(";"))
        if len({len(key.mki) for key in found}) > 1 or (len(found) > 1 and not found[0].mki):
            raise NegotiationError("several keys need identifiers of one length")
        return cls(int(tag), suite, found, tuple(session.split()))

    @property
    def usable(self) -> bool:
        """Whether we can do as it says: a known suite, one key, and no session parameter that asks for something else
        than the default. A parameter with "-" before it may be ignored (RFC 4568 section 6.3.7)."""
        harmless = all(p.startswith("-") or p == "KDR=0" for p in self.session)
        return self.suite in SUITES and len(self.keys) == 1 and harmless

    @property
    def profile(self) -> Profile:
        """The SRTP profile of the suite; KeyError when the suite is not known."""
        return SUITES[self.suite]

    def __str__(self) -> str:
        return " ".join([f"a=crypto:{self.tag}", self.suite, ";".join(map(str, self.keys)), *self.session])


def _read_key(text: str, suite: str) -> MasterKey:
    match = _KEY.fullmatch(text)
    if not match:
        raise NegotiationError("no key of RFC 4568 section 6.1")
    try:
        key = base64.b64decode(match[1], validate=True)
    except binascii.Error as error:
        raise NegotiationError(f"a key that is no base64: {error}") from None
    if suite in SUITES and len(key) != SUITES[suite].key_size + SUITES[suite].salt_size:
        raise NegotiationError(f"a key of {len(key)} bytes for {suite}")
    return MasterKey(key, _read_lifetime(match[2]), _read_mki(match[3], match[4]))


def _read_lifetime(text: str | None) -> int | None:
    if text is None:
        return None
    lifetime = 1 << int(text[2:]) if text.startswith("2^") else int(text)
    if not 1 <= lifetime <= _LIFETIME_MAX:
        raise NegotiationError(f"a lifetime of {text} packets")
    return lifetime


def _read_mki(value: str | None, size: str | None) -> bytes:
    if value is None or size is None:
        return b""
    if not 1 <= int(size) <= _MKI_MAX or int(value) >= 1 << 8 * int(size):
        raise NegotiationError("a master key identifier that does not fit its length")
    return int(value).to_bytes(int(size))


def choose(offer: Iterable[CryptoAttribute], suites: Iterable[str] = tuple(SUITES)) -> CryptoAttribute | None:
    """The first line of an offer, in the offerer's order, that we can do; None when there is none (RFC 4568 section
    5.1.2)."""
    allowed = set(suites)
    return next((line for line in offer if line.usable and line.suite in allowed), None)


def answer(chosen: CryptoAttribute, key: bytes, *, lifetime: int | None = None, mki: bytes = b"") -> CryptoAttribute:
    """The line of the answer to a chosen line of the offer: its tag and suite, a key of ours.

    Args:
        chosen: what `choose` gave.
        key: fresh random bytes, master key and salt; never the offer's.

    Raises:
        ValueError: the key's length does not fit the suite, or it is the offer's own: one keystream for both directions
            would give away what is sent.
    """
    if len(key) != chosen.profile.key_size + chosen.profile.salt_size:
        raise ValueError(f"a key of {len(key)} bytes for {chosen.suite}")
    if any(key == other.key for other in chosen.keys):
        raise ValueError("the answer's key must be another than the offer's")
    return CryptoAttribute(chosen.tag, chosen.suite, (MasterKey(key, lifetime, mki),))


def create_session(local: CryptoAttribute, remote: CryptoAttribute, *, backend: str | None = None) -> SrtpSession:
    """The session of offer and answer, whichever of them is ours.

    Raises:
        NegotiationError: tag or suite differ, or a line asks for what we cannot do.
    """
    if (local.tag, local.suite) != (remote.tag, remote.suite):
        raise NegotiationError("the answer takes another tag or suite than was offered")
    if not (local.usable and remote.usable):
        raise NegotiationError("a crypto attribute with a suite or session parameter that is not known")
    ours, theirs = local.keys[0], remote.keys[0]
    return SrtpSession(
        local.profile,
        ours.key,
        theirs.key,
        backend=backend,
        local_mki=ours.mki,
        remote_mki=theirs.mki,
        local_lifetime=ours.lifetime,
        remote_lifetime=theirs.lifetime,
    )
