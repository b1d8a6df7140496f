"""The windows of a tool's current version, as sums over event time. Pure: no clock, no I/O.

A row belongs to one tool. It holds what the rules need of the current version (a ring of the
newest executions, two windows counted in buckets), its baseline, what was already commanded, and
the baselines that its replaced versions leave behind. Times are microseconds since the epoch.
Rows are changed in place; whoever folds owns the row until it is written. They are written and read
by the thousand a second, so they hold flat lists of numbers and bytes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from policy.state.evidence import ToolEvidence
from policy.state.stored_baselines import remember
from schemas.execution import SIGNATURE_ERRORS, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.rules import Rules

SECOND: Final = 1_000_000
"""In microseconds."""
MAX_CLASS_NAME: Final = 255
"""What of the name of an exception's class a row keeps, in characters."""


class Seen(NamedTuple):
    """One execution of the ring. ``error_class`` is None for a success, and for a failure whose
    class is not known.
    """

    executed_us: int
    execution_id: UUID
    success: bool
    error_class: str | None


class Counts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How many executions, and how many of them failed."""

    executions: int
    failures: int

    @property
    def successes(self) -> int:
        return self.executions - self.failures

    @property
    def success_rate(self) -> float | None:
        """In [0, 1]; None without executions, so that silence condemns nothing."""
        return self.successes / self.executions if self.executions else None


class Ring(msgspec.Struct, array_like=True, gc=False):
    """The newest executions by ``executed_at``, arrival breaking ties; the newest last.

    Three lists of the same length: ``ids`` are the bytes of UUIDs; in ``errors`` a success is None,
    a failure whose class is not known "".
    """

    times_us: list[int] = []
    ids: list[bytes] = []
    errors: list[str | None] = []

    def add(self, at_us: int, execution_id: bytes, error: str | None, size: int) -> None:
        """Put one where its time puts it, behind those of the same time; keep the newest."""
        times, ids, errors = self.times_us, self.ids, self.errors
        if not times or times[-1] <= at_us:
            times.append(at_us)
            ids.append(execution_id)
            errors.append(error)
        else:
            place = bisect_right(times, at_us)
            times.insert(place, at_us)
            ids.insert(place, execution_id)
            errors.insert(place, error)
        if len(times) > size:
            del times[:-size], ids[:-size], errors[:-size]

    def add_successes(self, times_us: list[int], ids: list[bytes], size: int) -> None:
        """As ``add`` for each of these successes; their times ascend."""
        if self.times_us and self.times_us[-1] > times_us[0]:
            for at_us, execution_id in zip(times_us, ids, strict=True):
                self.add(at_us, execution_id, None, size)
            return
        self.times_us = (self.times_us + times_us[-size:])[-size:]
        self.ids = (self.ids + ids[-size:])[-size:]
        self.errors = (self.errors + [None] * min(len(ids), size))[-size:]

    def errors_since(self, since_us: int) -> list[str | None]:
        """Of those that were executed at this time or later."""
        times = self.times_us
        if not times or times[0] >= since_us:
            return self.errors
        return [error for at, error in zip(times, self.errors, strict=True) if at >= since_us]


class Buckets(msgspec.Struct, array_like=True, gc=False):
    """A sliding window counted in buckets that are aligned to the epoch.

    A bucket [b, b + size) counts while b + size > now - window. ``buckets`` are the bucket's begin
    in seconds, its executions and its failures, three numbers for each, the oldest bucket first.
    """

    executions: int = 0
    failures: int = 0
    buckets: list[int] = []

    def add(self, at_us: int, failed: bool, now_us: int, size_s: int, window_s: int) -> None:
        """Count one execution at ``at_us`` and drop what ``now_us`` leaves behind."""
        buckets = self.buckets
        dead_s = now_us // SECOND - size_s - window_s  # what begins then or before counts no more
        start_s = at_us // SECOND // size_s * size_s
        if buckets and buckets[-3] == start_s and buckets[0] > dead_s:
            buckets[-2] += 1  # nearly always: the newest bucket, and none to drop
            self.executions += 1
            if failed:
                buckets[-1] += 1
                self.failures += 1
            return
        self._drop(dead_s)
        if start_s > dead_s:
            self._put(start_s, 1, int(failed))

    def add_successes(self, times_us: list[int], now_us: int, size_s: int, window_s: int) -> None:
        """As ``add`` for each of these successes; their times ascend."""
        dead_s = now_us // SECOND - size_s - window_s
        self._drop(dead_s)
        done, end = 0, len(times_us)
        while done < end:
            begun, start_s = done, times_us[done] // SECOND // size_s * size_s
            next_us = (start_s + size_s) * SECOND
            done = end if times_us[-1] < next_us else bisect_left(times_us, next_us, begun)
            if start_s > dead_s:
                self._put(start_s, done - begun, 0)

    def fewest(self, now_us: int, size_s: int, window_s: int) -> Counts:
        """What is left of the executions when ``now_us`` has dropped what it leaves behind, beside
        all the failures of before.
        """
        dead_s = now_us // SECOND - size_s - window_s
        executions, buckets = self.executions, self.buckets
        for place in range(0, len(buckets), 3):
            if buckets[place] > dead_s:
                break
            executions -= buckets[place + 1]
        return Counts(executions, self.failures)

    def _drop(self, dead_s: int) -> None:
        buckets = self.buckets
        while buckets and buckets[0] <= dead_s:
            self.executions -= buckets[1]
            self.failures -= buckets[2]
            del buckets[:3]

    def _put(self, start_s: int, executions: int, failures: int) -> None:
        buckets = self.buckets
        place = len(buckets)
        while place and buckets[place - 3] > start_s:
            place -= 3
        if not place or buckets[place - 3] != start_s:
            buckets[place:place] = (start_s, 0, 0)
            place += 3
        buckets[place - 2] += executions
        buckets[place - 1] += failures
        self.executions += executions
        self.failures += failures

    @property
    def counts(self) -> Counts:
        return Counts(self.executions, self.failures)


class Row(msgspec.Struct, array_like=True, gc=False):
    """All that is known of one tool. ``read_to`` is the offset of the last record folded in."""

    read_to: int
    version_id: int
    version_number: int
    activation: int
    activated_us: int
    reactivated: bool
    """Activated by a rollback: only executions from ``activated_us`` on count."""
    baseline: Counts | None
    now_us: int | None = None
    """The newest ``executed_at`` that counts."""
    ring: Ring = msgspec.field(default_factory=Ring)
    fast: Buckets = msgspec.field(default_factory=Buckets)
    standard: Buckets = msgspec.field(default_factory=Buckets)
    attempts: int = 0
    """How many commands this activation has had."""
    commanded_us: int = 0
    """'Now' at the newest of them."""
    command_id: str | None = None
    stored_baselines: dict[int, Counts | None] = {}
    """The baseline that each replaced version left, by version, the last replaced last."""
    tool_evidence: ToolEvidence | None = None
    """What policy `guarded` weighs; None where `seed` is the policy since the activation."""
    observed: list[str] = []
    """The reasons for which this activation had a decision that is only published."""

    def legacy(self, rules: Rules) -> Counts | None:
        """The baseline that the current version leaves: its own window if that holds enough."""
        if self.standard.executions >= rules.baseline_executions:
            return self.standard.counts
        return self.baseline

    def recent_errors(self, rules: Rules) -> list[str | None]:
        """As ``Ring.errors``, of what is at most ``recent_window_s`` older than 'now'."""
        if self.now_us is None:
            return []
        return self.ring.errors_since(self.now_us - rules.recent_window_s * SECOND)

    def recent(self, rules: Rules) -> list[Seen]:
        """What of the ring is at most ``recent_window_s`` older than 'now', the newest last."""
        ring, length = self.ring, len(self.recent_errors(rules))
        return [
            Seen(at_us, UUID(bytes=execution_id), error is None, error or None)
            for at_us, execution_id, error in zip(ring.times_us, ring.ids, ring.errors, strict=True)
        ][len(ring.errors) - length :]


def activate(row: Row | None, activation: Activation, offset: int, rules: Rules) -> Row:
    """The row as it stands behind an activation; an old or repeated one only moves ``read_to``."""
    reactivated = activation.activated_by.kind == "rollback"
    tool_evidence = ToolEvidence() if rules.policy == "guarded" else None
    if row is None:
        baseline, stored_baselines = None, {}
    elif activation.activation <= row.activation:
        row.read_to = offset
        return row
    else:
        stored_baselines, legacy = row.stored_baselines, row.legacy(rules)
        remember(stored_baselines, row.version_id, legacy, rules.remembered_versions)
        baseline = stored_baselines.get(activation.version_id) if reactivated else legacy
        if tool_evidence is not None:
            tool_evidence = (row.tool_evidence or tool_evidence).replaced(
                row.version_id, activation.version_id, reactivated, rules
            )
    return Row(
        read_to=offset,
        version_id=activation.version_id,
        version_number=activation.version_number,
        activation=activation.activation,
        activated_us=micros_of(activation.activated_at),
        reactivated=reactivated,
        baseline=baseline,
        stored_baselines=stored_baselines,
        tool_evidence=tool_evidence,
    )


def count(row: Row, run: ExecutionEntry, offset: int, rules: Rules) -> bool:
    """Fold an execution into the row of its tool; whether it counted, and so is to be judged.

    It does not where it belongs to another version, was executed before a rollback activated the
    version again, or is in the ring already.
    """
    row.read_to = offset
    if not is_of_current(row, run):
        return False
    at_us, ring = run.executed_us, row.ring
    execution_id = run.execution_id.int.to_bytes(16, "big")
    if execution_id in ring.ids:
        return False
    now_us = row.now_us
    if now_us is None or at_us > now_us:
        now_us = row.now_us = at_us
    failed = not run.success
    error = (run.error_class or "")[:MAX_CLASS_NAME] if failed else None
    ring.add(at_us, execution_id, error, rules.ring_size)
    row.fast.add(at_us, failed, now_us, rules.fast_bucket_s, rules.fast_window_s)
    row.standard.add(at_us, failed, now_us, rules.standard_bucket_s, rules.standard_window_s)
    return True


def is_of_current(row: Row, run: ExecutionEntry) -> bool:
    """Whether it is of the current version, since that is current; it counts unless it is a
    repeat.
    """
    return (run.version_id is None or run.version_id == row.version_id) and (
        not row.reactivated or run.executed_us >= row.activated_us
    )


def count_successes(row: Row, runs: Sequence[ExecutionEntry], offset: int, rules: Rules) -> bool:
    """As :func:`count` for each of these successes of the current version, the last at ``offset``.
    False, and nothing is changed, where one may be a repeat.
    """
    ids = [run.execution_id.int.to_bytes(16, "big") for run in runs]
    ring = row.ring
    if len({*ring.ids, *ids}) < len(ring.ids) + len(ids):
        return False
    times_us = [run.executed_us for run in runs]
    ascending = sorted(times_us)
    if ascending != times_us:
        # Of the same time the one that arrived first comes first.
        ids = [ids[place] for place in sorted(range(len(ids)), key=times_us.__getitem__)]
    row.read_to = offset
    row.now_us = now_us = max(ascending[-1], row.now_us or 0)
    ring.add_successes(ascending, ids, rules.ring_size)
    row.fast.add_successes(ascending, now_us, rules.fast_bucket_s, rules.fast_window_s)
    row.standard.add_successes(ascending, now_us, rules.standard_bucket_s, rules.standard_window_s)
    return True


def is_signature_error(error: str | None) -> bool:
    """Of an error in a ring."""
    return error in SIGNATURE_ERRORS


def encode(row: Row) -> bytes:
    """A row as the table and its changelog hold it."""
    return _ENCODER.encode(row)


def decode(data: bytes) -> Row:
    """The row of :func:`encode`. Raises ValueError for anything else."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a row of this version: {error}") from error


class _ReadTo(msgspec.Struct, array_like=True):
    offset: int


def read_to_of(data: bytes) -> int:
    """``read_to`` of an encoded row, without the rest of it."""
    return _READ_TO_DECODER.decode(data).offset


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Row)
_READ_TO_DECODER: Final = msgspec.msgpack.Decoder(_ReadTo)
