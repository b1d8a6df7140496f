"""The rules of the contract, section 2, as slowly and as plainly as they can be written.

At every execution all is computed anew from the whole log up to there. Nothing is carried along
but the commands that were issued. Nothing here knows how the product keeps its windows, or what it
counts under policy `guarded`; what the counts weigh is held against exact fractions elsewhere
(``tests/unit/test_evidence.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeVar

from agents.evidence import Weighed, policy_of, stakes_of, weigh
from schemas.execution import Activation, Execution
from schemas.rollback import Reason, RollbackCommand, Tier, automatic_command_id
from schemas.rules import Rules
from streams.evidence import Baseline, Evidence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A record of one tool's log; ``timestamp_ms`` is its Kafka timestamp."""

    offset: int
    timestamp_ms: int
    entry: Execution | Activation


class Run(NamedTuple):
    """An execution that counts. Runs sort from the oldest to the newest, arrival breaking ties."""

    executed_at: datetime
    offset: int
    execution: Execution


class Counts(NamedTuple):
    executions: int
    failures: int

    @property
    def success_rate(self) -> Fraction:
        return Fraction(self.executions - self.failures, self.executions)


@dataclass(frozen=True)
class Tally:
    """All of an activation, as they came."""

    executions: int
    failures: int
    signature_errors: int
    after_failure: int
    failures_after_failure: int


class _Counted(Protocol):
    @property
    def executions(self) -> int: ...


C = TypeVar("C", bound=_Counted)


class Decision(NamedTuple):
    tier: Tier
    reason: Reason
    decided_on: Counts


class Issued(NamedTuple):
    """A command, and the 'now' at which it was decided."""

    command: RollbackCommand
    now: datetime


