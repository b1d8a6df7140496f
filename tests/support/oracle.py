"""The rules of the contract, section 2, as slowly and as plainly as they can be written.

At every execution all is computed anew from the whole log up to there. Nothing is carried along
but the commands that were issued. Nothing here knows how the product keeps its windows, or what it
counts under policy `guarded`; what the counts weigh is held against exact fractions elsewhere
(``tests/unit/policy/test_weighing.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeVar
from zlib import crc32

from policy.decision.betting_tables import EvidenceNumbers, betting_tables_of
from policy.decision.weighing import WeighedEvidence, weigh
from policy.state.evidence import Baseline, Evidence
from policy.state.tool_evidence import MOST_STORED
from schemas.execution import Activation, Execution
from schemas.rollback import (
    Mode,
    Reason,
    RollbackCommand,
    Tier,
    automatic_command_id,
    observed_command_id,
)
from schemas.rules import Rules

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A record of one tool's log; ``timestamp_ms`` is its Kafka timestamp."""

    offset: int
    timestamp_ms: int
    entry: Execution | Activation


class CountedExecution(NamedTuple):
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
    holding = _rules_that_hold(runs, recent, baseline, rules)
    acting = [decision for decision in holding if decision.reason not in rules.observe]
    decision: Decision | None = next(iter(acting or holding), None)
    weighed = tally = None
    if rules.policy == "guarded":
        evidence = _evidence_in(log, rules)
        seen = [run for run in runs if run.offset in evidence]
        fewer = rules.model_copy(
            update={"remembered_versions": min(rules.remembered_versions, MOST_STORED)}
        )
        target = _baseline(log, place, fewer, lambda runs: _tally(runs, evidence))
        weighed = _weighed(seen, target, rules)
        tally = _tally(seen)
        decision = next(iter(holding), None)
        if (
            log[-1].offset not in evidence
            or runs[-1].execution.success
            or weighed.nearest_to_limit[1].share_of_limit < 1
        ):
            decision = None
        elif decision is None:
            all_of_it = Counts(tally.executions, tally.failures)
            decision = Decision("standard", "regression", all_of_it)
    if decision is None:
        return None
    of_activation = [each for each in issued if each.command.from_activation == current.activation]
    earlier = [each for each in of_activation if each.command.mode != "observe"]
    draw = crc32(f"{current.activation}/{current.tool_name}".encode()) / 2**32
    mode: Mode | None = None
    if decision.reason in rules.observe or draw >= rules.enforced_share:
        mode = "observe"
        if any(
            each.command.mode == "observe" and each.command.reason == decision.reason
            for each in of_activation
        ):
            return None
    elif decision.reason in rules.hold:
        mode = "hold"
    if mode != "observe" and earlier:
        wait_s = min(
            rules.attempt_interval_s * 2 ** (len(earlier) - 1), rules.attempt_interval_max_s
        )
        if now - earlier[-1].now < timedelta(seconds=wait_s):
            return None
    attempt = len(earlier) + (mode != "observe")
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
    if weighed is not None and tally is not None:
        details["evidence"] = _evidence_said(weighed, tally)
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
    return Issued(command, now)


def _weighed(
    runs: Sequence[CountedExecution], baseline: Tally | None, rules: Rules
) -> WeighedEvidence:
    """The tests, after these executions of an activation, one after the other."""
    numbers = EvidenceNumbers.of(rules)
    target = None if baseline is None else Baseline(**asdict(baseline))
    evidence = Evidence()
    for run in runs:
        if run.execution.success:
            evidence.add_success()
        else:
            bets = betting_tables_of(target, numbers).break_bets
            evidence.add_failure(run.execution.is_signature_error, bets)
    return weigh(evidence, target, numbers)


def _evidence_said(weighed: WeighedEvidence, seen: Tally) -> dict[str, Any]:
    test, weight = weighed.nearest_to_limit
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


def _evidence_in(log: Sequence[Entry], rules: Rules) -> set[int]:
    """The offsets of the executions that are evidence: those of a call that failed a short while
    ago are not (``policy/state/muted_callers.py`` says when they are).
    """
    places = _real_activations(log)
    counted = [
        run
        for place, end in zip(places, [*places[1:], len(log)], strict=True)
        for run in _counted(log, place, end, rules)
    ]
    evidence: set[int] = set()
    failed: list[tuple[str, int]] = []
    for index, run in enumerate(counted):
        before, until = counted[:index], counted[: index + 1]
        call = _call(run.execution)
        now_s = max(_second(each) for each in until)
        others = [n for n, each in enumerate(before) if _call(each.execution) != call]
        failed = [each for each in failed if each[1] >= now_s - rules.repeat_span_s]
        rests = call != "" and call in [each[0] for each in failed]
        if not others or now_s - max(_second(each) for each in counted[: others[-1] + 1]) > (
            rules.repeat_others_s
        ):
            rests = False
        if rests and failed[-1][0] != call:
            (failed_s,) = [since_s for each, since_s in failed if each == call]
            rests = any(each.execution.success and _second(each) >= failed_s for each in before)
        if not rests:
            evidence.add(run.offset)
        if call and not rests and not run.execution.success and rules.repeat_span_s:
            failed = [each for each in failed if each[0] != call]
            since_s = max([_second(run), *(each[1] for each in failed)])
            failed = [*failed, (call, since_s)][-8:]
    return evidence


