"""SRTP as the RFCs write it, on OpenSSL's AES: one packet at a time, no windows, no state. A judge of every backend,
and itself judged by the RFCs' vectors."""

import hashlib
import hmac
import struct
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mediarouter.srtp import Profile

RTP, RTCP, HEADERS = 0, 3, 6  # the first of the labels of RFC 3711 section 4.3.2 and RFC 6904 section 3
ENCRYPTED = 1 << 31


class Keys(NamedTuple):
    cipher: bytes
    auth: bytes
    salt: bytes


def keystream(key: bytes, counter: int, size: int) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16))).encryptor().update(bytes(size))


def mixed(data: bytes, stream: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))


def derived(profile: Profile, master: bytes, label: int) -> Keys:
    """RFC 3711 section 4.3, with a key derivation rate of 0; header extensions have no authentication key."""
    key, salt = master[: profile.key_size], master[profile.key_size :].ljust(14, b"\0")
    sizes = (profile.key_size, 0, profile.salt_size) if label == HEADERS else (profile.key_size, 20, profile.salt_size)
    labels = (label, 0, label + 1) if label == HEADERS else (label, label + 1, label + 2)
    start = int.from_bytes(salt)
    made = (keystream(key, (start ^ n << 48) << 16, size) for n, size in zip(labels, sizes, strict=True))
    return Keys(*made)


def is_gcm(profile: Profile) -> bool:
    return profile.salt_size == 12


def header_size(packet: bytes) -> int:
    end = 12 + 4 * (packet[0] & 15)
    return end + 4 + 4 * int.from_bytes(packet[end + 2 : end + 4]) if packet[0] & 0x10 else end


def counter_of(salt: bytes, ssrc: int, index: int) -> int:
    """RFC 3711 section 4.1.1: the first counter block."""
    return int.from_bytes(salt.ljust(14, b"\0")) << 16 ^ ssrc << 64 ^ index << 16


def nonce_of(salt: bytes, ssrc: int, index: int) -> bytes:
    """RFC 7714 sections 8.1 and 9.1."""
    return (int.from_bytes(salt) ^ ssrc << 48 ^ index).to_bytes(12)


def protected(profile: Profile, keys: Keys, packet: bytes, roc: int = 0, *, encrypted: bool = True) -> bytes:
    """An RTP packet; not `encrypted`: all of it is only authenticated."""
    clear = header_size(packet) if encrypted else len(packet)
    ssrc, index = int.from_bytes(packet[8:12]), roc << 16 | int.from_bytes(packet[2:4])
    if is_gcm(profile):
        sealed = AESGCM(keys.cipher).encrypt(nonce_of(keys.salt, ssrc, index), packet[clear:], packet[:clear])
        return packet[:clear] + sealed
    stream = keystream(keys.cipher, counter_of(keys.salt, ssrc, index), len(packet) - clear)
    packet = packet[:clear] + mixed(packet[clear:], stream)
    tag = hmac.digest(keys.auth, packet + struct.pack("!I", roc), hashlib.sha1)
    return packet + tag[: 4 if profile.name.endswith("32") else 10]


def protected_rtcp(profile: Profile, keys: Keys, packet: bytes, index: int, *, encrypted: bool = True) -> bytes:
    ssrc, trailer = int.from_bytes(packet[4:8]), struct.pack("!I", index | ENCRYPTED * encrypted)
    clear = 8 if encrypted else len(packet)
    if is_gcm(profile):
        nonce = nonce_of(keys.salt, ssrc, index)
        sealed = AESGCM(keys.cipher).encrypt(nonce, packet[clear:], packet[:clear] + trailer)
        return packet[:clear] + sealed + trailer
    stream = keystream(keys.cipher, counter_of(keys.salt, ssrc, index), len(packet) - clear)
    packet = packet[:clear] + mixed(packet[clear:], stream) + trailer
    return packet + hmac.digest(keys.auth, packet, hashlib.sha1)[:10]


def values_of(block: bytes, *, two_byte: bool) -> list[tuple[int, int, int]]:
    """RFC 8285: (id, where its value starts, where it ends) of each element of a sound block."""
    found, at = [], 0
    while at < len(block):
        if block[at] == 0:
            at += 1
        elif two_byte:
            found.append((block[at], at + 2, at + 2 + block[at + 1]))
            at = found[-1][2]
        else:
            found.append((block[at] >> 4, at + 1, at + 2 + (block[at] & 15)))
            at = found[-1][2]
    return found


def masked(profile: Profile, master: bytes, packet: bytes, ids: set[int], roc: int = 0) -> bytes:
    """RFC 6904 section 4: the keystream runs over the whole block, padding included, and the mask chooses from it."""
    if not packet[0] & 0x10:
        return packet
    keys = derived(profile, master, HEADERS)
    start, end = 16 + 4 * (packet[0] & 15), header_size(packet)
    ssrc, index = int.from_bytes(packet[8:12]), roc << 16 | int.from_bytes(packet[2:4])
    stream = keystream(keys.cipher, counter_of(keys.salt, ssrc, index), end - start)
    block = bytearray(packet[start:end])
    for element, first, last in values_of(bytes(block), two_byte=packet[start - 4] == 0x10):
        if element in ids:
            block[first:last] = mixed(block[first:last], stream[first:last])
    return packet[:start] + bytes(block) + packet[end:]
