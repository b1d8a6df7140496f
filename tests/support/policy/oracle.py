"""The oracle: the rules of the contract, section 2, written plainly and without regard to speed.

At every execution everything is computed anew from the whole log up to it. Only the issued commands
are kept. The oracle uses neither the windows of the product nor its counts under policy `guarded`.
It uses the weighing of counts, which ``tests/unit/policy/weighing/test_weighing.py`` compares with
exact fractions.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeVar, get_args
from zlib import crc32

from policy.state.evidence import Baseline, Evidence
from policy.state.tool_evidence import MOST_STORED
from policy.weighing.betting_tables import EvidenceNumbers, betting_tables_of
from policy.weighing.quality_summary import quality_details
from policy.weighing.quality_tests import QualityTest
from policy.weighing.weighing import WeighedEvidence, weigh
from schemas.execution import Activation, Execution
from schemas.later_verdict import LaterVerdict
from schemas.rollback import (
    Mode,
    QualityReason,
    Reason,
    RollbackCommand,
    Tier,
    automatic_command_id,
    observed_command_id,
)
from schemas.rules.rules import Rules
from tests.support.policy import whose_failure
from tests.support.policy.quality_oracle import Segment, quality_of
from tests.support.policy.whose_failure import is_signature_error

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A record of one tool's log; ``timestamp_ms`` is its Kafka timestamp."""

    offset: int
    timestamp_ms: int
    entry: Execution | Activation | LaterVerdict
    source: tuple[int, int] | None = None
    """The partition and the offset of the record that was forwarded; None for one that was not."""


class CountedExecution(NamedTuple):
    """An execution that counts. Sorted, the oldest is first; at equal times the offset decides."""

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
    """The counts of an activation's executions, in the order of the log."""

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
    """A command, the 'now' at which it was decided, and how strong the evidence was."""

    command: RollbackCommand
    now: datetime
    strength: float
    length: int
    """How many records of the log there were."""


