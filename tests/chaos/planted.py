"""A worker with a known fault planted: ``python -m tests.chaos.planted FAULT ROLE``.

The harness must catch every one of them: a harness that finds nothing proves nothing.
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
    """Rows fold in what they have read already."""
    fold_all = policy.decision.fold.fold_all

    def forgetful(row: Any, *rest: Any) -> Any:
        if row is not None:
            row.read_to = -1
        return fold_all(row, *rest)

    _replace(agents.detector.watch_executions, "fold_all", forgetful)


def row_before_command() -> None:
    """Rows are in the changelog before the command is sent; the worker dies in between, once."""
    handler = agents.detector.watch_executions.WatchExecutions
    handled, publish = handler.handle, Outbox.publish

    async def handle(self: Any, batch: Any) -> None:
        # the fold as it is, with its command held back until its rows are written
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
    """Offsets are committed while the rows still wait to be sent."""
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


def no_stall_guard() -> None:
    """A woken zombie goes on where it stood, to the next step: an applier that has more in hand
    would publish what is current again, and so mend what it did.
    """
    crash_point = streams.crash_points.crash_point
    woken = False

    def to_the_next(step: CrashPoint) -> None:
        nonlocal woken
        if woken:
            os.kill(os.getpid(), signal.SIGKILL)
        begin = time.monotonic()
        crash_point(step)
        woken = time.monotonic() - begin > _STOOD_STILL_S

    def unchecked(_: Any) -> None:
        return

    _replace(SuspendWatchdog, "check", unchecked)
    _replace(agents.applier.publish_changes, "crash_point", to_the_next)


def no_lock() -> None:
    """Versions are published without the tool's lock, by a woken zombie too."""

    @asynccontextmanager
    async def unlocked(*_: Any) -> AsyncIterator[None]:
        yield

    _replace(agents.applier.publish_changes, "tool_lock", unlocked)
    no_stall_guard()


def clock_steps() -> None:
    """No fault: the wall clock jumps an hour ahead, and an hour back, every two seconds."""
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
        no_stall_guard,
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
