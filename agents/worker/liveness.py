"""The judgement whether a worker is alive and whether it is ready, with the reasons. Pure.

A worker is alive if commits advance while there is lag, or if there is no lag, or if it waits for a
named other part and retries. A supervisor helps a worker that is not alive by ending it. That would
not help a worker that is alive but waits.
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
"""A worker is stuck if, for this long, it has no partitions to work on and the recovery of its
table makes no progress. A member of the group that died delays a rebalance until its session is
over."""
BELIEVED_S: Final = 90.0
"""If the newest try failed this long ago, it is not believed that somebody retries. This is longer
than the slowest real try: a connection (10 s), a statement (60 s), and the pause before (10 s)."""
SUSPECT_S: Final = 12.0
"""For a partition with lag and without a commit for this long, it is checked whether the lag holds
a record."""
MAX_STEP_S: Final = 10.0
"""If two samples are further apart than this, the process itself stood still. Only this much of the
time is then counted."""


@dataclass(frozen=True)
class Sample:
    """The state of a worker at one moment. ``partitions`` is None if the broker did not answer."""

    at: float
    """Seconds of a monotonic clock."""
    phase: Phase
    recovered: int = 0
    """A number that grows with each record of the table's changelog that is read."""
    partitions: Mapping[str, Offsets] | None = None
    """The offsets of the partitions by which the worker is judged, by a name for people."""
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """An answer and all its reasons. If ``holds`` is true, the reasons are what is waited for."""

    holds: bool
    reasons: tuple[str, ...]


@dataclass
class _Stall:
    """How long something has not moved that should move."""

    mark: int
    stalled_s: float = 0.0
    text: str = ""


@dataclass
class Liveness:
    """Takes samples in order, and judges by them. All times come from the samples and ``now``."""

    _at: float | None = None
    _connected: bool = False
    _joining: _Stall | None = None
    _partitions: dict[str, _Stall] = field(default_factory=dict)

    def observe(self, sample: Sample) -> None:
        """Take in one more sample."""
        step = 0.0 if self._at is None else min(sample.at - self._at, MAX_STEP_S)
        self._at = sample.at
        self._connected |= sample.partitions is not None
        if _believed(sample.waits, sample.at):
            # The time of a wait does not count; and after a wait, all clocks begin anew, because
            # the part that was waited for may need some time to work again.
            self._joining = None
            self._partitions.clear()
            return
        if sample.phase == "running":
            self._joining = None
            if sample.partitions is not None:
                self._watch(sample.partitions, step)
            return
        # The clocks of the partitions stop but are kept: a worker that rebalances again and again
        # makes no progress.
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
            stall.text = (
                f"{name}: {offsets.lag} behind, nothing committed for {stall.stalled_s:.0f} s"
            )
            self._partitions[name] = stall

    def suspects(self) -> list[str]:
        """Return the names of partitions that may turn out to be stuck."""
        return [name for name, stall in self._partitions.items() if stall.stalled_s >= SUSPECT_S]

    def alive(self, waits: tuple[Wait, ...], now: float) -> Judgement:
        """Return whether the worker makes progress, or waits for a named part.

        ``waits`` are the waits at the time ``now``.
        """
        waiting = _waiting(waits, now)
        if _believed(waits, now):
            return Judgement(True, waiting)
        stuck = [stall.text for stall in self._partitions.values() if stall.stalled_s >= STALLED_S]
        if self._joining is not None and self._joining.stalled_s >= JOINING_S:
            stuck.append(self._joining.text)
        return Judgement(not stuck, (*stuck, *waiting))

    def ready(self, waits: tuple[Wait, ...], now: float, phase: Phase, assigned: int) -> Judgement:
        """Return whether the worker does its work.

        Its table is recovered, it has partitions and a connection, it waits for nothing, and it is
        alive. ``phase`` and ``assigned`` (the number of partitions) are those of ``now``.
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


def _believed(waits: tuple[Wait, ...], now: float) -> bool:
    return any(now - wait.failed_at < BELIEVED_S for wait in waits)


def _waiting(waits: tuple[Wait, ...], now: float) -> tuple[str, ...]:
    return tuple(
        f"waits for {wait.part} for {now - wait.since:.0f} s: {wait.cause}" for wait in waits
    )
