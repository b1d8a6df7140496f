"""``python -m tests.support.stuck_worker worker ROLE``: a worker that gets stuck at its first
record.

``STUCK`` says where: ``handler`` (the batch in hand never ends), ``fetch`` (Faust's consumer stops
to fetch), ``thread`` (its thread hangs: no heartbeats either, so Kafka takes its partitions away).
"""

import asyncio
import os
import sys
import time
from typing import Any, get_args

from agents.worker.batch_agent import BatchAgent
from agents.worker.process import run_worker
from agents.worker.wiring import Role
from schemas.settings import load_settings
from streams.driver.batches import BatchConsumer


async def for_ever(*args: Any, **options: Any) -> Any:
    await asyncio.Event().wait()


def stick_at_first_record(place: str) -> None:
    """Make this process one that gets stuck."""
    getmany = BatchConsumer._getmany
    fetched: list[Any] = []

    async def fetch(self: Any, active_partitions: Any, timeout: float) -> Any:
        if not fetched:
            records = await getmany(self, active_partitions, timeout)
            fetched.extend(tp for tp in records if tp.topic.endswith("tool-executions"))
            if not fetched:
                return records
        if place == "thread":
            await self._thread.call_thread(hang)
        return await for_ever()

    async def hang() -> None:
        time.sleep(3_600)  # noqa: ASYNC251

    if place == "handler":
        BatchAgent._take = for_ever  # type: ignore[method-assign]
    else:
        BatchConsumer._getmany = fetch  # type: ignore[method-assign]


if __name__ == "__main__":
    stick_at_first_record(os.environ["STUCK"])
    [role] = [each for each in get_args(Role) if each == sys.argv[2]]
    sys.exit(run_worker(role, load_settings()))
