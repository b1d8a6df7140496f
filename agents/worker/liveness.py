"""Whether a worker is alive and whether it is ready, and why. Pure.

Alive: commits advance while there is lag, or there is no lag, or a named other part is waited for
with retries. A supervisor that ends a worker which is not alive mends it; one that is alive but
waits would not be helped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from streams.offsets import Offsets
from streams.waits import Wait

Phase = Literal["starting", "rebalancing", "recovering", "running"]

STALLED_S: Final = 30.0
"""A partition with lag, and no commit for so long: stuck."""
JOINING_S: Final = 50.0
"""So long without partitions to work on, and without progress in the table's recovery: stuck.
A member that died holds up a rebalance for its session."""
BELIEVED_S: Final = 90.0
"""A try that hangs for so long is no retry any more. Longer than the slowest honest one: a
connection (10 s), a statement (60 s), and the pause before it (10 s)."""
SUSPECT_S: Final = 12.0
"""A partition with lag and no commit for so long is looked at more closely."""
MAX_STEP_S: Final = 10.0
"""Samples further apart than this mean that the process itself stood still: that time is not the
consumer's."""


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment. ``partitions`` None: the broker did not say."""

    at: float
    """Seconds of a monotonic clock."""
    phase: Phase
    recovered: int = 0
    """A number that grows with each record of the table's changelog that is read."""
    partitions: Mapping[str, Offsets] | None = None
    """By a name for people, those that this worker has to care for."""
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """An answer and every reason for it; with ``holds`` true the reasons are what is waited for."""

    holds: bool
    reasons: tuple[str, ...]


@dataclass
class _Stall:
    """How long something that ought to move has not."""

    mark: int
    stalled_s: float = 0.0
    text: str = ""


@dataclass
class Liveness:
    """Takes samples in order, and judges. All time comes from the samples and ``now``."""

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
            # Time spent waiting counts for nothing, and what was waited for may take a while to
            # get going again.
            self._joining = None
            self._partitions.clear()
            return
        if sample.phase == "running":
            self._joining = None
            if sample.partitions is not None:
                self._watch(sample.partitions, step)
            return
        # The partitions' clocks stand: a worker that rebalances again and again gets nowhere.
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
        """Partitions that may turn out to be stuck."""
        return [name for name, stall in self._partitions.items() if stall.stalled_s >= SUSPECT_S]

    def alive(self, waits: tuple[Wait, ...], now: float) -> Judgement:
        """Whether the worker gets on, or waits for a named part; ``waits`` are those of now."""
        waiting = _waiting(waits, now)
        if _believed(waits, now):
            return Judgement(True, waiting)
        stuck = [stall.text for stall in self._partitions.values() if stall.stalled_s >= STALLED_S]
        if self._joining is not None and self._joining.stalled_s >= JOINING_S:
            stuck.append(self._joining.text)
        return Judgement(not stuck, (*stuck, *waiting))

    def ready(self, waits: tuple[Wait, ...], now: float, phase: Phase, assigned: int) -> Judgement:
        """Whether the worker does its work: its table recovered, partitions assigned, connected,
        waiting for nothing, and alive. ``phase`` and ``assigned`` are those of now.
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
