"""Outages of a partition: many of its tools fail at once, so failures blame no version. Pure.

What is known of them is a row of its own in the partition's table, and changes record by record: it
follows from the partition's log alone, in whatever batches that is read. Time is the broker's
(``timestamp_ms`` of a record), which does not go back within a partition.

Tools are told apart by 64 cells, which a hash of their name chooses. A cell knows when one of its
tools was executed last, and whether that failed. So the row is small, however many tools there are;
with many tools to a cell it is a sample of them, weighed by how often they are executed.

A version that has not succeeded yet since it was activated says nothing about an outage: several
broken versions that are deployed at once are no outage.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil, comb
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.outages import OutageRules

KEY: Final = b"\0outages"
"""Of the row among those of the tools, whose names have no NUL."""

_CELLS: Final = 64
_NONE, _GOOD, _FAILING, _NEW = range(4)
"""What a cell says: of its last execution, or that it was activated and has not succeeded since."""
_SPANS: Final = 8
"""So many outages are remembered: for tools that failed in one and were not executed since."""
_LASTING: Final = 10
"""While an outage lasts, a tool counts for so many windows: who calls less often because of the
outage does not end it."""
_BY_CHANCE: Final = 0.001
"""An outage is what happens by chance less often than this, as executions usually fail here."""
_USUAL: Final = 0.1
"""What happens more often than this is none any more."""
_DOUBT: Final = 0.05
"""The same of what lets a decision wait."""
_SELDOM: Final = 8
"""Within an outage one of so many executions counts for how they usually fail: where tools fail so
often for long, it is no outage."""
_FORGET_AT: Final = 4_096
"""Executions of which it is known how they usually fail; behind them half is forgotten."""


class Outage(NamedTuple):
    """An outage, in the broker's milliseconds: from what belongs to it; ``end_ms`` is None while it
    lasts.
    """

    begin_ms: int
    end_ms: int | None

    def holds(self, at_ms: int) -> bool:
        return self.begin_ms <= at_ms and (self.end_ms is None or at_ms <= self.end_ms)


class OutageTimeline(NamedTuple):
    """What was known of outages at each record of a stretch of the log."""

    changes: tuple[int, ...] = ()
    """Offsets from which on something else is known; the first is before all records."""
    known: tuple[tuple[Outage, ...], ...] = ((),)
    """The last outages, the newest last; one more than there are ``changes``."""
    deferred: frozenset[int] = frozenset()
    """The offsets of failures at which a decision waits: many others fail, and it is no outage
    yet."""

    def spans_at(self, offset: int) -> tuple[Outage, ...]:
        return self.known[bisect_right(self.changes, offset)]

    @property
    def is_without_outage(self) -> bool:
        """Whether no outage begins, ends or lasts here."""
        return not self.changes and not is_lasting(self.known[0])


NO_OUTAGE: Final = OutageTimeline()


def is_lasting(spans: Sequence[Outage]) -> bool:
    """Whether the last of these outages is not over."""
    return bool(spans) and spans[-1].end_ms is None


class Shares(NamedTuple):
    """Tools (cells) that were executed lately, and those of them whose last execution failed."""

    tools: int
    failing: int

    def without_failing(self) -> "Shares":
        """Of the others, beside one that fails."""
        return Shares(self.tools - 1, self.failing - 1)


class OutageWatch(msgspec.Struct, array_like=True, gc=False):
    """What is known of one partition. ``read_to`` is the offset of the last record taken in."""

    read_to: int = -1
    now_ms: int = 0
    seconds: list[int] = msgspec.field(default_factory=lambda: [0] * _CELLS)
    """Of each cell, when it was executed or activated last."""
    says: list[int] = msgspec.field(default_factory=lambda: [_NONE] * _CELLS)
    executions: int = 0
    """By which it is known how they usually fail."""
    failures: int = 0
    doubt_ms: int | None = None
    """Since when decisions wait; None while there is no doubt."""
    checked_s: int = 0
    """The second in which it was last looked whether there still is."""
    spans: list[tuple[int, int | None]] = []
    """The last outages (``Outage``), the newest last."""

    def follow(
        self,
        log: Iterable[tuple[bytes, tuple[int, int, ExecutionEntry | Activation]]],
        rules: OutageRules,
    ) -> OutageTimeline:
        """Take in records in the order of the partition's log, each with its tool's name in UTF-8.

        Those that were taken in before are passed over; of them nothing can be said any more, and
        the rows of their tools have read them too.
        """
        changes: list[int] = []
        known = [self._known]
        deferred: list[int] = []
        seconds, says, is_calm = self.seconds, self.says, self.is_calm
        for key, (offset, timestamp_ms, entry) in log:
            if offset <= self.read_to:
                continue
            self.read_to = offset
            if timestamp_ms > self.now_ms:
                self.now_ms = timestamp_ms
            cell = crc32(key) % _CELLS
            seconds[cell] = self.now_ms // 1_000
            if not isinstance(entry, ExecutionEntry):
                says[cell] = _NEW
                continue
            if is_calm and entry.success:  # nearly always
                says[cell] = _GOOD
                self.executions += 1
                if self.executions >= _FORGET_AT:
                    self._forget()
                continue
            if self._take(cell, offset, entry.success, rules):
                deferred.append(offset)
            is_calm = self.is_calm
            if self.lasts != is_lasting(known[-1]):
                changes.append(offset)
                known.append(self._known)
        return OutageTimeline(tuple(changes), tuple(known), frozenset(deferred))

    @property
    def is_calm(self) -> bool:
        """Whether there is neither an outage nor a doubt, so that a success changes nothing."""
        return self.doubt_ms is None and not self.lasts

    @property
    def lasts(self) -> bool:
        """Whether there is an outage now."""
        return bool(self.spans) and self.spans[-1][1] is None

    def blames_nobody(self, rules: OutageRules) -> bool:
        """Whether failures condemn no version now."""
        return self.lasts or self._doubts(rules)

    def shares(self, rules: OutageRules) -> Shares:
        """Of all cells."""
        window_s = rules.outage_window_s * (_LASTING if self.lasts else 1)
        since_s = (self.now_ms - window_s * 1_000) // 1_000
        lately = [says for says, at in zip(self.says, self.seconds, strict=True) if at >= since_s]
        failing = lately.count(_FAILING)
        return Shares(lately.count(_GOOD) + failing, failing)

    @property
    def _known(self) -> tuple[Outage, ...]:
        return tuple(Outage(*span) for span in self.spans)

    @property
    def _usual(self) -> float:
        """How often executions fail here, rounded up; one of twenty is assumed before any. Half of
        them at most: else an outage that lasts for hours would become what is usual.
        """
        return min(ceil((self.failures + 1) / (self.executions + 20) * 1_000) / 1_000, 0.5)

    def _take(self, cell: int, offset: int, success: bool, rules: OutageRules) -> bool:
        """Take an execution in that may change something; whether a decision waits at it."""
        deferred = False
        if not success:
            deferred = self._fail(cell, rules)
        else:
            self.says[cell] = _GOOD
            if self.lasts:
                self._end_outage(self.shares(rules), rules)
            elif self.doubt_ms is not None and self.checked_s != self.now_ms // 1_000:
                self._end_doubt(self.shares(rules), rules)
        if not self.lasts or offset % _SELDOM == 0:
            self._count(not success)
        return deferred

    def _fail(self, cell: int, rules: OutageRules) -> bool:
        """Take a failure in; whether a decision waits at it. Only failures begin an outage."""
        says = self.says
        if says[cell] != _NEW:
            says[cell] = _FAILING
        own = says[cell] == _FAILING
        if self.is_calm and says.count(_FAILING) == own:
            return False  # nearly always: one alone is no outage, and raises no doubt
        shares = self.shares(rules)
        if self.lasts:
            if not self._end_outage(shares, rules):
                return False
            shares = self.shares(rules)  # of a shorter time now
        elif self._begin_outage(shares, rules):
            return False
        else:
            self._end_doubt(shares, rules)
        return self._is_doubtful(shares.without_failing() if own else shares, rules)

    def _count(self, failed: bool) -> None:
        self.executions += 1
        self.failures += failed
        if self.executions >= _FORGET_AT:
            self._forget()

    def _forget(self) -> None:
        self.executions //= 2
        self.failures //= 2

    def _begin_outage(self, shares: Shares, rules: OutageRules) -> bool:
        """Whether one begins here."""
        tools, failing = shares
        if (
            tools < rules.outage_tools
            or failing < rules.outage_share * tools
            or chance(failing, tools, self._usual) > _BY_CHANCE
        ):
            return False
        begin_ms = self.now_ms - rules.outage_window_s * 1_000
        self.spans = [*self.spans, (begin_ms, None)][-_SPANS:]
        self.doubt_ms = None
        return True

    def _end_outage(self, shares: Shares, rules: OutageRules) -> bool:
        """Whether the one that lasts is over here."""
        tools, failing = shares
        if (
            tools
            and failing >= rules.outage_share / 2 * tools
            and (tools < rules.outage_tools or chance(failing, tools, self._usual) <= _USUAL)
        ):
            return False
        self.spans[-1] = self.spans[-1][0], self.now_ms
        return True

    def _end_doubt(self, shares: Shares, rules: OutageRules) -> None:
        """Looked at once a second: there may be thousands of executions in it."""
        second = self.now_ms // 1_000
        if self.doubt_ms is not None and self.checked_s != second:
            self.checked_s = second
            if not self._is_many(shares.without_failing(), rules):
                self.doubt_ms = None

    def _is_doubtful(self, others: Shares, rules: OutageRules) -> bool:
        """Whether so many others fail that a failure condemns its tool not yet."""
        if not self._is_many(others, rules):
            return False
        if self.doubt_ms is None:
            self.doubt_ms = self.now_ms
        return self._doubts(rules)

    def _doubts(self, rules: OutageRules) -> bool:
        since_ms = self.doubt_ms
        return since_ms is not None and self.now_ms - since_ms <= rules.doubt_s * 1_000

    def _is_many(self, others: Shares, rules: OutageRules) -> bool:
        return (
            others.failing > 0
            and others.tools >= rules.outage_tools - 1
            and others.failing >= rules.doubt_share * others.tools
            and chance(others.failing, others.tools, self._usual) <= _DOUBT
        )


@lru_cache(maxsize=4096)
def chance(failing: int, tools: int, rate: float) -> float:
    """Of so many or more of the tools failing at once, each by itself at this rate."""
    return sum(
        comb(tools, number) * rate**number * (1 - rate) ** (tools - number)
        for number in range(failing, tools + 1)
    )


def encode_watch(watch: OutageWatch) -> bytes:
    """As the table and its changelog hold it."""
    return _ENCODER.encode(watch)


def decode_watch(data: bytes) -> OutageWatch:
    """What :func:`encode_watch` made. Raises ValueError for anything else."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a watch of this version: {error}") from error


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(OutageWatch)
