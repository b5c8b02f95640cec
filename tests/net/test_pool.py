"""Pools of workers: ports, where things are placed, draining, figures."""

import asyncio

import pytest
import uvloop

from mediarouter import InvalidStateError, Worker, WorkerPool
from mediarouter.net.pool import SAMPLE_INTERVAL_US, _Meter, _places
from tests.e2e.test_light_clients import CAPABILITIES, OPUS


def run(scenario, workers=3, runner=asyncio.run, **options):
    """With a pool."""

    async def main():
        async with await WorkerPool.create(workers=workers, **options) as pool:
            await asyncio.wait_for(scenario(pool), 60)
        assert all(worker.closed for worker in pool.workers)

    runner(main())


class Clockwork:
    """A worker as a meter sees it."""

    def __init__(self) -> None:
        self.port = 1
        self.routers: dict[str, object] = {}
        self.used_ns = 0
        self.packets = 0

    def cpu_ns(self) -> int:
        return self.used_ns

    def counters(self) -> dict[str, int]:
        return {"rtp_packets_in": self.packets, "rtp_packets_piped": 0, "rtp_packets_forwarded": 2 * self.packets}


def test_a_meter_tells_what_was_used_since_the_last_sample():
    worker = Clockwork()
    meter = _Meter(worker, 10_000_000)
    worker.used_ns, worker.packets = 250_000_000, 1000
    meter.promised = 0.3
    assert meter.load().busy == 0 and meter.expected == 0.3
    meter.sample(10_500_000)
    assert (meter.load().busy, meter.load().packets_per_second, meter.expected) == (0.5, 6000, 0.5)
    meter.sample(10_500_000)
    assert meter.busy == 0.5, "no time has passed: nothing is known"
    worker.used_ns = 9_000_000_000
    meter.sample(11_500_000)
    assert (meter.busy, meter.packets_per_second) == (1.0, 0.0)


def test_busy_comes_first_then_packets_then_how_many_are_there():
    meters = [_Meter(Clockwork(), 0) for _ in range(2)]
    one, other = meters
    other.worker.routers = {}
    assert one.rank() == other.rank()
    one.worker.routers = {"a": type("R", (), {"transports": {}})}
    assert one.rank() > other.rank()
    other.packets_per_second = 50_000
    assert one.rank() < other.rank()
    one.busy = 0.3
    assert one.rank() > other.rank()
    one.busy, other.busy = 0.31, 0.34
    assert one.rank() < other.rank(), "about as busy: packets decide"


@pytest.mark.parametrize(
    ("listen", "places"),
    [
        (["127.0.0.1:0"], [["127.0.0.1:0"], ["127.0.0.1:0"]]),
        (["0.0.0.0:3478"], [["0.0.0.0:3478"], ["0.0.0.0:3479"]]),
        (["0.0.0.0:7", "[::]:7"], [["0.0.0.0:7", "[::]:7"], ["0.0.0.0:8", "[::]:8"]]),
    ],
)
def test_workers_take_the_ports_that_follow(listen, places):
    assert _places(listen, 2) == places


@pytest.mark.parametrize(
    ("listen", "workers"),
    [
        ("127.0.0.1:65534", 3),
        (["127.0.0.1:5000", "127.0.0.1:5001"], 2),
        ("nonsense", 2),
        ([], 2),
        ("127.0.0.1:0", 0),
        ("127.0.0.1:0", 65),
    ],
)
def test_senseless_pools_are_a_callers_mistake(listen, workers):
    with pytest.raises(ValueError):
        asyncio.run(WorkerPool.create(listen=listen, workers=workers))


def test_ports_in_a_row_and_none_is_kept_when_one_is_taken():
    async def main():
        # a row of three that is free: found by taking it, since others take ports too
        for _ in range(50):
            async with await Worker.create() as probe:
                first = probe.port
            if first > 65532:
                continue
            try:
                pool = await WorkerPool.create(listen=f"127.0.0.1:{first}", workers=3)
                break
            except OSError:
                continue
        async with pool:
            assert [port for _, port in pool.listening] == [first, first + 1, first + 2]
            with pytest.raises(OSError):
                await WorkerPool.create(listen=f"127.0.0.1:{first - 1}", workers=2)
        async with await WorkerPool.create(listen=f"127.0.0.1:{first - 1}", workers=2) as again:
            assert len(again.workers) == 2

    asyncio.run(main())


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_routers_go_to_the_least_loaded_worker(runner):
    async def scenario(pool):
        routers = [await pool.create_router() for _ in range(3)]
        assert {router._environment for router in routers} == set(pool.workers)
        pool._meters[pool.workers[0]].busy = 0.9
        pool._meters[pool.workers[1]].busy = 0.4
        router = await pool.create_router()
        assert router._environment is pool.workers[2]
        await router.create_webrtc_transport()
        loads = pool.stats()
        assert [load.port for load in loads] == [worker.port for worker in pool.workers]
        assert [(load.routers, load.transports) for load in loads] == [(1, 0), (1, 0), (2, 1)]
        assert loads[0].busy == 0.9 and not any(load.draining for load in loads)

    run(scenario, runner=runner)


