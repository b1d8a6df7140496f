"""A worker that gets stuck at its first record.

It is run by ``python -m tests.support.systems.stuck_worker worker ROLE``. The variable ``STUCK`` is
``handler`` (the handling of a batch never ends), ``fetch`` (Faust's consumer stops fetching) or
``thread`` (the consumer's thread hangs and sends no heartbeats, so Kafka revokes its partitions).
"""

import asyncio
import os
import sys
import time
from typing import Any, get_args

from agents.worker.batch_agent import BatchAgent
from agents.worker.process import run_worker
from agents.worker.wired import Role
from schemas.settings import load_settings
from streams.driver.consumer import BatchConsumer
from streams.topics import Topics


async def for_ever(*args: Any, **options: Any) -> Any:
    await asyncio.Event().wait()


def stick_at_first_record(how: str, executions: str) -> None:
    """Make this process get stuck at the first record; ``fetch`` needs one of ``executions``."""
    getmany = BatchConsumer._getmany
    fetched: list[Any] = []

    async def fetch(self: Any, active_partitions: Any, timeout: float) -> Any:
        if not fetched:
            records = await getmany(self, active_partitions, timeout)
            fetched.extend(tp for tp in records if tp.topic == executions)
            if not fetched:
                return records
        if how == "thread":
            await self._thread.call_thread(hang)
        return await for_ever()

    async def hang() -> None:
        time.sleep(3_600)  # noqa: ASYNC251

    if how == "handler":
        BatchAgent._take = for_ever  # type: ignore[method-assign]
    else:
        BatchConsumer._getmany = fetch  # type: ignore[method-assign]


if __name__ == "__main__":
    settings = load_settings()
    stick_at_first_record(os.environ["STUCK"], Topics.of(settings).executions)
    [role] = [each for each in get_args(Role) if each == sys.argv[2]]
    sys.exit(run_worker(role, settings))
