"""The oracle of the quality tests: everything is computed from lists, and nothing is remembered.

It shares two things with the product: the edges of the bins, and the odds that a test gives for its
counts, which ``tests/unit/policy/weighing/test_quality_tests.py`` compares with exact fractions.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import policy.state.quality.measured as limits
from policy.state.quality.later_verdicts import REMEMBERED
from policy.state.quality.tail import EDGES, LOWEST_BIN, MOST_BINS
from policy.weighing.quality_tests import QualityTest, Share
from policy.weighing.weighing import KindCounts
from schemas.execution import Activation, Execution
from schemas.later_verdict import LaterVerdict
from schemas.rollback import QualityReason
from schemas.rules.rules import Rules

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Segment(NamedTuple):
    """What the log says of one activation, in the order of the log."""

    activation: Activation
    executions: Sequence[Execution]
    """Those that count."""
    verdicts: Sequence[LaterVerdict]


class Seen(NamedTuple):
    """The quality tests after a log, and the reasons that its last record speaks for."""

    tests: list[QualityTest]
    grounds: set[QualityReason]


class SortedTail(NamedTuple):
    threshold: int
    counted: int
    above: int


class _Baseline(NamedTuple):
    tail: SortedTail | None
    until_s: int


class _Known(NamedTuple):
    """What an activation is compared with."""

    durations: _Baseline
    costs: _Baseline
    verdicts: Share
    newest: tuple[object, ...]
    replaced: int


_NOTHING = _Known(_Baseline(None, 0), _Baseline(None, 0), Share(0, 0), (), 0)


def quality_of(segments: Sequence[Segment], last: Execution | LaterVerdict, rules: Rules) -> Seen:
    """Return what is known after these segments; ``last`` is the last record, if it counts."""
    known = _NOTHING
    for index, segment in enumerate(segments[:-1]):
        known = _after(segment, known, segments[index + 1].activation, rules)
    return _seen(segments[-1], known, last, rules)


def bin_of(number: float) -> int:
    return sum(edge <= number for edge in EDGES) + LOWEST_BIN


def tail_of(numbers: Sequence[float]) -> SortedTail | None:
    """Return the tail of these numbers, found in their sorted list.

    The threshold is the highest bin above which at most one of twenty numbers lies, but not lower
    than the bin under the highest ``MOST_BINS`` bins that hold a number.
    """
    if not numbers:
        return None
    bins = sorted(bin_of(number) for number in numbers)
    lowest = sorted(set(bins))[-MOST_BINS:][0] - 1
    few = [
        threshold
        for threshold in (*set(bins), lowest)
        if sum(each > threshold for each in bins) * 20 <= len(bins)
    ]
    threshold = max(min(few), lowest)
    return SortedTail(threshold, len(bins), sum(each > threshold for each in bins))


def _after(segment: Segment, known: _Known, by: Activation, rules: Rules) -> _Known:
    """Return what the activation after this segment is compared with."""
    replaced = segment.activation.version_id
    if by.activated_by.kind == "rollback":
        if by.version_id != known.replaced:
            return _NOTHING._replace(replaced=replaced)
        return known._replace(replaced=replaced, newest=_judged(segment, known)[1])
    judged, newest = _judged(segment, known)
    return _Known(
        _left(_numbers(segment, _duration, rules), known.durations, segment, rules),
        _left(_numbers(segment, _cost, rules), known.costs, segment, rules),
        judged if judged.asked >= rules.baseline_executions else known.verdicts,
        newest,
        replaced,
    )


def _left(
    numbers: Sequence[tuple[float, int]], known: _Baseline, segment: Segment, rules: Rules
) -> _Baseline:
    blocks: list[list[float]] = []
    begun = 0
    for number, now_s in numbers:
        if not blocks or (
            now_s - begun >= rules.compared_span_s and len(blocks[-1]) >= limits.LEAST_OF_BLOCK
        ):
            blocks.append([])
            begun = now_s
        blocks[-1].append(number)
    enough = [block for block in blocks[-2:] if len(block) >= limits.LEAST_OF_BASELINE]
    if not enough:
        return known
    largest = max(reversed(enough), key=len)
    times = [each.executed_at for each in segment.executions]
    return _Baseline(tail_of(largest), _seconds(max(times)))


def _seen(segment: Segment, known: _Known, last: Execution | LaterVerdict, rules: Rules) -> Seen:
    judged, _ = _judged(segment, known)
    tests = []
    grounds: set[QualityReason] = set()
    if judged.asked or known.verdicts.asked:
        before = known.verdicts if known.verdicts.asked else None
        alpha = rules.judged_bad_alpha
        counts = KindCounts(judged.asked - judged.found, 0, judged.found, 0)
        tests.append(QualityTest("judged_bad", counts, before, 1.0, alpha, None))
    if isinstance(last, LaterVerdict) and last.bad:
        without = segment._replace(verdicts=segment.verdicts[:-1])
        if judged != _judged(without, known)[0]:
            grounds.add("judged_bad")
    reasons: tuple[tuple[QualityReason, Callable[[Execution], float | None], _Baseline], ...] = (
        ("slower", _duration, known.durations),
        ("costlier", _cost, known.costs),
    )
    for reason, field, baseline in reasons:
        share = _compared(_numbers(segment, field, rules), baseline, rules)
        tail = baseline.tail
        if tail is None:
            continue
        tests.append(
            QualityTest(
                reason,
                share,
                Share(tail.counted, tail.above),
                rules.slower_tolerance,
                rules.slower_alpha,
                EDGES[end] if (end := tail.threshold - LOWEST_BIN) < len(EDGES) else None,
            )
        )
        if isinstance(last, Execution) and _has(last, field):
            without = segment._replace(executions=segment.executions[:-1])
            before_it = _compared(_numbers(without, field, rules), baseline, rules)
            if share[2:] != before_it[2:]:
                grounds.add(reason)
    return Seen(tests, grounds)


def _compared(
    numbers: Sequence[tuple[float, int]], baseline: _Baseline, rules: Rules
) -> KindCounts:
    """Return how many are below and above the threshold, and how many of these follow one above."""
    tail = baseline.tail
    if tail is None:
        return KindCounts(0, 0, 0, 0)
    above = [
        bin_of(number) > tail.threshold
        for number, now_s in numbers
        if now_s - baseline.until_s <= rules.compared_span_s
    ]
    pairs = list(zip([False, *above], above, strict=False))
    return KindCounts(
        pairs.count((False, False)),
        pairs.count((True, False)),
        pairs.count((False, True)),
        pairs.count((True, True)),
    )


def _judged(segment: Segment, known: _Known) -> tuple[Share, tuple[object, ...]]:
    """Return the counts of the verdicts that count, and the newest ids."""
    activation, newest = segment.activation, known.newest
    counted: list[bool] = []
    for verdict in segment.verdicts:
        if verdict.version_id != activation.version_id:
            continue
        is_rollback = activation.activated_by.kind == "rollback"
        if is_rollback and verdict.judged_at < activation.activated_at:
            continue
        if verdict.verdict_id in newest:
            continue
        newest = (*newest, verdict.verdict_id)[-REMEMBERED:]
        counted.append(verdict.bad)
    return Share(len(counted), sum(counted)), newest


def _numbers(
    segment: Segment, field: Callable[[Execution], float | None], rules: Rules
) -> list[tuple[float, int]]:
    """Return the numbers of the successes after the warm-up, each with 'now' in seconds."""

    def all_of_them() -> Iterator[tuple[float, int]]:
        for index, execution in enumerate(segment.executions):
            now = max(each.executed_at for each in segment.executions[: index + 1])
            number = field(execution)
            if execution.success and number is not None and number >= 0:
                yield number, _seconds(now)

    return list(all_of_them())[rules.warm_up_executions :]


def _has(execution: Execution, field: Callable[[Execution], float | None]) -> bool:
    number = field(execution)
    return execution.success and number is not None and number >= 0


def _duration(execution: Execution) -> float | None:
    return execution.duration_ms


def _cost(execution: Execution) -> float | None:
    return execution.cost


def _seconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)