def _call(execution: Execution) -> str:
    given = {"i": execution.input_hash, "c": execution.caller, "s": execution.session_id}
    return next((kind + text for kind, text in given.items() if text), "")


def _second(run: CountedExecution) -> int:
    return (run.executed_at - EPOCH) // timedelta(seconds=1)


def _tally(runs: Sequence[CountedExecution], evidence: set[int] | None = None) -> Tally:
    """Of all, or of those at these offsets."""
    if evidence is not None:
        runs = [run for run in runs if run.offset in evidence]
    failed = [not run.execution.success for run in runs]
    return Tally(
        len(runs),
        sum(failed),
        sum(not run.execution.success and run.execution.is_signature_error for run in runs),
        sum(before for before, _ in pairwise(failed)),
        sum(before and after for before, after in pairwise(failed)),
    )


def _rules_that_hold(
    runs: Sequence[CountedExecution],
    recent: Sequence[CountedExecution],
    baseline: Counts | None,
    rules: Rules,
) -> list[Decision]:
    """In their order."""
    holding: list[Decision] = []
    of_recent = _counts(recent)
    newest = recent[: rules.consecutive_failures]
    if len(newest) == rules.consecutive_failures and all(
        not run.execution.success for run in newest
    ):
        holding.append(Decision("immediate", "consecutive_failures", of_recent))

    signature_errors = [
        run for run in recent if not run.execution.success and run.execution.is_signature_error
    ]
    if len(signature_errors) >= rules.signature_errors:
        holding.append(Decision("immediate", "signature_change", of_recent))

    if (
        of_recent.executions >= rules.complete_failure_recent
        and of_recent.failures == of_recent.executions
    ):
        holding.append(Decision("immediate", "complete_failure", of_recent))

    fast = _in_window(runs, rules.fast_window_s, rules.fast_bucket_s)
    if fast.executions >= rules.complete_failure_executions and fast.failures == fast.executions:
        holding.append(Decision("fast", "complete_failure", fast))

    if fast.executions >= rules.high_failure_rate_executions and 1 - fast.success_rate > Fraction(
        rules.high_failure_rate
    ):
        holding.append(Decision("fast", "high_failure_rate", fast))

    standard = _in_window(runs, rules.standard_window_s, rules.standard_bucket_s)
    if (
        baseline is not None
        and standard.executions >= rules.standard_executions
        and baseline.success_rate - standard.success_rate >= Fraction(rules.success_rate_drop)
    ):
        holding.append(Decision("standard", "success_rate_drop", standard))
    return holding


def _real_activations(log: Sequence[Entry]) -> list[int]:
    """The places of the activations that say more than all before them."""
    places: list[int] = []
    largest = 0
    for place, record in enumerate(log):
        if isinstance(record.entry, Activation) and record.entry.activation > largest:
            largest = record.entry.activation
            places.append(place)
    return places


def _counted(log: Sequence[Entry], place: int, end: int, rules: Rules) -> list[CountedExecution]:
    """The executions before ``end`` that count for the activation at ``place``, as they came."""
    current = log[place].entry
    assert isinstance(current, Activation)
    runs: list[CountedExecution] = []
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
            runs.append(CountedExecution(execution.executed_at, record.offset, execution))
    return runs


def _ring(runs: Sequence[CountedExecution], rules: Rules) -> list[CountedExecution]:
    """The newest of all, newest first."""
    newest_first = sorted(runs, key=lambda run: (run.executed_at, run.offset), reverse=True)
    return newest_first[: rules.ring_size]


def _recent(runs: Sequence[CountedExecution], rules: Rules) -> list[CountedExecution]:
    ring = _ring(runs, rules)
    now = ring[0].executed_at
    return [
        run for run in ring if run.executed_at >= now - timedelta(seconds=rules.recent_window_s)
    ]


def _in_window(runs: Sequence[CountedExecution], window_s: int, bucket_s: int) -> Counts:
    """What the buckets hold that count at the 'now' of these runs."""
    if not runs:
        return Counts(0, 0)
    now = max(run.executed_at for run in runs)
    size = timedelta(seconds=bucket_s)

    def counts(run: CountedExecution) -> bool:
        bucket = EPOCH + (run.executed_at - EPOCH) // size * size
        return bucket + size > now - timedelta(seconds=window_s)

    return _counts([run for run in runs if counts(run)])


def _counts(runs: Sequence[CountedExecution]) -> Counts:
    return Counts(len(runs), sum(not run.execution.success for run in runs))


def _in_standard_window(runs: Sequence[CountedExecution], rules: Rules) -> Counts:
    return _in_window(runs, rules.standard_window_s, rules.standard_bucket_s)


def _baseline(
    log: Sequence[Entry], place: int, rules: Rules, count: Callable[[Sequence[CountedExecution]], C]
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
