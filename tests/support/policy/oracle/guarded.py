"""What policy `guarded` decides at the last record of a log."""

from collections.abc import Sequence
from typing import Any

from policy.state.tool_evidence import MOST_STORED
from policy.weighing.quality_tests import QualityTest
from schemas.execution import Activation
from schemas.later_verdict import LaterVerdict
from schemas.rollback import Reason
from schemas.rules.rules import Rules
from tests.support.policy.oracle.attempts import Issued
from tests.support.policy.oracle.counts import Counts, baseline_of
from tests.support.policy.oracle.evidence import evidence_in, evidence_shown, tally_of, weighed_of
from tests.support.policy.oracle.log import Entry, activation_at, counted_for, real_activations
from tests.support.policy.oracle.modes import is_dry_run
from tests.support.policy.oracle.quality import Segment
from tests.support.policy.oracle.rules import Decision
from tests.support.policy.oracle.withdrawn import without_outages


def decision_by_evidence(
    log: Sequence[Entry],
    index: int,
    issued: Sequence[Issued],
    holding: Sequence[Decision],
    rules: Rules,
) -> tuple[Decision | None, dict[str, Any]]:
    """Return the decision of policy `guarded`, and the evidence as the details show it."""
    executions = counted_for(log, index, len(log), rules)
    evidence = without_outages(log, issued, evidence_in(log, rules), rules)
    seen = [each for each in executions if each.offset in evidence]
    fewer = rules.model_copy(
        update={"remembered_versions": min(rules.remembered_versions, MOST_STORED)}
    )
    baseline = baseline_of(log, index, fewer, lambda counted: tally_of(counted, rules, evidence))
    is_breaking = activation_at(log, index).is_breaking_change
    weighed, tally = weighed_of(seen, baseline, rules, is_breaking is True), tally_of(seen, rules)
    shown = evidence_shown(weighed, tally)
    if (
        log[-1].offset not in evidence
        or executions[-1].execution.success
        or weighed.nearest_to_limit.against.share_of_limit < 1
    ):
        return None, shown
    regression = Decision("standard", "regression", Counts(tally.executions, tally.failures))
    return next(iter(holding), regression), shown


def worst_of(
    tests: Sequence[QualityTest], current: Activation, issued: Sequence[Issued], rules: Rules
) -> Reason | None:
    """Return the reason of a command by these tests, of which any may condemn.

    One that is carried out comes first, then a dry run that was not published yet.
    """
    condemning = [test.reason for test in tests if test.share_of_limit >= 1]
    published = [
        each.command.reason
        for each in issued
        if each.command.from_activation == current.activation and each.command.mode == "observe"
    ]
    carried_out = [reason for reason in condemning if not is_dry_run(reason, rules)]
    fresh = [reason for reason in condemning if reason not in published]
    return next(iter([*carried_out, *fresh, *condemning]), None)


def segments_of(log: Sequence[Entry], rules: Rules) -> list[Segment]:
    """Return what the log says of each activation."""
    indices = real_activations(log)
    segments = []
    for index, end in zip(indices, [*indices[1:], len(log)], strict=True):
        current = activation_at(log, index)
        executions = [each.execution for each in counted_for(log, index, end, rules)]
        entries = [record.entry for record in log[index:end]]
        verdicts = [entry for entry in entries if isinstance(entry, LaterVerdict)]
        segments.append(Segment(current, executions, verdicts))
    return segments