def commands_of(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    """The automatic commands that one tool's log demands, in order."""
    issued: list[Issued] = []
    for length, record in enumerate(log, start=1):
        if isinstance(record.entry, Execution):
            command = _judge(log[:length], issued, rules)
            if command is not None:
                issued.append(command)
    return [each.command for each in issued]


def _judge(log: Sequence[Entry], issued: Sequence[Issued], rules: Rules) -> Issued | None:
    """What the last record of the log, an execution, leads to."""
    activations = _real_activations(log)
    if not activations:
        return None
    place = activations[-1]
    runs = _counted(log, place, len(log), rules)
    if not any(run.offset == log[-1].offset for run in runs):
        return None
    current = log[place].entry
    assert isinstance(current, Activation)
    now = max(run.executed_at for run in runs)
    recent = _recent(runs, rules)
    baseline = _baseline(log, place, rules, lambda runs: _in_standard_window(runs, rules))
    decision = _first_rule_that_holds(runs, recent, baseline, rules)
    weighed = None
    if rules.policy == "guarded":
        weighed = _weighed(runs, _baseline(log, place, rules, _tally), rules)
        tally = _tally(runs)
        if runs[-1].execution.success or weighed.greatest[1].share < 1:
            decision = None
        elif decision is None:
            all_of_it = Counts(tally.executions, tally.failures)
            decision = Decision("standard", "regression", all_of_it)
    if decision is None:
        return None
    earlier = [each for each in issued if each.command.from_activation == current.activation]
    if earlier:
        wait_s = min(
            rules.attempt_interval_s * 2 ** (len(earlier) - 1), rules.attempt_interval_max_s
        )
        if now - earlier[-1].now < timedelta(seconds=wait_s):
            return None
    attempt = len(earlier) + 1
    counts = decision.decided_on
    details: dict[str, Any] = {
        "recent": [str(run.execution.execution_id) for run in recent],
        "executions": counts.executions,
        "failures": counts.failures,
        "success_rate": float(counts.success_rate),
        "baseline": None
        if baseline is None
        else {
            "executions": baseline.executions,
            "success_rate": float(baseline.success_rate),
        },
        "attempt": attempt,
    }
    if weighed is not None:
        details["evidence"] = _evidence_said(weighed, _tally(runs))
    command = RollbackCommand(
        command_id=automatic_command_id(
            current.tool_name, current.version_id, current.activation, attempt
        ),
        tool_name=current.tool_name,
        from_version_id=current.version_id,
        from_activation=current.activation,
        tier=decision.tier,
        reason=decision.reason,
        details=details,
        issued_by="detector",
        issued_at=min(now, EPOCH + timedelta(milliseconds=log[-1].timestamp_ms)),
    )
    return Issued(command, now)


def _weighed(runs: Sequence[Run], baseline: Tally | None, rules: Rules) -> Weighed:
    """The tests, after these executions of an activation, one after the other."""
    policy = policy_of(rules)
    target = None if baseline is None else Baseline(**asdict(baseline))
    evidence = Evidence()
    for run in runs:
        if run.execution.success:
            evidence.add_success()
        else:
            bets = stakes_of(target, policy).break_bets
            evidence.add_failure(run.execution.is_signature_error, bets)
    return weigh(evidence, target, policy)


def _evidence_said(weighed: Weighed, seen: Tally) -> dict[str, Any]:
    test, weight = weighed.greatest
    known = weighed.baseline
    fields = Tally.__dataclass_fields__
    return {
        "test": test,
        "odds": weight.odds,
        "limit": weight.limit,
        "expected_success_rate": weight.expected.success_rate,
        "expected_failure_rate": weight.expected.failure_rate,
        "expected_repeat_rate": weight.expected.repeat_rate,
        "confidence": weight.expected.confidence,
        "assumed": known is None,
        "baseline": None if known is None else {name: getattr(known, name) for name in fields},
        "seen": asdict(seen),
    }


def _tally(runs: Sequence[Run]) -> Tally:
    failed = [not run.execution.success for run in runs]
    return Tally(
        len(runs),
        sum(failed),
        sum(not run.execution.success and run.execution.is_signature_error for run in runs),
        sum(before for before, _ in pairwise(failed)),
        sum(before and after for before, after in pairwise(failed)),
    )


def _first_rule_that_holds(
    runs: Sequence[Run], recent: Sequence[Run], baseline: Counts | None, rules: Rules
) -> Decision | None:
    of_recent = _counts(recent)
    newest = recent[: rules.consecutive_failures]
    if len(newest) == rules.consecutive_failures and all(
        not run.execution.success for run in newest
    ):
        return Decision("immediate", "consecutive_failures", of_recent)

    signature_errors = [
        run for run in recent if not run.execution.success and run.execution.is_signature_error
    ]
    if len(signature_errors) >= rules.signature_errors:
        return Decision("immediate", "signature_change", of_recent)

    if (
        of_recent.executions >= rules.complete_failure_recent
        and of_recent.failures == of_recent.executions
    ):
        return Decision("immediate", "complete_failure", of_recent)

    fast = _in_window(runs, rules.fast_window_s, rules.fast_bucket_s)
    if fast.executions >= rules.complete_failure_executions and fast.failures == fast.executions:
        return Decision("fast", "complete_failure", fast)

    if fast.executions >= rules.high_failure_rate_executions and 1 - fast.success_rate > Fraction(
        rules.high_failure_rate
    ):
        return Decision("fast", "high_failure_rate", fast)

    standard = _in_window(runs, rules.standard_window_s, rules.standard_bucket_s)
    if (
        baseline is not None
        and standard.executions >= rules.standard_executions
        and baseline.success_rate - standard.success_rate >= Fraction(rules.success_rate_drop)
    ):
        return Decision("standard", "success_rate_drop", standard)
    return None


def _real_activations(log: Sequence[Entry]) -> list[int]:
    """The places of the activations that say more than all before them."""
    places: list[int] = []
    largest = 0
    for place, record in enumerate(log):
        if isinstance(record.entry, Activation) and record.entry.activation > largest:
            largest = record.entry.activation
            places.append(place)
    return places


def _counted(log: Sequence[Entry], place: int, end: int, rules: Rules) -> list[Run]:
    """The executions before ``end`` that count for the activation at ``place``, as they came."""
    current = log[place].entry
    assert isinstance(current, Activation)
    runs: list[Run] = []
    for record in log[place + 1 : end]:
        execution = record.entry
        if not isinstance(execution, Execution):
            continue
        if execution.version_id not in (None, current.version_id):
            continue
        if current.activated_by.kind == "rollback" and execution.executed_at < current.activated_at:
            continue
        in_ring = {run.execution.execution_id for run in _ring(runs, rules)}
        if execution.execution_id not in in_ring:
            runs.append(Run(execution.executed_at, record.offset, execution))
    return runs


def _ring(runs: Sequence[Run], rules: Rules) -> list[Run]:
    """The newest of all, newest first."""
    newest_first = sorted(runs, key=lambda run: (run.executed_at, run.offset), reverse=True)
    return newest_first[: rules.ring_size]


def _recent(runs: Sequence[Run], rules: Rules) -> list[Run]:
    ring = _ring(runs, rules)
    now = ring[0].executed_at
    return [
        run for run in ring if run.executed_at >= now - timedelta(seconds=rules.recent_window_s)
    ]


def _in_window(runs: Sequence[Run], window_s: int, bucket_s: int) -> Counts:
    """What the buckets hold that count at the 'now' of these runs."""
    if not runs:
        return Counts(0, 0)
    now = max(run.executed_at for run in runs)
    size = timedelta(seconds=bucket_s)

    def counts(run: Run) -> bool:
        bucket = EPOCH + (run.executed_at - EPOCH) // size * size
        return bucket + size > now - timedelta(seconds=window_s)

    return _counts([run for run in runs if counts(run)])


def _counts(runs: Sequence[Run]) -> Counts:
    return Counts(len(runs), sum(not run.execution.success for run in runs))


def _in_standard_window(runs: Sequence[Run], rules: Rules) -> Counts:
    return _in_window(runs, rules.standard_window_s, rules.standard_bucket_s)


def _baseline(
    log: Sequence[Entry], place: int, rules: Rules, count: Callable[[Sequence[Run]], C]
) -> C | None:
    """What the activation at ``place`` is compared with, if ``count`` counts executions."""
    activations = _real_activations(log[: place + 1])
    current = log[place].entry
    assert isinstance(current, Activation)
    replaced: dict[int, int] = {}
    """By version: the index (in ``activations``) of its activation that was replaced last."""
    for index in range(len(activations) - 1):
        activation = log[activations[index]].entry
        assert isinstance(activation, Activation)
        replaced[activation.version_id] = index
    if current.activated_by.kind == "deployment":
        if len(activations) == 1:
            return None
        index = len(activations) - 2
    else:
        remembered = sorted(replaced.values())[-rules.remembered_versions :]
        index = replaced.get(current.version_id, -1)
        if index not in remembered:
            return None
    start, end = activations[index], activations[index + 1]
    counts = count(_counted(log, start, end, rules))
    if counts.executions >= rules.baseline_executions:
        return counts
    return _baseline(log, start, rules, count)
