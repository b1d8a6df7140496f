"""A consumer is closed, however often the task that reads is cancelled."""

import asyncio
from contextlib import suppress

from rollguard_client.kafka.reader import _stop


class SlowConsumer:
    """A consumer whose end takes some turns of the loop."""

    def __init__(self) -> None:
        self._client = self
        self.closed = 0

    async def stop(self) -> None:
        await asyncio.sleep(0.05)

    async def close(self) -> None:
        self.closed += 1


async def test_cancellations_wait_for_the_end() -> None:
    consumer = SlowConsumer()
    task = asyncio.ensure_future(_stop(consumer))
    for _ in range(3):
        await asyncio.sleep(0.005)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert consumer.closed == 1
