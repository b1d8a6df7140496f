"""Tasks end although one of them loses its first cancellation, as aiokafka does."""

import asyncio

from rollguard_client.tasks import end_tasks


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    cancelled: list[int] = []

    async def runs_on() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.append(1)
                if len(cancelled) == 2:
                    raise

    task = asyncio.ensure_future(runs_on())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert task.cancelled()
    assert len(cancelled) == 2
