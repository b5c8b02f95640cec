"""Both loops run every scenario, and a pool whose rooms span two workers; none may leave an error in the log."""

import asyncio
import logging

import pytest
import uvloop

from mediarouter import Worker, WorkerPool
from mediarouter.net import pool
from tests.web.door import Door


@pytest.fixture(params=[(asyncio.run, 0), (uvloop.run, 0), (uvloop.run, 2)], ids=["asyncio", "uvloop", "pool"])
def run(request, caplog, monkeypatch):
    """Runs `scenario(door)` with a worker on loopback; further arguments are those of `create_app`."""
    runner, workers = request.param
    monkeypatch.setattr(pool, "SPREAD_AT", -1.0)  # to the next worker with the next transport

    def go(scenario, **options):
        async def main():
            async with await (WorkerPool.create(workers=workers) if workers else Worker.create()) as worker:
                door = Door(worker, options)
                try:
                    await asyncio.wait_for(scenario(door), 60)
                finally:
                    await door.close()

        runner(main())
        errors = [r for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info]
        assert not errors, [r.getMessage() for r in errors]

    return go
