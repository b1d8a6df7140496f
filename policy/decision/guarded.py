"""Policy `guarded`: evidence decides, the rules of `seed` name the reason. Pure.

What it says of a row, and how its numbers stand in messages: ``docs/explanation/guarded.md``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from policy.decision.weighing import Test, Weight, policy_of, reached, stakes_of, weigh
from policy.state.evidence import Baseline, ToolEvidence
from policy.state.outages import Outage, is_lasting
from policy.state.row import Row
from schemas.execution import SIGNATURE_ERRORS
from schemas.execution_entry import ExecutionEntry
from schemas.rules import Rules


def add_run(
    row: Row, run: ExecutionEntry, timestamp_ms: int, outages: Sequence[Outage], rules: Rules
) -> bool:
    """Count an execution that ``policy.state.row.count`` has counted, if it is evidence;
    whether it is, and so may condemn. ``outages`` are those known at its place in the log.
    """
    tool_evidence = tool_evidence_of(row)
    tool_evidence.settle(outages)
    if run.success:
        counts = tool_evidence.calls.note_successes((run,), rules) > 0
    else:
        counts = tool_evidence.calls.note_failure(run, rules)
    if not counts or is_lasting(outages):
        return False
    if run.success:
        tool_evidence.add_success()
    else:
        bets = stakes_of(tool_evidence.baseline, policy_of(rules)).break_bets
        tool_evidence.add_failure(run.error_class in SIGNATURE_ERRORS, bets, timestamp_ms)
    return True


def add_successes(
    row: Row, runs: Sequence[ExecutionEntry], outages: Sequence[Outage], rules: Rules
) -> None:
    """As ``add_run`` for each of these successes, where no outage lasts."""
    tool_evidence = tool_evidence_of(row)
    tool_evidence.settle(outages)
    evidence = tool_evidence.calls.note_successes(runs, rules)
    if evidence:
        tool_evidence.add_success(evidence)


def tool_evidence_of(row: Row) -> ToolEvidence:
    """The row's dossier. Where the policy was changed within an activation, it begins here, without
    a baseline.
    """
    if row.tool_evidence is None:
        row.tool_evidence = ToolEvidence()
    return row.tool_evidence


def has_reached(row: Row, rules: Rules) -> bool:
    """Whether the execution just counted condemns the version; only a failure can."""
    tool_evidence = row.tool_evidence
    if tool_evidence is None or not tool_evidence.evidence.last_failed:
        return False
    return reached(tool_evidence.evidence, tool_evidence.baseline, policy_of(rules))


def stands_condemned(row: Row, rules: Rules) -> bool:
    """Whether the evidence is against the version by now, whatever came last: successes behind the
    failure that condemned it take some of it away.
    """
    tool_evidence = row.tool_evidence
    if tool_evidence is None:
        return False
    weighed = weigh(tool_evidence.evidence, tool_evidence.baseline, policy_of(rules))
    return weighed.greatest[1].share >= 1


class Tally(msgspec.Struct, frozen=True):
    """Executions as messages show them; the names are those of
    ``policy.state.evidence.Baseline``.
    """

    executions: int
    failures: int
    signature_errors: int
    after_failure: int
    failures_after_failure: int


class EvidenceSummary(msgspec.Struct, frozen=True):
    """The evidence as `details` hold it: the test that is nearest to its limit, and its numbers."""

    test: Test
    odds: float
    """Against the version, to 1; of a break the sum of its detector."""
    limit: float
    """Of the odds: from here on they condemn."""
    expected_success_rate: float
    """In the long run, at the bounds below; of `signature`, what is no signature error succeeds."""
    expected_failure_rate: float
    """After a success: a bound of the baseline's, or assumed, and the tolerated drop."""
    expected_repeat_rate: float
    """The same after a failure."""
    confidence: float | None
    """That the baseline's failure rate is below the bound; None where it is assumed."""
    assumed: bool
    """Too little is known of a predecessor: the expected rates are assumed, not seen."""
    baseline: Tally | None
    """None where the rates are assumed."""
    seen: Tally
    """Of the version that is judged, in this activation."""


def evidence_details(row: Row, rules: Rules) -> dict[str, Any]:
    """What `details` say under ``evidence`` (:class:`EvidenceSummary`)."""
    tool_evidence = row.tool_evidence or ToolEvidence()
    weighed = weigh(tool_evidence.evidence, tool_evidence.baseline, policy_of(rules))
    said: dict[str, Any] = msgspec.to_builtins(
        _evidence_summary(*weighed.greatest, weighed.baseline, weighed.seen)
    )
    return said


def _evidence_summary(
    test: Test, weight: Weight, baseline: Baseline | None, seen: Baseline
) -> EvidenceSummary:
    expected = weight.expected
    return EvidenceSummary(
        test,
        weight.odds,
        weight.limit,
        expected.success_rate,
        expected.failure_rate,
        expected.repeat_rate,
        expected.confidence,
        baseline is None,
        None if baseline is None else _tally(baseline),
        _tally(seen),
    )


def _tally(counts: Baseline) -> Tally:
    return Tally(
        counts.executions,
        counts.failures,
        counts.signature_errors,
        counts.after_failure,
        counts.failures_after_failure,
    )


def evidence_of(details: Mapping[str, Any]) -> EvidenceSummary | None:
    """The evidence in a command's `details`; None where there is none, or none that can be read:
    whoever issued the command may say anything.
    """
    try:
        return msgspec.convert(details.get("evidence"), EvidenceSummary)
    except (msgspec.ValidationError, OverflowError):
        return None
