"""Whose executions count as evidence: a caller that fails again and again is heard once. Pure.

A *call* is an ``input_hash`` where one is given, else a ``caller``, else a ``session_id``. After a
call has failed it rests for a short span: whatever comes of it then, failures and successes, is no
evidence. (To leave out its failures alone would make a bad version look good.) What is left out
follows from the past alone, so the bounds of the tests hold (``policy/decision/weighing.py``).

A call does not rest where it cannot be one noisy caller among others: no other was seen lately, or
another one has failed since it did, and nothing has succeeded.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from zlib import crc32

import msgspec

from schemas.execution_entry import ExecutionEntry
from schemas.rules import Rules

MOST: Final = 8
"""So many resting calls are remembered; whoever failed first is heard again first."""


def call_of(run: ExecutionEntry) -> int:
    """A hash of the call, of 32 bits; 0 for an execution that names none."""
    if run.input_hash:
        return _hash("input " + run.input_hash)
    if run.caller:
        return _hash("caller " + run.caller)
    if run.session_id:
        return _hash("session " + run.session_id)
    return 0


@lru_cache(maxsize=4_096)
def _hash(name: str) -> int:
    return crc32(name.encode()) or 1


class Calls(msgspec.Struct, array_like=True, gc=False):
    """What is known of a tool's calls. Times are seconds of ``executed_at``."""

    last: int = 0
    """The call of the newest execution."""
    last_s: int = 0
    other_s: int = 0
    """When a call other than ``last`` was seen last; 0: never."""
    succeeded_s: int = 0
    resting: list[int] = []
    """Calls that have failed, each with the time of it: two numbers for each, the last one last."""

    def note_successes(self, runs: Sequence[ExecutionEntry], rules: Rules) -> int:
        """Take successes in; how many of them are evidence."""
        evidence = 0
        for run in runs:
            evidence += not self._rests(run, rules)
            at_s = run.executed_us // 1_000_000
            if at_s > self.succeeded_s:
                self.succeeded_s = at_s
        return evidence

    def note_failure(self, run: ExecutionEntry, rules: Rules) -> bool:
        """Take a failure in; whether it is evidence."""
        if self._rests(run, rules):
            return False
        if self.last and rules.repeat_span_s:
            self._rest(self.last, run.executed_us // 1_000_000)
        return True

    def _rests(self, run: ExecutionEntry, rules: Rules) -> bool:
        """See who calls when; whether the call rests."""
        call, at_s = call_of(run), run.executed_us // 1_000_000
        if call != self.last:
            self.other_s, self.last = self.last_s, call
        if at_s > self.last_s:
            self.last_s = at_s
        if not self.resting or not self.other_s:
            return False
        return self._is_noisy(call, rules)

    def _is_noisy(self, call: int, rules: Rules) -> bool:
        """Whether it failed a short while ago, and may be one noisy caller among others."""
        resting, since_s = self.resting, self.last_s - rules.repeat_span_s
        while resting and resting[1] < since_s:
            del resting[:2]
        calls = resting[::2]
        if call not in calls or self.last_s - self.other_s > rules.repeat_others_s:
            return False
        failed_s = resting[calls.index(call) * 2 + 1]
        return call == calls[-1] or self.succeeded_s >= failed_s

    def _rest(self, call: int, at_s: int) -> None:
        resting = self.resting
        if call in resting[::2]:
            place = resting[::2].index(call) * 2
            del resting[place : place + 2]
        resting += (call, max(at_s, resting[-1] if resting else 0))
        del resting[: -2 * MOST]
