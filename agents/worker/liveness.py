"""The judgement whether a worker is alive and whether it is ready, with the reasons. Pure.

A worker is alive if it has no lag, or if its commits advance, or if it waits for another part and
retries. A supervisor restarts a worker that is not alive. A restart would not help a worker that
waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from streams.offsets import Offsets
from streams.waits import Wait

Phase = Literal["starting", "rebalancing", "recovering", "running"]

STALLED_S: Final = 30.0
"""A partition with lag and without a commit for this long is stuck."""
JOINING_S: Final = 50.0
"""A worker is stuck if it starts, rebalances or recovers for this long without progress. A
rebalance may take long, because it waits for a member of the group that died until its session
ends."""
WAIT_EXPIRES_S: Final = 90.0
"""A wait does not count any more if its newest try failed this long ago, because then the try
after that hangs. The slowest normal try is shorter: the pause before it (10 s), a connection
(10 s), and a statement (60 s)."""
SUSPECT_S: Final = 12.0
"""A partition with lag and without a commit for this long is suspect: it is checked whether its lag
holds a record."""
MAX_STEP_S: Final = 10.0
"""If two samples are further apart than this, the process itself stood still. Then only this much
time is counted."""


@dataclass(frozen=True)
class Sample:
    """The state of a worker at one moment. ``partitions`` is None if the broker did not answer."""

    at: float
    """Seconds of a monotonic clock."""
    phase: Phase
    recovered: int = 0
    """A number that grows with each record that is read from the table's changelog."""
    partitions: Mapping[str, Offsets] | None = None
    """The offsets by which the worker is judged, by the name of the partition."""
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """An answer and its reasons. If ``holds`` is true, the reasons are the present waits."""

    holds: bool
    reasons: tuple[str, ...]


@dataclass
class _Stall:
    """How long an offset or a recovery has made no progress."""

    mark: int
    stalled_s: float = 0.0
    text: str = ""


@dataclass
class Liveness:
    """Judges by samples, in their order. All times come from the samples and from ``now``."""

    _at: float | None = None
    _connected: bool = False
    _joining: _Stall | None = None
    _partitions: dict[str, _Stall] = field(default_factory=dict)

    def observe(self, sample: Sample) -> None:
        """Add the next sample."""
        step = 0.0 if self._at is None else min(sample.at - self._at, MAX_STEP_S)
        self._at = sample.at
        self._connected |= sample.partitions is not None
        if _is_waiting(sample.waits, sample.at):
            # The time of a wait does not count. After a wait all stalls begin anew, because the
            # part that was waited for may need some time until it works normally.
            self._joining = None
            self._partitions.clear()
            return
        if sample.phase == "running":
            self._joining = None
            if sample.partitions is not None:
                self._watch(sample.partitions, step)
            return
        # The stalls of the partitions do not grow but are kept, because a worker that rebalances
        # again and again makes no progress.
        if self._joining is None or sample.recovered > self._joining.mark:
            self._joining = _Stall(sample.recovered)
        else:
            self._joining.stalled_s += step
        self._joining.text = f"{sample.phase} for {self._joining.stalled_s:.0f} s without progress"

    def _watch(self, partitions: Mapping[str, Offsets], step: float) -> None:
        before, self._partitions = self._partitions, {}
        for name, offsets in partitions.items():
            if not offsets.lag:
                continue
            known = before.get(name)
            stall = _Stall(offsets.committed)
            if known is not None and known.mark == offsets.committed:
                stall.stalled_s = known.stalled_s + step
            stall.text = f"{name}: lag {offsets.lag}, nothing committed for {stall.stalled_s:.0f} s"
            self._partitions[name] = stall

    def suspects(self) -> list[str]:
        """Return the names of the suspect partitions."""
        return [name for name, stall in self._partitions.items() if stall.stalled_s >= SUSPECT_S]

    def stalled_s(self, name: str) -> float:
        """Return for how long nothing was committed for a partition although it has lag."""
        stall = self._partitions.get(name)
        return 0.0 if stall is None else stall.stalled_s

    @property
    def joining_s(self) -> float:
        """For how long the worker starts, rebalances or recovers without progress."""
        return 0.0 if self._joining is None else self._joining.stalled_s

    def alive(self, waits: tuple[Wait, ...], now: float) -> Judgement:
        """Return whether the worker is alive.

        ``waits`` are the waits at the time ``now``.
        """
        wait_texts = _wait_texts(waits, now)
        if _is_waiting(waits, now):
            return Judgement(True, wait_texts)
        stuck = [stall.text for stall in self._partitions.values() if stall.stalled_s >= STALLED_S]
        if self._joining is not None and self._joining.stalled_s >= JOINING_S:
            stuck.append(self._joining.text)
        return Judgement(not stuck, (*stuck, *wait_texts))

    def ready(self, waits: tuple[Wait, ...], now: float, phase: Phase, assigned: int) -> Judgement:
        """Return whether the worker is ready: whether it handles new records.

        It is ready if it is alive, waits for nothing, and has a connection, partitions and a
        recovered table. ``phase`` and ``assigned`` (the number of partitions) are those of ``now``.
        """
        alive = self.alive(waits, now)
        reasons = list(alive.reasons)
        if phase != "running":
            reasons.append(phase)
        elif not assigned:
            reasons.append("no partitions assigned")
        elif not self._connected:
            reasons.append("the broker was not asked yet")
        return Judgement(not reasons, tuple(reasons))


def _is_waiting(waits: tuple[Wait, ...], now: float) -> bool:
    return any(now - wait.failed_at < WAIT_EXPIRES_S for wait in waits)


def _wait_texts(waits: tuple[Wait, ...], now: float) -> tuple[str, ...]:
    return tuple(
        f"waits for {wait.part} for {now - wait.since:.0f} s: {wait.cause}" for wait in waits
    )
