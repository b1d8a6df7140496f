"""Which executions are evidence: repeated failures of one caller count once.

A *caller* here is the ``input_hash`` of an execution if it has one, else its ``caller``, else its
``session_id``. After an execution of a caller has failed, the caller is *muted* for a short time:
its executions are no evidence then, neither failures nor successes. (To leave out its failures
alone would make a bad version look good.) What is left out follows from the past alone, so the
bounds of the tests hold (``policy/weighing/weighing.py``).

A caller is not muted if it cannot be one noisy caller among others. That is so if no other caller
was seen lately; or if another caller has failed since its failure, and nothing has succeeded since.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from zlib import crc32

import msgspec

from schemas.execution_entry import ExecutionEntry
from schemas.rules.rules import Rules

MOST_MUTED: Final = 8
"""At most so many muted callers are remembered; the one that failed first is forgotten first."""

_SECOND_US: Final = 1_000_000


def caller_of(execution: ExecutionEntry) -> int:
    """Return a hash of the caller, of 32 bits; 0 if the execution names none."""
    if execution.input_hash:
        return _hash("input " + execution.input_hash)
    if execution.caller:
        return _hash("caller " + execution.caller)
    if execution.session_id:
        return _hash("session " + execution.session_id)
    return 0


@lru_cache(maxsize=4_096)
def _hash(name: str) -> int:
    return crc32(name.encode()) or 1


class MutedCallers(msgspec.Struct, array_like=True, gc=False):
    """Callers whose further failures may be repetitions. Times are seconds of ``executed_at``."""

    newest: int = 0
    """The caller of the newest execution."""
    newest_s: int = 0
    """The time of the newest execution."""
    other_seen_s: int = 0
    """When a caller other than ``newest`` last executed the tool; 0 if never."""
    success_s: int = 0
    """When an execution of any caller last succeeded; 0 if never."""
    failed: list[int] = []
    """Callers that have failed lately, each once, as two numbers: the caller, and the time of its
    last failure that is evidence. The one that failed last stands last."""

    def count_successes(self, executions: Sequence[ExecutionEntry], rules: Rules) -> int:
        """Note these successes, and return how many of them are evidence."""
        evidence = 0
        for execution in executions:
            # As ``_note_caller``; a call of it would take half of the time.
            caller, at_s = caller_of(execution), execution.executed_us // _SECOND_US
            if caller != self.newest:
                self.other_seen_s, self.newest = self.newest_s, caller
            if at_s > self.newest_s:
                self.newest_s = at_s
            evidence += not (self.failed and self._is_muted(caller, rules))
            if at_s > self.success_s:
                self.success_s = at_s
        return evidence

    def count_failure(self, execution: ExecutionEntry, rules: Rules) -> bool:
        """Note this failure, and return whether it is evidence. Its caller is muted then."""
        if self._note_caller(execution, rules):
            return False
        if self.newest and rules.repeat_span_s:
            self._mute(self.newest, execution.executed_us // _SECOND_US)
        return True

    def _note_caller(self, execution: ExecutionEntry, rules: Rules) -> bool:
        """Note who called and when, and return whether the caller is muted."""
        caller, at_s = caller_of(execution), execution.executed_us // _SECOND_US
        if caller != self.newest:
            self.other_seen_s, self.newest = self.newest_s, caller
        if at_s > self.newest_s:
            self.newest_s = at_s
        return bool(self.failed) and self._is_muted(caller, rules)

    def _forget_failures(self, rules: Rules) -> None:
        """Forget callers whose failure is longer ago than ``repeat_span_s``."""
        failed, since_s = self.failed, self.newest_s - rules.repeat_span_s
        while failed and failed[1] < since_s:
            del failed[:2]

    def _is_muted(self, caller: int, rules: Rules) -> bool:
        """Return whether the caller has failed lately, and the fault may be its own.

        The fault may be its own if another caller executed the tool within ``repeat_others_s``, and
        if since its failure no other caller has failed or some execution has succeeded.
        """
        if not self.other_seen_s:
            return False
        self._forget_failures(rules)
        if caller not in self.failed or self.newest_s - self.other_seen_s > rules.repeat_others_s:
            return False
        callers = self.failed[::2]
        if caller not in callers:  # a time was the same number
            return False
        failed_s = self.failed[callers.index(caller) * 2 + 1]
        return caller == callers[-1] or self.success_s >= failed_s

    def _mute(self, caller: int, at_s: int) -> None:
        failed = self.failed
        if caller in failed[::2]:
            index = failed[::2].index(caller) * 2
            del failed[index : index + 2]
        failed += (caller, max(at_s, failed[-1] if failed else 0))
        del failed[: -2 * MOST_MUTED]
