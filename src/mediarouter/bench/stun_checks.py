"""Connectivity checks to a router, and what answering them costs it."""

import select
import socket
import statistics
import struct
import time
from typing import Any

from mediarouter.bench.clients import Joined
from mediarouter.bench.router_under_test import RouterUnderTest

CHECKS = 20_000
ALONE = 2_000
BURST = 32
ANSWER_TIMEOUT_S = 1.0
_SOL_UDP, _UDP_SEGMENT = 17, 103


def checks(router: RouterUnderTest, client: Joined) -> dict[str, Any]:
    """Send checks of one client in bursts, then one after the other.

    Returns:
        microseconds of the router's processor time for each answered check, in bursts and alone (a wake-up each); the
        median time to an answer, alone, with the two ways through the loopback.
    """
    many = _spent(router, client, CHECKS, BURST)
    alone = _spent(router, client, ALONE, 1)
    return {
        "stun_us": round(many["cpu_ns"] / many["answered"] / 1000, 2),
        "stun_alone_us": round(alone["cpu_ns"] / alone["answered"] / 1000, 2),
        "stun_answer_us": round(alone["answer_us"], 1),
        "stun_unanswered": many["unanswered"] + alone["unanswered"],
    }


def _spent(router: RouterUnderTest, client: Joined, count: int, burst: int) -> dict[str, Any]:
    before = router.figures()["cpu_ns"]
    answered, times_us = 0, []
    for _ in range(count // burst):
        began_ns = time.perf_counter_ns()
        _send(client, burst)
        answered += _receive(client.socket, burst)
        times_us.append((time.perf_counter_ns() - began_ns) / 1000)
    return {
        "cpu_ns": router.figures()["cpu_ns"] - before,
        "answered": max(1, answered),
        "unanswered": count // burst * burst - answered,
        "answer_us": statistics.median(times_us),
    }


def _send(client: Joined, count: int) -> None:
    # one call, which the kernel cuts
    if count == 1:
        client.socket.send(client.check)
    else:
        size = struct.pack("=H", len(client.check))
        client.socket.sendmsg([client.check * count], [(_SOL_UDP, _UDP_SEGMENT, size)])


def _receive(sock: socket.socket, count: int) -> int:
    readable = select.poll()
    readable.register(sock, select.POLLIN)
    for number in range(count):
        if not readable.poll(ANSWER_TIMEOUT_S * 1000):
            return number
        sock.recv(2048)
    return count
