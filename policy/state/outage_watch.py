"""How outages are recognised: many tools of a partition fail at once.

In an outage failures say nothing about versions. What is known of outages is a row of its own in
the partition's table. It changes record by record and follows from the partition's log alone, so
the size of batches makes no difference. Time is the broker's (``timestamp_ms`` of a record), which
never decreases within a partition.

Tools are represented by 64 cells; a hash of the tool's name chooses the cell. A cell knows when one
of its tools was executed last, and whether that execution failed. So the row is small, however many
tools there are. With many tools in a cell it is a sample of them, weighed by how often they are
executed.

A version that has not succeeded since its activation says nothing about an outage: several broken
versions that are deployed at the same time are no outage. Executions of tools that were never
activated say nothing either, and neither do failures of callers: what is wrong with the arguments
is no sign that something is away. And an outage must not rest on one producer while the others are
well (``policy.state.producers``).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from math import ceil, comb
from sys import maxsize
from typing import Final
from zlib import crc32

import msgspec

from policy.state.forwarding import ForwardedTo, without_repetitions
from policy.state.log import LogRecord
from policy.state.outage import Outage, OutageTimeline, is_lasting
from policy.state.producers import (
    ACTIVATED,
    CELLS,
    FAILED,
    SUCCEEDED,
    UNUSED,
    FailingTools,
    Producers,
    producer_of,
)
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.failures.error_class import SIGNATURE_ERRORS
from schemas.failures.failure_classes import ErrorOrigin, FailureClasses
from schemas.later_verdict import LaterVerdict
from schemas.rules.outages import OutageRules

KEY: Final = b"\0outages"
"""The key of this row in the table. No tool can have it, because names contain no NUL."""

_MOST_OUTAGES: Final = 8
"""So many outages are remembered, for tools that failed in one and were not executed since."""
_LASTING_WINDOWS: Final = 10
"""While an outage lasts, a tool counts for so many windows after its last execution. Otherwise an
outage would end because tools are called less often in it."""
BY_CHANCE: Final = 0.001
"""An outage begins if so many failures at once are less probable than this, given how often
executions usually fail in this partition."""
_USUAL: Final = 0.1
"""An outage is over if the failures at once are more probable than this."""
_SUSPICIOUS: Final = 0.05
"""An outage is suspected, and decisions are deferred, if they are less probable than this."""
_SAMPLE_OF: Final = 8
"""During an outage one of so many executions counts for the usual failure rate. So if tools fail
that often for a long time, it is no outage any more."""
_HALVE_AT: Final = 4_096
"""When so many executions were counted for the usual failure rate, the counts are halved."""


KnownSince = Callable[[bytes], int | None]
"""For a tool's key, the offset of its first activation (or any offset before what is read next);
None if the tool was not activated before what is read next."""
OriginOf = Callable[[ExecutionEntry], ErrorOrigin]
"""Returns whose failure an execution is, by the settings of its tool."""
stated_origin: Final[OriginOf] = FailureClasses(SIGNATURE_ERRORS, {}).origin_of
"""The origin if no setting lists classes of failures."""


class OutageWatch(msgspec.Struct, array_like=True, gc=False):
    """The known outages of one partition."""

    read_to: int = -1
    """The offset of the last record that was taken in."""
    now_ms: int = 0
    """The newest timestamp of a record."""
    seconds: list[int] = msgspec.field(default_factory=lambda: [0] * CELLS)
    """For each cell, when one of its tools was last executed or activated."""
    states: list[int] = msgspec.field(default_factory=lambda: [UNUSED] * CELLS)
    """For each cell, its state."""
    executions: int = 0
    """Executions that were counted for the usual failure rate."""
    failures: int = 0
    """Failures among them."""
    suspected_ms: int | None = None
    """Since when an outage is suspected; None if none is."""
    checked_s: int = 0
    """The second in which it was last checked whether the suspicion still holds."""
    spans: list[tuple[int, int | None]] = []
    """The last outages as tuples of ``policy.state.outage.Outage``, the newest last."""
    producers: Producers = msgspec.field(default_factory=Producers)
    """For each cell, who executed its tools."""
    last_suspected_ms: int = 0
    """Since when the newest suspicion is there, or was there if it has ended."""
    forwarded: ForwardedTo = {}
    """How far the copies from each source partition have been read, of all tools together."""

    def without_repetitions(self, log: Sequence[LogRecord]) -> list[LogRecord]:
        """Return the records that count of those that are to be followed next."""
        return without_repetitions(log, self.forwarded)

    def follow(
        self,
        log: Iterable[LogRecord],
        rules: OutageRules,
        known_since: KnownSince,
        origin_of: OriginOf = stated_origin,
    ) -> OutageTimeline:
        """Take in records in the order of the partition's log, and return what was known at each.

        Records that were taken in before are skipped; nothing can be said about them any more, and
        the rows of their tools have read them too. Executions of a tool count from its first
        activation on.
        """
        changes: list[int] = []
        known = [self._outages]
        deferred: list[int] = []
        since: dict[bytes, int] = {}
        seconds, states, is_calm = self.seconds, self.states, self.is_calm
        producers = self.producers.newest
        for record in log:
            offset, timestamp_ms, entry = record.offset, record.timestamp_ms, record.entry
            if offset <= self.read_to:
                continue
            self.read_to = offset
            if timestamp_ms > self.now_ms:
                self.now_ms = timestamp_ms
            cell = crc32(key := record.key) % CELLS
            if not isinstance(entry, ExecutionEntry):
                since[key] = self._take_other(entry, cell, offset, _since(key, since, known_since))
                continue
            is_callers = not entry.success and origin_of(entry) == "caller"
            if is_callers or offset < (since.get(key) or _since(key, since, known_since)):
                continue
            if producers[cell] != (producer := producer_of(entry)):
                self.producers.changed(cell, producer, seconds[cell], states[cell])
            seconds[cell] = self.now_ms // 1_000
            if is_calm and entry.success:  # nearly always
                states[cell] = SUCCEEDED
                self._count(failed=False)
                continue
            if self._take(cell, offset, entry.success, rules):
                deferred.append(offset)
            is_calm = self.is_calm
            if self.lasts != is_lasting(known[-1]):
                changes.append(offset)
                known.append(self._outages)
        return OutageTimeline(tuple(changes), tuple(known), frozenset(deferred))

    def _take_other(
        self, entry: Activation | LaterVerdict, cell: int, offset: int, since: int
    ) -> int:
        """Take in an entry that is no execution; return since when its tool is known with it."""
        if isinstance(entry, LaterVerdict):
            return since
        self.seconds[cell], self.states[cell] = self.now_ms // 1_000, ACTIVATED
        self.producers.activated(cell)
        return min(since, offset)

    @property
    def is_calm(self) -> bool:
        """Whether no outage lasts and none is suspected, so that a success changes nothing."""
        return self.suspected_ms is None and not self.lasts

    @property
    def lasts(self) -> bool:
        """Whether there is an outage now."""
        return bool(self.spans) and self.spans[-1][1] is None

    def condemns_nothing(self, rules: OutageRules) -> bool:
        """Return whether failures condemn no version now: an outage lasts or is suspected."""
        return self.lasts or self._is_suspected(rules)

    def failing_tools(self, rules: OutageRules) -> FailingTools:
        """Return how many tools were executed lately, and how many of them fail."""
        window_s = rules.outage_window_s * (_LASTING_WINDOWS if self.lasts else 1)
        since_s = (self.now_ms - window_s * 1_000) // 1_000
        lately = [
            state for state, at in zip(self.states, self.seconds, strict=True) if at >= since_s
        ]
        failing = lately.count(FAILED)
        return FailingTools(lately.count(SUCCEEDED) + failing, failing)

    def _others_are_well(self, share: float, since_ms: int) -> bool:
        """Return whether fewer than this share of tools failed for others than the loudest.

        The loudest is the producer with the most failing tools. If nobody else has executed
        anything since then, nobody is known to be well.
        """
        others = self.producers.others_than_loudest(self.seconds, self.states, since_ms // 1_000)
        return others.tools > 0 and others.failing < share * others.tools

    @property
    def _outages(self) -> tuple[Outage, ...]:
        return tuple(Outage(*span) for span in self.spans)

    @property
    def _usual_failure_rate(self) -> float:
        """How often executions fail in this partition, rounded up.

        It begins at one of twenty, before any execution. It is at most one half: otherwise an
        outage of some hours would become what is usual.
        """
        return min(ceil((self.failures + 1) / (self.executions + 20) * 1_000) / 1_000, 0.5)

    def _take(self, cell: int, offset: int, success: bool, rules: OutageRules) -> bool:
        """Take in an execution that may begin or end an outage or a suspicion.

        Return whether the decision at this execution is deferred, because it is not certain yet
        whether an outage begins.
        """
        deferred = False
        if not success:
            deferred = self._take_failure(cell, rules)
        else:
            self.states[cell] = SUCCEEDED
            if self.lasts:
                self._end_outage(self.failing_tools(rules), rules)
            elif self.suspected_ms is not None and self.checked_s != self.now_ms // 1_000:
                self._end_suspicion(self.failing_tools(rules), rules)
        # An outage is not usual: only a sample of its executions counts for the usual rate.
        if not self.lasts or offset % _SAMPLE_OF == 0:
            self._count(failed=not success)
        return deferred

    def _take_failure(self, cell: int, rules: OutageRules) -> bool:
        """Take in a failure, and return whether a decision at it is deferred.

        Only failures begin an outage.
        """
        states = self.states
        if states[cell] != ACTIVATED:
            states[cell] = FAILED
        is_counted = states[cell] == FAILED
        if self.is_calm and states.count(FAILED) == is_counted:
            return False  # nearly always: one failing tool alone is no outage, and suspects none
        found = self.failing_tools(rules)
        if self.lasts:
            if not self._end_outage(found, rules):
                return False
            found = self.failing_tools(rules)  # of a shorter window, now that the outage is over
        elif self._begin_outage(found, rules):
            return False
        else:
            self._end_suspicion(found, rules)
        return self._suspect(found.without_one_failing() if is_counted else found, rules)

    def _count(self, *, failed: bool) -> None:
        self.executions += 1
        self.failures += failed
        if self.executions >= _HALVE_AT:
            self.executions //= 2
            self.failures //= 2

    def _begin_outage(self, found: FailingTools, rules: OutageRules) -> bool:
        """Begin an outage if the failing tools are one, and return whether they are."""
        if (
            found.tools < rules.outage_tools
            or found.failing < rules.outage_share * found.tools
            or chance(found.failing, found.tools, self._usual_failure_rate) > BY_CHANCE
            # As long as decisions are deferred: what others did longer ago says nothing of now.
            or self._others_are_well(rules.outage_share, self.now_ms - rules.doubt_s * 1_000)
        ):
            return False
        begin_ms = self.now_ms - rules.outage_window_s * 1_000
        self.spans = [*self.spans, (begin_ms, None)][-_MOST_OUTAGES:]
        self.suspected_ms = None
        return True

    def _end_outage(self, found: FailingTools, rules: OutageRules) -> bool:
        """End the outage that lasts if it is over, and return whether it is."""
        begun_ms = self.spans[-1][0] + rules.outage_window_s * 1_000
        since_ms = min(begun_ms, self.now_ms - rules.doubt_s * 1_000)
        if (
            found.tools
            and not self._others_are_well(rules.outage_share / 2, since_ms)
            and found.failing > rules.outage_share / 2 * found.tools
            and (
                found.tools < rules.outage_tools
                or chance(found.failing, found.tools, self._usual_failure_rate) <= _USUAL
            )
        ):
            return False
        self.spans[-1] = self.spans[-1][0], self.now_ms
        return True

    def _end_suspicion(self, found: FailingTools, rules: OutageRules) -> None:
        """Drop the suspicion if it does not hold any more.

        Checked once a second, because there may be thousands of executions in a second.
        """
        second = self.now_ms // 1_000
        if self.suspected_ms is not None and self.checked_s != second:
            self.checked_s = second
            if not self._is_suspicious(found.without_one_failing(), rules):
                self.suspected_ms = None

    def _suspect(self, others: FailingTools, rules: OutageRules) -> bool:
        """Suspect an outage if enough other tools fail, and return whether a decision is deferred.

        A decision is deferred for at most ``doubt_s`` seconds after the suspicion began. A
        suspicion that comes back within twice this time is the same one. Otherwise whoever can
        make tools fail and succeed could defer all decisions for ever.
        """
        if not self._is_suspicious(others, rules):
            return False
        if self.suspected_ms is None:
            if self.now_ms - self.last_suspected_ms > 2 * rules.doubt_s * 1_000:
                self.last_suspected_ms = self.now_ms
            self.suspected_ms = self.last_suspected_ms
        return self._is_suspected(rules)

    def _is_suspected(self, rules: OutageRules) -> bool:
        since_ms = self.suspected_ms
        return since_ms is not None and self.now_ms - since_ms <= rules.doubt_s * 1_000

    def _is_suspicious(self, others: FailingTools, rules: OutageRules) -> bool:
        return (
            others.failing > 0
            and others.tools >= rules.outage_tools - 1
            and others.failing >= rules.doubt_share * others.tools
            and chance(others.failing, others.tools, self._usual_failure_rate) <= _SUSPICIOUS
        )


def _since(key: bytes, since: dict[bytes, int], known_since: KnownSince) -> int:
    """Return the offset from which on executions of a tool count, and note it in ``since``."""
    if key not in since:
        found = known_since(key)
        since[key] = maxsize if found is None else found
    return since[key]


@lru_cache(maxsize=4096)
def chance(failing: int, tools: int, rate: float) -> float:
    """Return the probability that ``failing`` or more of ``tools`` fail at once.

    Each tool fails independently of the others at ``rate``.
    """
    return sum(
        comb(tools, number) * rate**number * (1 - rate) ** (tools - number)
        for number in range(failing, tools + 1)
    )


def encode_watch(watch: OutageWatch) -> bytes:
    """Return the row as the table and its changelog hold it."""
    return _ENCODER.encode(watch)


def decode_watch(data: bytes) -> OutageWatch:
    """Return the row that ``encode_watch`` encoded. Raises ValueError for anything else."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not an outage row of this version: {error}") from error


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(OutageWatch)
