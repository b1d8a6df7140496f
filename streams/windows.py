"""The windows of a tool's current version, as sums over event time. Pure: no clock, no I/O.

A row belongs to one tool. It holds what the rules need of the current version (a ring of the
newest executions, two windows counted in buckets), its baseline, what was already commanded, and
the baselines that its replaced versions leave behind. All times are microseconds since the epoch.
Rows are changed in place; whoever folds owns the row until it is written.
"""

from typing import Final

import msgspec

from schemas.execution import SIGNATURE_ERRORS, Activation
from schemas.fields import micros_of
from schemas.rules import Rules
from schemas.run import Run

SECOND: Final = 1_000_000
"""In microseconds."""
MAX_CLASS_NAME: Final = 255
"""What of the name of an exception's class a row keeps, in characters."""


class Seen(msgspec.Struct, array_like=True, frozen=True):
    """One execution in the ring. ``offset`` is its place in the log: it breaks ties.
    ``execution_id`` are the bytes of the UUID."""

    executed_us: int
    offset: int
    execution_id: bytes
    success: bool
    error_class: str | None

    @property
    def is_signature_error(self) -> bool:
        return self.error_class in SIGNATURE_ERRORS


class Counts(msgspec.Struct, array_like=True, frozen=True):
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


class Buckets(msgspec.Struct, array_like=True):
    """A sliding window counted in buckets that are aligned to the epoch.

    A bucket [b, b + size) counts while b + size > now - window. ``expires_us`` is the smallest
    'now' at which a bucket stops to count: until then the totals hold as they are.
    """

    executions: int = 0
    failures: int = 0
    expires_us: int = 0
    buckets: dict[int, tuple[int, int]] = {}

    def add(self, at_us: int, failed: bool, now_us: int, size_s: int, window_s: int) -> None:
        """Count one execution at ``at_us`` and drop what ``now_us`` leaves behind."""
        self.expire(now_us, size_s, window_s)
        size = size_s * SECOND
        start = at_us - at_us % size
        expires = start + size + window_s * SECOND
        if expires <= now_us:
            return
        executions, failures = self.buckets.get(start, (0, 0))
        self.buckets[start] = (executions + 1, failures + failed)
        self.executions += 1
        self.failures += failed
        if expires < self.expires_us or len(self.buckets) == 1:
            self.expires_us = expires

    def expire(self, now_us: int, size_s: int, window_s: int) -> None:
        """Drop the buckets that no longer count at ``now_us``."""
        if not self.buckets or now_us < self.expires_us:
            return
        life = (size_s + window_s) * SECOND
        for start in [start for start in self.buckets if start + life <= now_us]:
            executions, failures = self.buckets.pop(start)
            self.executions -= executions
            self.failures -= failures
        self.expires_us = min(self.buckets, default=0) + life

    @property
    def counts(self) -> Counts:
        return Counts(self.executions, self.failures)


class Row(msgspec.Struct, array_like=True):
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
    ring: list[Seen] = []
    """The newest executions by (executed_us, offset), the newest last."""
    fast: Buckets = msgspec.field(default_factory=Buckets)
    standard: Buckets = msgspec.field(default_factory=Buckets)
    attempts: int = 0
    """How many commands this activation has had."""
    commanded_us: int = 0
    """'Now' at the newest of them."""
    command_id: str | None = None
    legacies: dict[int, Counts | None] = {}
    """The baseline that each replaced version left, by version, the last replaced last."""

    def legacy(self, rules: Rules) -> Counts | None:
        """The baseline that the current version leaves: its own window if that holds enough."""
        if self.standard.executions >= rules.baseline_executions:
            return self.standard.counts
        return self.baseline

    def recent(self, rules: Rules) -> list[Seen]:
        """What of the ring is at most ``recent_window_s`` older than 'now', the newest last."""
        if self.now_us is None:
            return []
        since = self.now_us - rules.recent_window_s * SECOND
        ring = self.ring
        if ring[0].executed_us >= since:
            return ring
        return [seen for seen in ring if seen.executed_us >= since]


def activate(row: Row | None, activation: Activation, offset: int, rules: Rules) -> Row:
    """The row as it stands behind an activation; an old or repeated one only moves ``read_to``."""
    reactivated = activation.activated_by.kind == "rollback"
    if row is None:
        baseline, legacies = None, {}
    elif activation.activation <= row.activation:
        row.read_to = offset
        return row
    else:
        legacies = row.legacies
        legacies.pop(row.version_id, None)
        legacies[row.version_id] = legacy = row.legacy(rules)
        while len(legacies) > rules.remembered_versions:
            del legacies[next(iter(legacies))]
        baseline = legacies.get(activation.version_id) if reactivated else legacy
    return Row(
        read_to=offset,
        version_id=activation.version_id,
        version_number=activation.version_number,
        activation=activation.activation,
        activated_us=micros_of(activation.activated_at),
        reactivated=reactivated,
        baseline=baseline,
        legacies=legacies,
    )


def count(row: Row, run: Run, offset: int, rules: Rules) -> bool:
    """Fold an execution into the row of its tool; whether it counted, and so is to be judged.

    It does not where it belongs to another version, was executed before a rollback activated the
    version again, or is in the ring already.
    """
    row.read_to = offset
    if run.version_id is not None and run.version_id != row.version_id:
        return False
    at_us = run.executed_us
    if row.reactivated and at_us < row.activated_us:
        return False
    execution_id = run.execution_id.bytes
    ring = row.ring
    for seen in ring:
        if seen.execution_id == execution_id:
            return False
    now_us = row.now_us = at_us if row.now_us is None else max(row.now_us, at_us)
    failed = not run.success
    row.fast.add(at_us, failed, now_us, rules.fast_bucket_s, rules.fast_window_s)
    row.standard.add(at_us, failed, now_us, rules.standard_bucket_s, rules.standard_window_s)
    place = len(ring)
    while place and ring[place - 1].executed_us > at_us:
        place -= 1
    error_class = (run.error_class or "")[:MAX_CLASS_NAME] or None if failed else None
    ring.insert(place, Seen(at_us, offset, execution_id, not failed, error_class))
    del ring[: -rules.ring_size]
    return True


def encode(row: Row) -> bytes:
    """A row as the table and its changelog hold it."""
    return _ENCODER.encode(row)


def decode(data: bytes) -> Row:
    """The row of :func:`encode`. Raises ValueError for anything else."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a row of this version: {error}") from error


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Row)
