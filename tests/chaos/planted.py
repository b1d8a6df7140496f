"""A worker with a planted bug: ``python -m tests.chaos.planted PLANT ROLE``.

The audit must find each of these bugs. Otherwise an audit without findings would prove nothing.
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

import agents.applier.deployments.gated_deployments
import agents.applier.publish_changes
import agents.detector.forward_executions
import agents.detector.watch_executions
import agents.recorder.record_executions
import db.executions.recording
import db.postgres.locks
import db.versions.deploying
import policy.decision.fold
import signatures.verifying
import streams.crash_points
import streams.records
from agents.worker.process import run_worker
from db.executions.verdicts import insert_verdicts
from policy.deployments.gate import GateDecision
from policy.state.quality.later_verdicts import LaterVerdicts
from schemas.settings import load_settings
from streams.crash_points import CrashPoint
from streams.driver import consumer_thread, table
from streams.driver.outbox import Outbox, Outgoing
from streams.suspend_watchdog import SuspendWatchdog
from tests.support.systems.armed_worker import arm


def _replace(owner: Any, name: str, value: Any) -> None:
    assert hasattr(owner, name), f"{owner} has no {name} to be replaced"
    setattr(owner, name, value)


def no_watermark() -> None:
    """Let rows count records again that they have read already."""
    fold_all = policy.decision.fold.fold_all

    def without_watermark(row: Any, *rest: Any) -> Any:
        if row is not None:
            row.read_to = -1
        return fold_all(row, *rest)

    _replace(agents.detector.watch_executions, "fold_all", without_watermark)


def copies_count_again() -> None:
    """Count a copy each time that it comes."""

    def all_of_them(log: Any, *_: Any) -> Any:
        return log

    _replace(agents.detector.watch_executions, "of_known_tool", all_of_them)


def commit_before_copies() -> None:
    """Forward misplaced records after their offsets may be committed, and die once in between."""
    forwarding = agents.detector.forward_executions.ForwardExecutions
    forward = forwarding.forward
    delayed = set()

    async def later(self: Any, misplaced: Any) -> None:
        await asyncio.sleep(1.5)
        _die_once()
        await forward(self, misplaced)

    async def delay(self: Any, misplaced: Any) -> list[Any]:
        if misplaced:
            task = asyncio.ensure_future(later(self, list(misplaced)))
            delayed.add(task)
            task.add_done_callback(delayed.discard)
        return []

    _replace(forwarding, "forward", delay)


def row_before_command() -> None:
    """Write rows before the command is sent, and die once in between."""
    handler = agents.detector.watch_executions.WatchExecutions
    handled, publish = handler.handle, Outbox.publish

    async def handle(self: Any, batch: Any) -> None:
        # Handle the batch as the product does, but send its messages after the rows.
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
    delayed = set()

    async def send_later(self: Any, partition: int, rows: Any) -> None:
        await asyncio.sleep(2)
        await send(self, partition, rows)

    async def delay(self: Any, partition: int, rows: Any) -> None:
        task = asyncio.ensure_future(send_later(self, partition, list(rows)))
        delayed.add(task)
        task.add_done_callback(delayed.discard)

    _replace(table.WindowTable, "_send", delay)


def no_suspend_watchdog() -> None:
    """Let a worker that was suspended go on, without the check of its suspend watchdog.

    It dies at its next crash point. Otherwise an applier with more records would publish the
    current version again, and the old one would not remain the last.
    """
    crash_point = streams.crash_points.crash_point
    was_suspended = False

    def die_after_suspension(point: CrashPoint) -> None:
        nonlocal was_suspended
        if was_suspended:
            os.kill(os.getpid(), signal.SIGKILL)
        begin = time.monotonic()
        crash_point(point)
        was_suspended = time.monotonic() - begin > _STOOD_STILL_S

    def unchecked(_: Any) -> None:
        return

    _replace(SuspendWatchdog, "check", unchecked)
    _replace(agents.applier.publish_changes, "crash_point", die_after_suspension)


def no_lock() -> None:
    """Publish versions without the lock of the tool, and without the suspend watchdog."""

    @asynccontextmanager
    async def unlocked(*_: Any) -> AsyncIterator[None]:
        yield

    _replace(db.postgres.locks, "tool_lock", unlocked)
    no_suspend_watchdog()


def reads_uncommitted() -> None:
    """Read records of open and of aborted transactions."""
    _replace(consumer_thread, "READ_COMMITTED", "read_uncommitted")


def no_signature_check() -> None:
    """Believe every message, whoever has signed it, in spite of `require`."""

    def believe(_: Any, __: Any, message: Any) -> Any:
        return message

    _replace(signatures.verifying.Verifier, "verified", believe)


def verdicts_repeat() -> None:
    """Count a later verdict each time that it is said."""

    def count(self: LaterVerdicts, _: Any, bad: bool) -> bool:
        self.judged += 1
        self.bad += bad
        return True

    _replace(LaterVerdicts, "count", count)


def verdicts_after_offset() -> None:
    """Store later verdicts after the transaction that moves the offset, and die once in between."""
    record = db.executions.recording.record
    waiting: list[tuple[Any, ...]] = []

    async def note(_: Any, verdicts: Any, *rest: Any) -> None:
        waiting.append((verdicts, *rest))

    async def record_first(conn: Any, *rest: Any) -> int:
        waiting.clear()
        new = await record(conn, *rest)
        if any(verdicts for verdicts, *_ in waiting):
            _die_once()
        for verdicts, *more in waiting:
            await insert_verdicts(conn, verdicts, *more)
        return new

    _replace(db.executions.recording, "insert_verdicts", note)
    _replace(agents.recorder.record_executions, "record", record_first)


def open_gate() -> None:
    """Make versions of what failed a check."""

    def passes(*_: Any, **__: Any) -> GateDecision:
        return GateDecision("pass")

    _replace(agents.applier.deployments.gated_deployments, "gate_decision", passes)


def clock_steps() -> None:
    """Let the wall clock jump by an hour every two seconds. This is no bug: it must do no harm."""
    real, begin = time.time, time.monotonic()

    def ahead_s() -> float:
        return (0, 3600, 0, -3600)[int((time.monotonic() - begin) / 2) % 4]

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=ahead_s())

    _replace(time, "time", lambda: real() + ahead_s())
    _replace(streams.records, "datetime", Stepped)


def no_stops() -> None:
    """Let every deployment pass, whatever a person has said."""
    _replace(db.versions.deploying, "stop_of", lambda *_: None)


PLANTS: Final[dict[str, Callable[[], None]]] = {
    plant.__name__: plant
    for plant in (
        no_watermark,
        copies_count_again,
        commit_before_copies,
        row_before_command,
        commit_before_flush,
        no_lock,
        no_suspend_watchdog,
        reads_uncommitted,
        no_signature_check,
        verdicts_repeat,
        verdicts_after_offset,
        open_gate,
        clock_steps,
        no_stops,
    )
}


_STOOD_STILL_S: Final = 3.0
"""A crash point that took longer than this has suspended the worker."""


def _die_once() -> None:
    marker = Path(os.environ["ROLLGUARD_DATA_DIR"]) / "died"
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    plant, role = sys.argv[1:]
    PLANTS[plant]()
    arm(os.environ)
    sys.exit(run_worker(role, load_settings()))  # type: ignore[arg-type]