def test_many_at_once_are_spread_before_anything_is_measured():
    async def scenario(pool):
        pool._meters[pool.workers[0]].busy = 0.2
        for _ in range(30):
            await pool.create_router()
        counts = [load.routers for load in pool.stats()]
        assert sum(counts) == 30 and counts[0] < counts[1] and abs(counts[1] - counts[2]) <= 3 and counts[0] > 0

    run(scenario)


def test_figures_are_taken_every_second_and_sum_up():
    async def scenario(pool):
        timer = pool._timer
        pool._meters[pool.workers[1]].busy = 0.9
        pool._now_us = lambda: 10**15  # much later
        pool._sample()
        assert pool._timer is not timer
        assert pool.stats()[1].busy < 0.1, "measured anew"
        await pool.create_router()
        totals = pool.counters()
        assert totals["turns"] == sum(worker.counters()["turns"] for worker in pool.workers)
        assert 0 < pool.workers[0].cpu_ns() <= pool.workers[0].cpu_ns()
        fired = asyncio.Event()
        pool.call_later(1, fired.set)
        await fired.wait()
        timer.cancel()

    run(scenario)
    assert SAMPLE_INTERVAL_US == 1_000_000


def test_a_draining_worker_gets_nothing_new_and_keeps_what_it_has():
    async def scenario(pool):
        routers = [await pool.create_router() for _ in range(2)]
        transport = await routers[0].create_webrtc_transport()
        worker = routers[0]._environment
        assert pool.drain(worker) == (transport,)
        assert [load.draining for load in pool.stats()] == [w is worker for w in pool.workers]
        for _ in range(4):
            assert (await pool.create_router())._environment is not worker
        assert not transport.closed
        pool.drain(routers[1]._environment)
        with pytest.raises(InvalidStateError, match="draining"):
            await pool.create_router()
        with pytest.raises(InvalidStateError, match="draining"):
            await pool.create_spanning_router()
        pool.undrain(worker)
        assert (await pool.create_router())._environment is worker
        async with await Worker.create() as stranger:
            for call in (pool.drain, pool.undrain):
                with pytest.raises(ValueError, match="not of this pool"):
                    call(stranger)

    run(scenario, workers=2)


def test_a_closed_pool_says_so_and_closes_once():
    async def scenario(pool):
        closed = []
        pool.on("close", lambda: closed.append("pool"))
        spanning = await pool.create_spanning_router()
        spanning.on("close", lambda: closed.append("spanning"))
        pool.close()
        pool.close()
        assert closed == ["spanning", "pool"] and not pool._spanning
        with pytest.raises(InvalidStateError, match="pool closed"):
            await pool.create_router()
        assert pool.workers[0].cpu_ns() >= 0

    run(scenario, workers=1)


def test_a_spanning_router_stays_on_one_worker_until_that_is_busy():
    async def scenario(pool):
        spanning = await pool.create_spanning_router()
        first = spanning.routers[0]._environment
        for _ in range(3):
            transport = await spanning.create_webrtc_transport()
            assert transport._environment is first
        pool._meters[first].busy = 0.6
        second = (await spanning.create_webrtc_transport())._environment
        assert second is not first and len(spanning.routers) == 2
        pool._meters[second].busy = 0.8
        third = (await spanning.create_webrtc_transport())._environment
        assert third is first, "the least loaded member, when no other worker is less so"
        assert len(spanning.transports) == 5

    run(scenario, workers=2)


def test_a_spanning_router_leaves_a_draining_worker_alone():
    async def scenario(pool):
        spanning = await pool.create_spanning_router(members=2)
        publisher = await spanning.create_webrtc_transport()
        producer = await publisher.produce(kind="audio", rtp_parameters=OPUS)
        pool.drain(publisher._environment)
        for _ in range(3):
            viewer = await spanning.create_webrtc_transport()
            assert viewer._environment is not publisher._environment
            await viewer.consume(producer.id, rtp_capabilities=CAPABILITIES)
        assert len(spanning.routers) == 2

    run(scenario)


@pytest.mark.parametrize("members", [0, 3])
def test_a_spanning_router_begins_on_workers_that_are_there(members):
    async def scenario(pool):
        with pytest.raises(ValueError, match="members"):
            await pool.create_spanning_router(members=members)
        pool.drain(pool.workers[0])
        with pytest.raises(InvalidStateError, match="1 workers"):
            await pool.create_spanning_router(members=2)
        assert not any(load.routers for load in pool.stats())

    run(scenario, workers=2)
