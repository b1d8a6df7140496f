"""The automatic commands that one tool's log demands."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple, get_args

from policy.weighing.quality_summary import quality_details
from policy.weighing.quality_tests import QualityTest
from schemas.execution import Activation, Execution
from schemas.later_verdict import LaterVerdict
from schemas.rollback import (
    QualityReason,
    RollbackCommand,
    automatic_command_id,
    observed_command_id,
)
from schemas.rules.rules import Rules
from tests.support.policy.oracle.attempts import Issued, is_known
from tests.support.policy.oracle.counts import Counts, baseline_of, in_standard_window, recent_of
from tests.support.policy.oracle.guarded import decision_by_evidence, segments_of, worst_of
from tests.support.policy.oracle.log import (
    EPOCH,
    CountedExecution,
    Entry,
    activation_at,
    counted_for,
    real_activations,
)
from tests.support.policy.oracle.modes import is_dry_run, mode_of
from tests.support.policy.oracle.not_judged import not_judged
from tests.support.policy.oracle.quality import quality_of
from tests.support.policy.oracle.rules import Decision, rules_that_hold


def commands_of(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    """Return the automatic commands that one tool's log demands, in order."""
    issued: list[Issued] = []
    for length, record in enumerate(log, start=1):
        if isinstance(record.entry, Execution | LaterVerdict):
            command = _judge(log[:length], issued, rules)
            if command is not None:
                issued.append(command)
    return [each.command for each in issued]


def _judge(log: Sequence[Entry], issued: Sequence[Issued], rules: Rules) -> Issued | None:
    """Return the command that the last record of the log demands; it is no activation."""
    activations = real_activations(log)
    if not activations:
        return None
    index = activations[-1]
    executions = counted_for(log, index, len(log), rules)
    last = log[-1].entry
    counts_itself = any(execution.offset == log[-1].offset for execution in executions)
    if not executions or not (counts_itself or isinstance(last, LaterVerdict)):
        return None
    current = activation_at(log, index)
    recent = recent_of(executions, rules)
    baseline = baseline_of(log, index, rules, lambda counted: in_standard_window(counted, rules))
    holding = rules_that_hold(executions, recent, baseline, rules)
    decision, weighed = _decision(log, index, holding, issued, rules)
    if decision is None:
        return None
    evidence, quality = weighed
    strength = 0.0 if evidence is None else evidence["odds"] / evidence["limit"]
    enforced = (each for each in quality if not is_dry_run(each.reason, rules))
    strength = max(strength, *(test.share_of_limit for test in enforced), 0.0)
    now = max(execution.executed_at for execution in executions)
    same = [each for each in issued if each.command.from_activation == current.activation]
    earlier = [each for each in same if each.command.mode != "observe"]
    mode = mode_of(decision, current, rules)
    if is_known(log, decision, mode, same, now, strength, rules):
        return None
    attempt = len(earlier) + (mode != "observe")
    details = _counts_shown(recent, decision.decided_on, baseline) | {"attempt": attempt}
    details |= not_judged(log, index, rules, now)
    if evidence is not None:
        details["evidence"] = evidence
    if decision.reason in get_args(QualityReason):
        details["quality"] = quality_details(quality)
    if isinstance(last, LaterVerdict):
        details["later_verdict"] = {
            "verdict_id": str(last.verdict_id),
            "execution_id": str(last.execution_id),
        }
    of = current.tool_name, current.version_id, current.activation
    command = RollbackCommand(
        command_id=observed_command_id(*of, decision.reason)
        if mode == "observe"
        else automatic_command_id(*of, attempt),
        tool_name=current.tool_name,
        from_version_id=current.version_id,
        from_activation=current.activation,
        tier=decision.tier,
        reason=decision.reason,
        mode=mode,
        details=details,
        issued_by="detector",
        issued_at=min(now, EPOCH + timedelta(milliseconds=log[-1].timestamp_ms)),
    )
    return Issued(command, now, strength, len(log))


def _counts_shown(
    recent: Sequence[CountedExecution], counts: Counts, baseline: Counts | None
) -> dict[str, Any]:
    return {
        "recent": [str(each.execution.execution_id) for each in recent],
        "executions": counts.executions,
        "failures": counts.failures,
        "success_rate": float(counts.success_rate) if counts.executions else None,
        "baseline": None
        if baseline is None
        else {
            "executions": baseline.executions,
            "success_rate": float(baseline.success_rate),
        },
    }


class _Weighed(NamedTuple):
    evidence: dict[str, Any] | None
    """The evidence about failures, as the details show it; None under policy `seed`."""
    quality: list[QualityTest]


def _decision(
    log: Sequence[Entry],
    index: int,
    holding: Sequence[Decision],
    issued: Sequence[Issued],
    rules: Rules,
) -> tuple[Decision | None, _Weighed]:
    """Return what the policy decides at the last record, and what it has weighed."""
    last = log[-1].entry
    if rules.policy == "seed":
        acting = [each for each in holding if each.reason not in rules.observe]
        decision = next(iter(acting or holding), None)
        return None if isinstance(last, LaterVerdict) else decision, _Weighed(None, [])
    decision, evidence = decision_by_evidence(log, index, issued, holding, rules)
    quality, grounds = quality_of(segments_of(log, rules), _entry_of(last), rules)
    if decision is None and grounds:
        tests = [test for test in quality if test.reason in grounds]
        reason = worst_of(tests, activation_at(log, index), issued, rules)
        counts = Counts(evidence["seen"]["executions"], evidence["seen"]["failures"])
        decision = None if reason is None else Decision("standard", reason, counts)
    return decision, _Weighed(evidence, quality)


def _entry_of(entry: Execution | Activation | LaterVerdict) -> Execution | LaterVerdict:
    assert not isinstance(entry, Activation)
    return entry
