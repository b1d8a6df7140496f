"""A worker with a planted bug: ``python -m tests.chaos.planted BUG ROLE``.

The audit must catch every one of them; else an audit that finds nothing would prove nothing.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import agents.applier.publish_changes
import agents.detector.watch_executions
import policy.decision.fold
import streams.crash_points
import streams.records
from agents.worker.process import run_worker
from schemas.settings import load_settings
from streams.crash_points import CrashPoint
from streams.driver import table
from streams.driver.outbox import Outbox, Outgoing
from streams.suspend_watchdog import SuspendWatchdog
from tests.support.armed_worker import arm


def _replace(owner: Any, name: str, value: Any) -> None:
    assert hasattr(owner, name), f"{owner} has no {name} to be replaced"
    setattr(owner, name, value)


def no_watermark() -> None:
    """Let rows count again what they have read already."""
    fold_all = policy.decision.fold.fold_all

    def forgetful(row: Any, *rest: Any) -> Any:
        if row is not None:
            row.read_to = -1
        return fold_all(row, *rest)

    _replace(agents.detector.watch_executions, "fold_all", forgetful)


def row_before_command() -> None:
    """Write rows before the command is sent; the worker dies once in between."""
    handler = agents.detector.watch_executions.WatchExecutions
    handled, publish = handler.handle, Outbox.publish

    async def handle(self: Any, batch: Any) -> None:
        # fold as the product does, but hold the command back until the rows are written
        held: list[Sequence[Outgoing]] = []

        async def hold(_: Outbox, messages: Sequence[Outgoing]) -> None:
            held.append(messages)

        _replace(Outbox, "publish", hold)
        try:
            await handled(self, batch)
        finally:
            _replace(Outbox, "publish", publish)
        for messages in held:
            if any(message.topic.endswith("rollback-commands") for message in messages):
                await self._driver.producer.flush()
                _die_once()
            await publish(self._outbox, messages)

    _replace(handler, "handle", handle)


def commit_before_flush() -> None:
    """Commit offsets while the rows still wait to be sent."""
    send = table.WindowTable._send
    waiting = set()

    async def later(self: Any, partition: int, rows: Any) -> None:
        await asyncio.sleep(2)
        await send(self, partition, rows)

    async def put_off(self: Any, partition: int, rows: Any) -> None:
        task = asyncio.ensure_future(later(self, partition, list(rows)))
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    _replace(table.WindowTable, "_send", put_off)


def no_suspend_watchdog() -> None:
    """Let a worker that was suspended go on, without the check of its suspend watchdog.

    It dies at the next crash point. Else an applier with more records in hand would publish again
    what is current, and so repair what it did.
    """
    crash_point = streams.crash_points.crash_point
    woken = False

    def die_at_the_next(point: CrashPoint) -> None:
        nonlocal woken
        if woken:
            os.kill(os.getpid(), signal.SIGKILL)
        begin = time.monotonic()
        crash_point(point)
        woken = time.monotonic() - begin > _STOOD_STILL_S

    def unchecked(_: Any) -> None:
        return

    _replace(SuspendWatchdog, "check", unchecked)
    _replace(agents.applier.publish_changes, "crash_point", die_at_the_next)


def no_lock() -> None:
    """Publish versions without the lock of the tool, even from a worker that was suspended."""

    @asynccontextmanager
    async def unlocked(*_: Any) -> AsyncIterator[None]:
        yield

    _replace(agents.applier.publish_changes, "tool_lock", unlocked)
    no_suspend_watchdog()


def clock_steps() -> None:
    """Let the wall clock jump an hour ahead and an hour back every two seconds; this is no bug."""
    real, begin = time.time, time.monotonic()

    def ahead_s() -> float:
        return (0, 3600, 0, -3600)[int((time.monotonic() - begin) / 2) % 4]

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=ahead_s())

    _replace(time, "time", lambda: real() + ahead_s())
    _replace(streams.records, "datetime", Stepped)


PLANTS: Final[dict[str, Callable[[], None]]] = {
    plant.__name__: plant
    for plant in (
        no_watermark,
        row_before_command,
        commit_before_flush,
        no_lock,
        no_suspend_watchdog,
        clock_steps,
    )
}


_STOOD_STILL_S: Final = 3.0


def _die_once() -> None:
    mark = Path(os.environ["ROLLGUARD_DATA_DIR"]) / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    plant, role = sys.argv[1:]
    PLANTS[plant]()
    arm(os.environ)
    sys.exit(run_worker(role, load_settings()))  # type: ignore[arg-type]