def commands_of(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    """Return the automatic commands that one tool's log demands, in order."""
    issued: list[Issued] = []
    for length, record in enumerate(log, start=1):
        if isinstance(record.entry, Execution | LaterVerdict):
            command = _judge(log[:length], issued, rules)
            if command is not None:
                issued.append(command)
    return [each.command for each in issued]


def counted_once(log: Sequence[Entry]) -> list[Entry]:
    """Return one tool's log without copies of which there is one before.

    All copies from a partition come in its order. So a copy says nothing if there was one of the
    same or of a later record since the first activation.
    """
    kept: list[Entry] = []
    for index, each in enumerate(log):
        indices = _real_activations(log[:index])
        before = [other.source for other in log[indices[0] : index]] if indices else []
        if each.source is None or not any(
            other is not None and other[0] == each.source[0] and other[1] >= each.source[1]
            for other in before
        ):
            kept.append(each)
    return kept


def _judge(log: Sequence[Entry], issued: Sequence[Issued], rules: Rules) -> Issued | None:
    """Return the command that the last record of the log demands; it is no activation."""
    activations = _real_activations(log)
    if not activations:
        return None
    index = activations[-1]
    executions = _counted(log, index, len(log), rules)
    last = log[-1].entry
    counts_itself = any(execution.offset == log[-1].offset for execution in executions)
    if not executions or not (counts_itself or isinstance(last, LaterVerdict)):
        return None
    current = _activation_at(log, index)
    recent = _recent(executions, rules)
    baseline = _baseline(log, index, rules, lambda counted: _in_standard_window(counted, rules))
    holding = _rules_that_hold(executions, recent, baseline, rules)
    decision, weighed = _decision(log, index, holding, issued, rules)
    if decision is None:
        return None
    evidence, quality = weighed
    strength = 0.0 if evidence is None else evidence["odds"] / evidence["limit"]
    enforced = (each for each in quality if not _is_dry_run(each.reason, rules))
    strength = max(strength, *(test.share_of_limit for test in enforced), 0.0)
    now = max(execution.executed_at for execution in executions)
    same = [each for each in issued if each.command.from_activation == current.activation]
    earlier = [each for each in same if each.command.mode != "observe"]
    mode = _mode(decision, current, rules)
    if _is_known(log, decision, mode, same, now, strength, rules):
        return None
    attempt = len(earlier) + (mode != "observe")
    counts = decision.decided_on
    details: dict[str, Any] = {
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
        "attempt": attempt,
    }
    details |= _not_judged(log, index, rules, now)
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
    decision, evidence = _decision_by_evidence(log, index, issued, holding, rules)
    quality, grounds = quality_of(_segments(log, rules), _entry_of(last), rules)
    if decision is None and grounds:
        tests = [test for test in quality if test.reason in grounds]
        reason = _worst(tests, _activation_at(log, index), issued, rules)
        counts = Counts(evidence["seen"]["executions"], evidence["seen"]["failures"])
        decision = None if reason is None else Decision("standard", reason, counts)
    return decision, _Weighed(evidence, quality)


def _is_known(
    log: Sequence[Entry],
    decision: Decision,
    mode: Mode | None,
    same: Sequence[Issued],
    now: datetime,
    strength: float,
    rules: Rules,
) -> bool:
    """Return whether the commands for the same activation say enough, so that none follows."""
    if mode == "observe":
        known = [each.command.reason for each in same if each.command.mode == mode]
        return decision.reason in known
    earlier = [each for each in same if each.command.mode != "observe"]
    if not earlier or _is_interval_over(log, earlier, now, rules):
        return False
    newest = earlier[-1]
    new = decision.tier == "immediate" and newest.command.tier != "immediate"
    waits = newest.command.mode == "hold" and mode is None
    grown = rules.policy == "guarded" and strength >= rules.dismissal_growth * newest.strength
    return not ((_is_dismissed(log, newest) and (new or grown)) or (new and waits))


def _activation_at(log: Sequence[Entry], index: int) -> Activation:
    entry = log[index].entry
    assert isinstance(entry, Activation)
    return entry


def _is_dismissed(log: Sequence[Entry], issued: Issued) -> bool:
    """Return whether the log says after the command that a person has dismissed it."""
    current = issued.command.from_activation
    assert current is not None
    return any(
        isinstance(each.entry, Activation)
        and each.entry.activation <= current
        and each.entry.dismissed == issued.command.command_id
        for each in log[issued.length :]
    )


def _is_interval_over(
    log: Sequence[Entry], earlier: Sequence[Issued], now: datetime, rules: Rules
) -> bool:
    """Return whether the next command may follow; one that was withdrawn is as if it never was."""
    withdrawn = [_withdrawn_at(log, earlier, number) is not None for number in range(len(earlier))]
    if withdrawn[-1]:
        return True
    return now - earlier[-1].now >= _interval(withdrawn.count(False), rules)


def _withdrawn_at(log: Sequence[Entry], issued: Sequence[Issued], number: int) -> int | None:
    """Return the index of the record that withdraws a command because of an outage, if one does.

    It counts only while no newer command was issued. ``issued`` are those of one activation.
    """
    newer = issued[number + 1].length if number + 1 < len(issued) else len(log)
    for index in range(issued[number].length, newer):
        entry = log[index].entry
        if isinstance(entry, Activation) and entry.outage == issued[number].command.command_id:
            return index
    return None


def _without_outages(
    log: Sequence[Entry], issued: Sequence[Issued], evidence: set[int], rules: Rules
) -> set[int]:
    """Return the offsets of the evidence that is left when commands were withdrawn.

    What led to a withdrawn command and what came until it was withdrawn is no evidence: the
    failures in a row until the command, and all after them. If the version goes on failing, the
    failures until its next success are none either, unless they lead to another command.
    """
    indices = _real_activations(log)
    left: set[int] = set()
    for begin, end in zip(indices, [*indices[1:], len(log)], strict=True):
        current = log[begin].entry
        assert isinstance(current, Activation)
        counted = _counted(log, begin, end, rules)
        seen = {each.offset: each for each in counted if each.offset in evidence}
        commands = [
            each
            for each in issued
            if each.command.from_activation == current.activation and each.command.mode != "observe"
        ]
        kept: list[CountedExecution] = []
        before: dict[int, list[CountedExecution]] = {}
        goes_on = False
        for index in range(begin, end):
            execution = seen.get(log[index].offset)
            if execution is not None:
                if goes_on and execution.execution.success:
                    kept, goes_on = _without_newest_failures(kept), False
                kept.append(execution)
            for number, command in enumerate(commands):
                if command.length == index + 1:
                    before[number], goes_on = _without_newest_failures(kept), False
                elif _withdrawn_at(log[:end], commands, number) == index:
                    goes_on = bool(kept) and not kept[-1].execution.success
                    kept = list(before[number])
        left |= {each.offset for each in kept}
    return left


def _without_newest_failures(executions: Sequence[CountedExecution]) -> list[CountedExecution]:
    """Return these executions up to the last success, in the order of the log."""
    left = list(executions)
    while left and not left[-1].execution.success:
        left.pop()
    return left


def _decision_by_evidence(
    log: Sequence[Entry],
    index: int,
    issued: Sequence[Issued],
    holding: Sequence[Decision],
    rules: Rules,
) -> tuple[Decision | None, dict[str, Any]]:
    """Return the decision of policy `guarded`, and the evidence as the details show it."""
    executions = _counted(log, index, len(log), rules)
    evidence = _without_outages(log, issued, _evidence_in(log, rules), rules)
    seen = [each for each in executions if each.offset in evidence]
    fewer = rules.model_copy(
        update={"remembered_versions": min(rules.remembered_versions, MOST_STORED)}
    )
    baseline = _baseline(log, index, fewer, lambda counted: _tally(counted, rules, evidence))
    is_breaking = _activation_at(log, index).is_breaking_change
    weighed, tally = _weighed(seen, baseline, rules, is_breaking is True), _tally(seen, rules)
    shown = _evidence_shown(weighed, tally)
    if (
        log[-1].offset not in evidence
        or executions[-1].execution.success
        or weighed.nearest_to_limit.against.share_of_limit < 1
    ):
        return None, shown
    regression = Decision("standard", "regression", Counts(tally.executions, tally.failures))
    return next(iter(holding), regression), shown


def _mode(decision: Decision, current: Activation, rules: Rules) -> Mode | None:
    draw = crc32(f"{current.activation}/{current.tool_name}".encode()) / 2**32
    if _is_dry_run(decision.reason, rules) or draw >= rules.enforced_share:
        return "observe"
    return "hold" if decision.reason in rules.hold else None


def _is_dry_run(reason: Reason, rules: Rules) -> bool:
    if reason in ("slower", "costlier") and reason not in (*rules.enforce, *rules.hold):
        return True
    return reason in rules.observe


def _worst(
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
    carried_out = [reason for reason in condemning if not _is_dry_run(reason, rules)]
    fresh = [reason for reason in condemning if reason not in published]
    return next(iter([*carried_out, *fresh, *condemning]), None)


def _segments(log: Sequence[Entry], rules: Rules) -> list[Segment]:
    """Return what the log says of each activation."""
    indices = _real_activations(log)
    segments = []
    for index, end in zip(indices, [*indices[1:], len(log)], strict=True):
        current = log[index].entry
        assert isinstance(current, Activation)
        executions = [each.execution for each in _counted(log, index, end, rules)]
        entries = [record.entry for record in log[index:end]]
        verdicts = [entry for entry in entries if isinstance(entry, LaterVerdict)]
        segments.append(Segment(current, executions, verdicts))
    return segments


def _entry_of(entry: Execution | Activation | LaterVerdict) -> Execution | LaterVerdict:
    assert not isinstance(entry, Activation)
    return entry


def _interval(attempts: int, rules: Rules) -> timedelta:
    """Return how long after this many attempts the next one may follow."""
    doubled = rules.attempt_interval_s * 2 ** (attempts - 1)
    return timedelta(seconds=min(doubled, rules.attempt_interval_max_s))


def _weighed(
    executions: Sequence[CountedExecution],
    baseline: Tally | None,
    rules: Rules,
    is_breaking: bool,
) -> WeighedEvidence:
    """Return the weighed evidence after these executions of an activation."""
    numbers = EvidenceNumbers.of(rules)
    if is_breaking:
        alpha = rules.signature_alpha
        watched_closer = max(alpha, min(alpha * rules.breaking_factor, 0.5))
        numbers = numbers._replace(signature_alpha=watched_closer)
    baseline_version = None if baseline is None else Baseline(**asdict(baseline))
    evidence = Evidence()
    for each in executions:
        if each.execution.success:
            evidence.add_success()
        else:
            bets = betting_tables_of(baseline_version, numbers).break_bets
            evidence.add_failure(is_signature_error(each.execution, rules), bets)
    return weigh(evidence, baseline_version, numbers)


def _evidence_shown(weighed: WeighedEvidence, seen: Tally) -> dict[str, Any]:
    test, against = weighed.nearest_to_limit
    known = weighed.baseline
    fields = Tally.__dataclass_fields__
    return {
        "test": test,
        "odds": against.odds,
        "limit": against.limit,
        "expected_success_rate": against.expected.success_rate,
        "expected_failure_rate": against.expected.failure_rate,
        "expected_repeat_rate": against.expected.repeat_rate,
        "confidence": against.expected.confidence,
        "assumed": known is None,
        "baseline": None if known is None else {name: getattr(known, name) for name in fields},
        "seen": asdict(seen),
    }


def _evidence_in(log: Sequence[Entry], rules: Rules) -> set[int]:
    """Return the offsets of the executions that are evidence.

    Executions of muted callers are none (``policy/state/muted_callers.py``).
    """
    indices = _real_activations(log)
    counted = [
        execution
        for index, end in zip(indices, [*indices[1:], len(log)], strict=True)
        for execution in _counted(log, index, end, rules)
    ]
    evidence: set[int] = set()
    failed: list[tuple[str, int]] = []
    for index, newest in enumerate(counted):
        before, until = counted[:index], counted[: index + 1]
        caller = _caller(newest.execution)
        now_s = max(_second(each) for each in until)
        others = [n for n, each in enumerate(before) if _caller(each.execution) != caller]
        failed = [each for each in failed if each[1] >= now_s - rules.repeat_span_s]
        is_muted = caller != "" and caller in [each[0] for each in failed]
        if not others or now_s - max(_second(each) for each in counted[: others[-1] + 1]) > (
            rules.repeat_others_s
        ):
            is_muted = False
        if is_muted and failed[-1][0] != caller:
            (failed_s,) = [since_s for each, since_s in failed if each == caller]
            is_muted = any(each.execution.success and _second(each) >= failed_s for each in before)
        if not is_muted:
            evidence.add(newest.offset)
        if caller and not is_muted and not newest.execution.success and rules.repeat_span_s:
            failed = [each for each in failed if each[0] != caller]
            since_s = max([_second(newest), *(each[1] for each in failed)])
            failed = [*failed, (caller, since_s)][-8:]
    return evidence


def _caller(execution: Execution) -> str:
    given = {"i": execution.input_hash, "c": execution.caller, "s": execution.session_id}
    return next((kind + text for kind, text in given.items() if text), "")


def _second(execution: CountedExecution) -> int:
    return (execution.executed_at - EPOCH) // timedelta(seconds=1)


def _tally(
    executions: Sequence[CountedExecution], rules: Rules, evidence: set[int] | None = None
) -> Tally:
    """Count all of these executions, or those at the offsets in ``evidence``."""
    if evidence is not None:
        executions = [each for each in executions if each.offset in evidence]
    failed = [not each.execution.success for each in executions]
    return Tally(
        len(executions),
        sum(failed),
        sum(is_signature_error(each.execution, rules) for each in executions),
        sum(before for before, _ in pairwise(failed)),
        sum(before and after for before, after in pairwise(failed)),
    )


def _rules_that_hold(
    executions: Sequence[CountedExecution],
    recent: Sequence[CountedExecution],
    baseline: Counts | None,
    rules: Rules,
) -> list[Decision]:
    """Return the rules that hold, in their order."""
    holding: list[Decision] = []
    of_recent = _counts(recent)
    newest = recent[: rules.consecutive_failures]
    if len(newest) == rules.consecutive_failures and all(
        not each.execution.success for each in newest
    ):
        holding.append(Decision("immediate", "consecutive_failures", of_recent))

    signature_errors = [each for each in recent if is_signature_error(each.execution, rules)]
    if len(signature_errors) >= rules.signature_failures:
        holding.append(Decision("immediate", "signature_change", of_recent))

    if (
        of_recent.executions >= rules.complete_failure_recent
        and of_recent.failures == of_recent.executions
    ):
        holding.append(Decision("immediate", "complete_failure", of_recent))

    fast = _in_window(executions, rules.fast_window_s, rules.fast_bucket_s)
    if fast.executions >= rules.complete_failure_executions and fast.failures == fast.executions:
        holding.append(Decision("fast", "complete_failure", fast))

    if fast.executions >= rules.high_failure_rate_executions and 1 - fast.success_rate > Fraction(
        rules.high_failure_rate
    ):
        holding.append(Decision("fast", "high_failure_rate", fast))

    standard = _in_window(executions, rules.standard_window_s, rules.standard_bucket_s)
    if (
        baseline is not None
        and standard.executions >= rules.standard_executions
        and baseline.success_rate - standard.success_rate >= Fraction(rules.success_rate_drop)
    ):
        holding.append(Decision("standard", "success_rate_drop", standard))
    return holding


def _real_activations(log: Sequence[Entry]) -> list[int]:
    """Return the indices of the activations that are newer than all before them."""
    indices: list[int] = []
    largest = 0
    for index, record in enumerate(log):
        if isinstance(record.entry, Activation) and record.entry.activation > largest:
            largest = record.entry.activation
            indices.append(index)
    return indices


def _counted(log: Sequence[Entry], index: int, end: int, rules: Rules) -> list[CountedExecution]:
    """Return the executions before ``end`` that count for the activation at ``index``."""
    current = log[index].entry
    assert isinstance(current, Activation)
    executions: list[CountedExecution] = []
    for record in log[index + 1 : end]:
        execution = record.entry
        if not isinstance(execution, Execution):
            continue
        if execution.version_id not in (None, current.version_id):
            continue
        if current.activated_by.kind == "rollback" and execution.executed_at < current.activated_at:
            continue
        in_ring = {each.execution.execution_id for each in _ring(executions, rules)}
        if execution.execution_id not in in_ring and whose_failure.counts(execution, rules):
            executions.append(CountedExecution(execution.executed_at, record.offset, execution))
    return executions


def _not_judged(log: Sequence[Entry], index: int, rules: Rules, now: datetime) -> dict[str, Any]:
    """Return the detail that says how many failures of the last 24 hours were not the tool's.

    None if there are none. An hour counts until it ended 24 hours before 'now', or before the hour
    of the newest of them.
    """
    found: list[tuple[datetime, str]] = []
    for at, record in enumerate(log):
        if at <= index or not isinstance(record.entry, Execution):
            continue
        origin = whose_failure.origin_of(record.entry, rules)
        if origin in ("caller", "environment") and _belongs(log, index, at, rules):
            found.append((_hour(record.entry.executed_at), origin))
    newest = max([_hour(now), *(hour for hour, _ in found)])
    lately = [origin for hour, origin in found if hour >= newest - timedelta(hours=24)]
    shown = {each: lately.count(each) for each in ("caller", "environment")}
    return {"not_judged": shown} if lately else {}


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _belongs(log: Sequence[Entry], index: int, at: int, rules: Rules) -> bool:
    """Return whether a failure is one of the activation's that its ring did not hold."""
    entry, current = log[at].entry, log[index].entry
    assert isinstance(entry, Execution)
    assert isinstance(current, Activation)
    ring = _ring(_counted(log, index, at, rules), rules)
    return (
        entry.version_id in (None, current.version_id)
        and not (
            current.activated_by.kind == "rollback" and entry.executed_at < current.activated_at
        )
        and all(each.execution.execution_id != entry.execution_id for each in ring)
    )


def _ring(executions: Sequence[CountedExecution], rules: Rules) -> list[CountedExecution]:
    """Return the executions of the ring, the newest first."""
    newest_first = sorted(
        executions, key=lambda each: (each.executed_at, each.offset), reverse=True
    )
    return newest_first[: rules.ring_size]


def _recent(executions: Sequence[CountedExecution], rules: Rules) -> list[CountedExecution]:
    ring = _ring(executions, rules)
    now = ring[0].executed_at
    return [
        each for each in ring if each.executed_at >= now - timedelta(seconds=rules.recent_window_s)
    ]


def _in_window(executions: Sequence[CountedExecution], window_s: int, bucket_s: int) -> Counts:
    """Count the executions in the buckets that count at the 'now' of these executions."""
    if not executions:
        return Counts(0, 0)
    now = max(execution.executed_at for execution in executions)
    size = timedelta(seconds=bucket_s)

    def counts(execution: CountedExecution) -> bool:
        bucket = EPOCH + (execution.executed_at - EPOCH) // size * size
        return bucket + size > now - timedelta(seconds=window_s)

    return _counts([execution for execution in executions if counts(execution)])


def _counts(executions: Sequence[CountedExecution]) -> Counts:
    return Counts(len(executions), sum(not each.execution.success for each in executions))


def _in_standard_window(executions: Sequence[CountedExecution], rules: Rules) -> Counts:
    return _in_window(executions, rules.standard_window_s, rules.standard_bucket_s)


def _baseline(
    log: Sequence[Entry], index: int, rules: Rules, count: Callable[[Sequence[CountedExecution]], C]
) -> C | None:
    """Return the baseline of the activation at ``index``, as ``count`` counts executions."""
    activations = _real_activations(log[: index + 1])
    current = log[index].entry
    assert isinstance(current, Activation)
    replaced: dict[int, int] = {}
    """By version id: the index in ``activations`` of its activation that was replaced last."""
    for number, replaced_at in enumerate(activations[:-1]):
        activation = log[replaced_at].entry
        assert isinstance(activation, Activation)
        replaced[activation.version_id] = number
    if current.activated_by.kind == "deployment":
        if len(activations) == 1:
            return None
        number = len(activations) - 2
    else:
        remembered = sorted(replaced.values())[-rules.remembered_versions :]
        number = replaced.get(current.version_id, -1)
        if number not in remembered:
            return None
    start, end = activations[number], activations[number + 1]
    counts = count(_counted(log, start, end, rules))
    if counts.executions >= rules.baseline_executions:
        return counts
    return _baseline(log, start, rules, count)
