"""Millions of packets through SRTP sessions that come and go, with a flat memory: `python bench/soak_srtp.py 10000000`.

Exit code 1 when the resident set or what Python holds grew after the first tenth."""

import struct
import sys
import tracemalloc

import psutil

from mediarouter.srtp import Profile, SrtpError, SrtpSession, available

PER_SESSION = 2000
RSS_LIMIT = 2 << 20
PYTHON_LIMIT = 64 << 10


def one_session(number: int) -> int:
    """Create, protect and unprotect, refuse damage, close; the packets that went through."""
    profile, backend = list(Profile)[number % 6], available()[number // 6 % len(available())]
    key = bytes(range(profile.key_size + profile.salt_size))
    alice, bob = (SrtpSession(profile, key, key, backend=backend) for _ in range(2))
    payload = bytes(200)
    for seq in range(PER_SESSION):
        packet = struct.pack("!BBHII", 0x80, 96, seq, seq, seq % 50) + payload
        protected = alice.protect(packet)
        if bob.unprotect(protected) != packet:
            raise SystemExit("a packet came back changed")
        if seq % 100 == 0:
            try:
                bob.unprotect(protected)
            except SrtpError:
                continue
            raise SystemExit("a replay was taken")
    return PER_SESSION


def main() -> int:
    """Print a line a tenth of the way."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    process, done, number, base = psutil.Process(), 0, 0, (0, 0)
    tracemalloc.start()
    for tenth in range(1, 11):
        while done < total * tenth // 10:
            done += one_session(number)
            number += 1
        now = (process.memory_info().rss, tracemalloc.get_traced_memory()[0])
        base = now if tenth == 1 else base
        print(f"{done:>10} packets, {number} sessions: rss {now[0] >> 10} KiB, python {now[1] >> 10} KiB", flush=True)
    grown = now[0] - base[0], now[1] - base[1]
    flat = grown[0] <= RSS_LIMIT and grown[1] <= PYTHON_LIMIT
    print(f"grew by {grown[0] >> 10} KiB and {grown[1] >> 10} KiB: {'flat' if flat else 'NOT FLAT'}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
