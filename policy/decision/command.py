"""The command that follows from a verdict."""

from copy import copy
from typing import Any, Final
from zlib import crc32

from policy.decision.grounds import EXECUTION, Grounds
from policy.decision.policy import Policy
from policy.decision.verdict import Verdict
from policy.state.counting_window import SECOND_US
from policy.state.last_command import LastCommand
from policy.state.row import Row
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of
from schemas.later_verdict import LaterVerdict
from schemas.rollback import (
    Mode,
    Reason,
    RollbackCommand,
    automatic_command_id,
    observed_command_id,
)
from schemas.rules.rules import Rules

ISSUED_BY: Final = "detector"


def decide(
    row: Row,
    entry: ExecutionEntry | LaterVerdict,
    timestamp_us: int,
    policy: Policy,
    grounds: Grounds,
) -> RollbackCommand | None:
    """Return the command that the record just counted demands, and note it in the row.

    None if it demands none. An activation is commanded once, and again only after an interval of
    event time that doubles with each attempt, or if it is a new decision (``_is_new_decision``). A
    dry run is published once for each reason. ``entry`` is the deciding record, and
    ``timestamp_us`` its Kafka timestamp in microseconds. If it is a later verdict, the details name
    it.
    """
    rules = policy.rules
    if _is_too_early(row, rules) and not (
        rules.observe
        or grounds != EXECUTION
        or rules.enforced_share < 1
        or (row.last_command is not None and row.last_command.may_be_followed)
    ):
        return None
    verdict = policy.verdict_after_newest(row, grounds)
    if verdict is None:
        return None
    command = command_for(verdict, row, entry.tool_name, timestamp_us, policy)
    if command is not None and isinstance(entry, LaterVerdict):
        named = {name: str(getattr(entry, name)) for name in ("verdict_id", "execution_id")}
        details = command.details | {"later_verdict": named}
        return command.model_copy(update={"details": details})
    return command


def command_for(
    verdict: Verdict, row: Row, tool_name: str, timestamp_us: int, policy: Policy
) -> RollbackCommand | None:
    """Return the command of this verdict, and note it in the row; None if it is not its time."""
    rules, now_us = policy.rules, row.now_us
    if now_us is None:
        return None
    mode = mode_of(verdict.reason, tool_name, row.activation, rules)
    if mode == "observe":
        if verdict.reason in row.dry_run_reasons:
            return None
        row.dry_run_reasons = [*row.dry_run_reasons, verdict.reason]
        command_id = observed_command_id(tool_name, row.version_id, row.activation, verdict.reason)
    else:
        if _is_too_early(row, rules) and not _is_new_decision(row, verdict, mode, policy):
            return None
        row.attempts += 1
        row.commanded_us = now_us
        row.last_command = _last_command(row, verdict, mode, policy)
        command_id = automatic_command_id(tool_name, row.version_id, row.activation, row.attempts)
        row.command_id = str(command_id)
    return RollbackCommand(
        command_id=command_id,
        tool_name=tool_name,
        from_version_id=row.version_id,
        from_activation=row.activation,
        tier=verdict.tier,
        reason=verdict.reason,
        mode=mode,
        details=details_of(row, verdict, policy),
        issued_by=ISSUED_BY,
        issued_at=time_of(min(now_us, timestamp_us)),
    )


def _last_command(row: Row, verdict: Verdict, mode: Mode | None, policy: Policy) -> LastCommand:
    """Return what the row remembers of the command that follows from this verdict."""
    evidence, last = row.tool_evidence, row.last_command
    return LastCommand(
        verdict.tier == "immediate",
        mode == "hold",
        policy.strength(row),
        before=None if evidence is None else copy(evidence.evidence_before),
        withdrawn=0 if last is None else last.withdrawn,
    )


def mode_of(reason: Reason, tool_name: str, activation: int, rules: Rules) -> Mode | None:
    """Return what happens to a decision for this reason; None if it is carried out at once."""
    if rules.observes(reason) or not _is_enforced(tool_name, activation, rules.enforced_share):
        return "observe"
    return "hold" if reason in rules.hold else None


def _is_enforced(tool_name: str, activation: int, share: float) -> bool:
    """Draw whether decisions about this activation are carried out: always the same answer."""
    return share >= 1 or crc32(f"{activation}/{tool_name}".encode()) < share * 2**32


def _is_too_early(row: Row, rules: Rules) -> bool:
    """Whether the activation was commanded, and the interval until the next attempt lasts."""
    if row.now_us is None:
        return True
    if row.last_command is not None and row.last_command.is_withdrawn:
        return False
    return row.attempts > 0 and row.now_us < next_attempt_us(row, rules)


def next_attempt_us(row: Row, rules: Rules) -> int:
    """Return from which 'now' on an activation that was commanded may be commanded again.

    A command that was withdrawn does not lengthen the interval.
    """
    withdrawn = 0 if row.last_command is None else row.last_command.withdrawn
    doubled = rules.attempt_interval_s << min(max(row.attempts - withdrawn - 1, 0), 64)
    return row.commanded_us + min(doubled, rules.attempt_interval_max_s) * SECOND_US


def _is_new_decision(row: Row, verdict: Verdict, mode: Mode | None, policy: Policy) -> bool:
    """Return whether the verdict is about something that the newest command was not about.

    A dismissal silences what was dismissed. New is an immediate rule if none demanded that
    command, or evidence that has grown by ``dismissal_growth``. A command that still waits for a
    person stops only what would wait too.
    """
    last = row.last_command
    if last is None:
        return False
    if verdict.tier == "immediate" and not last.was_immediate:
        return last.is_dismissed or (last.was_held and mode is None)
    grown = policy.rules.dismissal_growth * last.strength
    return last.is_dismissed and 0 < grown <= policy.strength(row)


def details_of(row: Row, verdict: Verdict, policy: Policy) -> dict[str, Any]:
    """Return the ``details`` of a command: what the verdict rests on.

    The recent executions (the newest first), the counts that decided, the baseline, and the number
    of the attempt; under policy `guarded` also the evidence. If some failures of the last day were
    not the tool's, how many.
    """
    details = {
        "recent": [str(seen.execution_id) for seen in reversed(row.recent(policy.rules))],
        "executions": verdict.counts.executions,
        "failures": verdict.counts.failures,
        "success_rate": verdict.counts.success_rate,
        "baseline": baseline_of(row),
        "attempt": row.attempts,
    }
    others = row.others_failures
    if any(others):
        details["not_judged"] = others._asdict()
    return details | policy.evidence_details(row, verdict.reason)


def baseline_of(row: Row) -> dict[str, Any] | None:
    """Return the baseline as messages show it; None without one."""
    baseline = row.baseline
    if baseline is None:
        return None
    return {"executions": baseline.executions, "success_rate": baseline.success_rate}
