"""Both loops run every scenario, and none may leave an error in the log."""

import asyncio
import logging

import pytest
import uvloop

from mediarouter import Worker
from tests.web.door import Door


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request, caplog):
    """Runs `scenario(door)` with a worker on loopback; further arguments are those of `create_app`."""

    def go(scenario, **options):
        async def main():
            async with await Worker.create() as worker:
                door = Door(worker, options)
                try:
                    await asyncio.wait_for(scenario(door), 60)
                finally:
                    await door.close()

        request.param(main())
        errors = [r for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info]
        assert not errors, [r.getMessage() for r in errors]

    return go
