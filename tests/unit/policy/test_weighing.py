"""The three tests against exact fractions, one execution at a time; and what they promise."""

from fractions import Fraction
from itertools import pairwise, product
from math import comb, isfinite
from random import Random
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.decision.betting_tables import (
    BREAK_BETS,
    RATE_BETS,
    SIGNATURE_BETS,
    SIGNATURE_LEVELS,
    Bet,
    EvidenceNumbers,
    ExpectedRates,
    betting_tables_of,
)
from policy.decision.weighing import condemns, weigh
from policy.state.evidence import Baseline, Evidence
from policy.statistics.bounds import lower_bound, upper_bound
from schemas.rules import Rules

POLICY = EvidenceNumbers.of(Rules())
ENOUGH = Baseline(100, 10, 0, 10, 1)

# ------------------------------------------------------------------------------------------------
# A log is a text: S succeeded, F failed, T failed with a signature error.
# ------------------------------------------------------------------------------------------------


def evidence_of(log: str, baseline: Baseline | None, policy: EvidenceNumbers = POLICY) -> Evidence:
    evidence, tables = Evidence(), betting_tables_of(baseline, policy)
    for outcome in log:
        if outcome == "S":
            evidence.add_success()
        else:
            evidence.add_failure(outcome == "T", tables.break_bets)
    return evidence


def baseline_of(log: str) -> Baseline:
    """Counted as it reads."""
    pairs = list(pairwise(log))
    return Baseline(
        len(log),
        len(log) - log.count("S"),
        log.count("T"),
        sum(before != "S" for before, _ in pairs),
        sum(before != "S" and after != "S" for before, after in pairs),
    )


def factor(bet: Bet, expected: ExpectedRates, failed: bool, after_failure: bool) -> Fraction:
    """The likelihood of one outcome under the bet, over the one that was expected."""
    null = Fraction(expected.repeat_rate if after_failure else expected.failure_rate)
    lost = Fraction(bet.lost_after_failure if after_failure else bet.lost)
    under_bet = null + lost * (1 - null)
    return under_bet / null if failed else (1 - under_bet) / (1 - null) if null < 1 else 1 - lost


def product_of(log: str, bet: Bet, expected: ExpectedRates, failures: str = "FT") -> Fraction:
    won, before = Fraction(1), False
    for outcome in log:
        failed = outcome in failures
        won *= factor(bet, expected, failed, before)
        before = failed
    return won


def mixture_of(
    log: str, bets: tuple[Bet, ...], expected: ExpectedRates, failures: str = "FT"
) -> Fraction:
    return sum(
        (Fraction(bet.weight) * product_of(log, bet, expected, failures) for bet in bets),
        Fraction(0),
    )


def break_of(log: str, expected: ExpectedRates) -> Fraction:
    total = Fraction(0)
    for bet in BREAK_BETS:
        won, before = Fraction(0), False
        for outcome in log:
            failed = outcome != "S"
            won = (won + 1) * factor(bet, expected, failed, before)
            before = failed
        total += Fraction(bet.weight) * won
    return total


logs = st.text(st.sampled_from("SSSFFT"), max_size=60)
baselines = st.none() | st.text(st.sampled_from("SSSSSSFT"), max_size=80).map(baseline_of)
policies = st.tuples(
    st.sampled_from((0.5, 0.8, 0.99)), st.sampled_from((0.0, 0.5, 0.9)), st.sampled_from((0.0, 0.3))
).map(
    lambda rates: POLICY._replace(
        assumed_success_rate=rates[0], assumed_repeat_rate=rates[1], tolerated_drop=rates[2]
    )
)


@given(logs, baselines, policies)
def test_odds_are_the_product_of_likelihood_ratios(
    log: str, baseline: Baseline | None, policy: EvidenceNumbers
) -> None:
    tables = betting_tables_of(baseline, policy)
    weighed = weigh(evidence_of(log, baseline, policy), baseline, policy)

    rate = min(
        Fraction(level.factor) * mixture_of(log, RATE_BETS, side.expected)
        for level, side in zip(policy.rate_levels, tables.rate, strict=True)
    )
    signature = min(
        Fraction(times) * mixture_of(log, SIGNATURE_BETS, side.expected, "T")
        for (_, times), side in zip(SIGNATURE_LEVELS, tables.signature, strict=True)
    )
    at_break = break_of(log, tables.break_expected)
    assert weighed.rate.odds == pytest.approx(float(rate), rel=1e-9)
    assert weighed.signature.odds == pytest.approx(float(signature), rel=1e-9)
    assert weighed.at_break.odds == pytest.approx(float(at_break), rel=1e-9)


@given(logs, baselines, policies)
def test_only_a_failure_condemns_and_then_what_the_odds_say(
    log: str, baseline: Baseline | None, policy: EvidenceNumbers
) -> None:
    for end in range(len(log) + 1):
        evidence = evidence_of(log[:end], baseline, policy)
        condemned = end > 0 and log[end - 1] != "S"
        condemned &= weigh(evidence, baseline, policy).nearest_to_limit.against.share_of_limit >= 1
        assert condemns(evidence, baseline, policy) == condemned


@given(logs, st.lists(st.integers(0, 50), max_size=5), baselines)
def test_a_success_never_speaks_against_a_version(
    log: str, successes: list[int], baseline: Baseline | None
) -> None:
    evidence = evidence_of(log, baseline)
    before = weigh(evidence, baseline, POLICY)
    for number in successes:
        evidence.add_success(number)
        after = weigh(evidence, baseline, POLICY)
        assert after.rate.odds <= before.rate.odds * (1 + 1e-12)
        assert after.signature.odds <= before.signature.odds * (1 + 1e-12)
        at_rest = sum(bet.weight * (1 - bet.lost) / bet.lost for bet in BREAK_BETS)
        assert after.at_break.odds <= before.at_break.odds + at_rest
        before = after


@given(logs, baselines, st.randoms(use_true_random=False))
def test_successes_at_once_leave_the_same_bits(
    log: str, baseline: Baseline | None, random: Random
) -> None:
    tables, at_once, place = betting_tables_of(baseline, POLICY), Evidence(), 0
    while place < len(log):
        run = len(log[place:]) - len(log[place:].lstrip("S"))
        if run:
            run = random.randint(1, run)
            at_once.add_success(run)
            place += run
        else:
            at_once.add_failure(log[place] == "T", tables.break_bets)
            place += 1
    one_by_one = evidence_of(log, baseline)
    assert msgspec.msgpack.encode(at_once) == msgspec.msgpack.encode(one_by_one)
    assert weigh(at_once, baseline, POLICY) == weigh(one_by_one, baseline, POLICY)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(at_once), type=Evidence)
    assert weigh(stored, baseline, POLICY) == weigh(one_by_one, baseline, POLICY)


@given(logs)
def test_a_version_becomes_a_baseline(log: str) -> None:
    assert evidence_of(log, None).baseline == baseline_of(log)


# ------------------------------------------------------------------------------------------------
# What is promised
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expected",
    [
        ExpectedRates(None, 0.25, 0.25),
        ExpectedRates(None, 0.25, 0.5),
        ExpectedRates(None, 0.0078125, 0.5),
        ExpectedRates(None, 0.75, 1.0),
    ],
    ids=str,
)
def test_no_better_version_loses_more_than_it_stakes(expected: ExpectedRates) -> None:
    """By enumeration of all logs of six executions, in fractions: whatever rates at or below the
    expected ones the version has, what the bets win on average is at most 1, and at most one stake
    for each execution in the case of the break.
    """
    logs = ["".join(log) for log in product("SF", repeat=6)]
    won = {log: mixture_of(log, RATE_BETS, expected) for log in logs}
    won_at_break = {log: break_of(log, expected) for log in logs}
    rates = [Fraction(part, 4) for part in range(5)]
    for after_success, after_failure in product(rates, rates):
        chances = (
            after_success * Fraction(expected.failure_rate),
            after_failure * Fraction(expected.repeat_rate),
        )
        probability = {log: _probability(log, *chances) for log in logs}
        assert sum(probability.values()) == 1
        assert sum(probability[log] * won[log] for log in logs) <= 1
        assert sum(probability[log] * won_at_break[log] for log in logs) <= 6


def _probability(log: str, after_success: Fraction, after_failure: Fraction) -> Fraction:
    result, before = Fraction(1), False
    for outcome in log:
        failed, chance = outcome == "F", after_failure if before else after_success
        result *= chance if failed else 1 - chance
        before = failed
    return result


@pytest.mark.parametrize("bets", [RATE_BETS, SIGNATURE_BETS, BREAK_BETS])
def test_stakes_are_one(bets: tuple[Bet, ...]) -> None:
    assert sum(bet.weight for bet in bets) == pytest.approx(1)
    assert all(0 < bet.lost <= 1 and 0 <= bet.lost_after_failure <= bet.lost for bet in bets)


@pytest.mark.parametrize("confidence", [0.7, 0.95, 0.9995])
def test_bounds_are_clopper_and_pearsons(confidence: float) -> None:
    """Against sums of the binomial distribution in fractions."""
    miss = 1 - Fraction(confidence)
    for executions in (1, 2, 9, 40, 150):
        for found in {0, 1, executions // 3, executions - 1, executions}:
            high = upper_bound(found, executions, confidence)
            low = lower_bound(executions - found, executions, confidence)
            assert low == pytest.approx(1 - high, abs=2.1e-9)  # the same, seen from the other side
            if found == executions:
                assert high == 1
                continue
            assert found / executions < high <= 1
            assert _at_most(found, executions, Fraction(high)) <= miss + Fraction(1, 10**12)
            assert _at_most(found, executions, Fraction(high) - Fraction(3, 10**9)) > miss


def _at_most(found: int, executions: int, rate: Fraction) -> Fraction:
    return sum(
        (
            comb(executions, seen) * rate**seen * (1 - rate) ** (executions - seen)
            for seen in range(found + 1)
        ),
        Fraction(0),
    )


def test_bounds_as_known() -> None:
    """Of nothing in n: 1 - miss^(1/n); of half a million, the normal approximation."""
    assert upper_bound(0, 100, 0.95) == pytest.approx(1 - 0.05**0.01, abs=2e-9)
    assert upper_bound(5_000, 500_000, 0.95) == pytest.approx(
        0.01 + 1.645 * (0.01 * 0.99 / 500_000) ** 0.5, abs=5e-6
    )
    assert (upper_bound(0, 0, 0.95), lower_bound(0, 0, 0.95)) == (1, 0)


# ------------------------------------------------------------------------------------------------
# Single cases
# ------------------------------------------------------------------------------------------------


def first_condemned(log: str, baseline: Baseline | None, policy: EvidenceNumbers = POLICY) -> int:
    """After how many executions; 0 is never."""
    for end in range(1, len(log) + 1):
        if condemns(evidence_of(log[:end], baseline, policy), baseline, policy):
            return end
    return 0


@pytest.mark.parametrize("log", ["TT", "STT", "TST", "SSTT", "TSST", "STST"])
def test_two_signature_errors_of_four_where_there_were_none_in_a_hundred(log: str) -> None:
    assert first_condemned(log, Baseline(100, 10, 0, 10, 1)) == len(log)


def test_two_signature_errors_where_there_always_were_some_say_nothing() -> None:
    usual = Baseline(100, 10, 10, 10, 1)
    assert not first_condemned("TT", usual)
    assert not first_condemned("TSST" + "S" * 20 + "TT", usual)


def test_every_number_of_the_decision_is_told() -> None:
    baseline = Baseline(120, 2, 0, 2, 0)
    name, weight = weigh(evidence_of("FFSFFF", baseline), baseline, POLICY).nearest_to_limit
    assert (name, weight.expected.confidence) == ("rate", 0.8)
    assert weight.odds > weight.limit == pytest.approx(100)
    assert weight.expected.failure_rate == upper_bound(2, 118, 0.8)
    assert weight.expected.repeat_rate == upper_bound(0, 2, 0.7)
    assert weight.expected.success_rate == pytest.approx(0.938, abs=1e-3)
    weighed = weigh(evidence_of("FFSFFF", baseline), baseline, POLICY)
    assert weighed.seen == Baseline(6, 5, 0, 4, 3)
    assert weighed.baseline == baseline


@pytest.mark.parametrize("baseline", [None, Baseline(0, 0, 0, 0, 0), Baseline(9, 0, 0, 0, 0)])
def test_without_a_baseline_the_assumed_rate_stands_for_it(baseline: Baseline | None) -> None:
    weighed = weigh(evidence_of("FFFFFFF", baseline), baseline, POLICY)
    assert weighed.baseline is None
    expected = weighed.rate.expected
    assert expected.confidence is None
    assert expected.failure_rate == pytest.approx(1 - POLICY.assumed_success_rate)
    assert expected.repeat_rate == POLICY.assumed_repeat_rate
    assert 0 < first_condemned("F" * 20, baseline) <= 8
    assert not first_condemned("TTT", baseline)


def test_runs_are_expected_as_far_as_the_baseline_allows() -> None:
    """Failures that follow failures: 25 of 50 are runs, 5 of 50 are not, 45 of 50 are long ones."""
    usual, alone, long = (
        betting_tables_of(Baseline(500, 50, 0, 50, repeats), POLICY).rate[0].expected.repeat_rate
        for repeats in (25, 5, 45)
    )
    assert usual == 0.5
    assert alone == upper_bound(5, 50, 0.7) < 0.2
    assert long == lower_bound(45, 50, 0.7) > 0.8


def test_a_failure_is_never_expected_less_after_a_failure() -> None:
    expected = betting_tables_of(Baseline(500, 300, 0, 300, 20), POLICY).rate[0].expected
    assert expected.repeat_rate == expected.failure_rate


def test_a_tolerated_drop_is_no_evidence() -> None:
    """One in five fails where one in ten did."""
    baseline = Baseline(1_000, 100, 0, 100, 10)
    log = ("SSSSF" * 100) + ("SSSFF" * 10)
    assert first_condemned(log, baseline)
    assert not first_condemned(log, baseline, POLICY._replace(tolerated_drop=0.15))
    for side in betting_tables_of(baseline, POLICY._replace(tolerated_drop=1.0)).rate:
        assert side.expected.failure_rate == side.expected.repeat_rate == 1


def test_nothing_becomes_infinite() -> None:
    baseline = Baseline(100_000, 0, 0, 0, 0)
    evidence = evidence_of("T" * 2_000, baseline)
    evidence.add_success()
    evidence.add_failure(True, betting_tables_of(baseline, POLICY).break_bets)
    for weight in weigh(evidence, baseline, POLICY)[:3]:
        assert isfinite(weight.odds)
    assert all(map(isfinite, evidence.breaks))


def test_a_row_grows_by_little() -> None:
    evidence = evidence_of("FTSF", ENOUGH)
    evidence.add_success(10**9)
    evidence.failures = evidence.failures_after_failure = evidence.signature_errors = 10**9
    assert len(msgspec.msgpack.encode(evidence)) <= 70
    assert len(msgspec.msgpack.encode(evidence.baseline)) <= 30


# ------------------------------------------------------------------------------------------------
# By chance: seeded, with bounds that a right module passes by a wide margin. The whole table:
# docs/decisions/0010-evidence.md
# ------------------------------------------------------------------------------------------------


def draw(random: Random, rates: tuple[float, float], number: int) -> str:
    """A chain: (rate of failures after a success, after a failure); one in ten has type errors."""
    log, failed = [], random.random() < rates[0]
    for _ in range(number):
        failed = random.random() < rates[failed]
        log.append(("T" if random.random() < 0.1 else "F") if failed else "S")
    return "".join(log)


def executions_until_condemned(log: str, baseline: Baseline, begin: int = 0) -> int:
    """As ``first_condemned`` counted from ``begin``; beyond the log if never."""
    evidence, tables = Evidence(), betting_tables_of(baseline, POLICY)
    for number, outcome in enumerate(log):
        if outcome == "S":
            evidence.add_success()
        else:
            evidence.add_failure(outcome == "T", tables.break_bets)
            if number >= begin and condemns(evidence, baseline, POLICY):
                return number + 1 - begin
    return len(log) + 1


@pytest.mark.parametrize("size", [10, 100, 500])
@pytest.mark.parametrize(
    ("rates", "bound"),
    [
        ((0.5, 0.5), 0.01),
        ((0.2, 0.2), 0.01),
        ((0.05, 0.05), 0.01),
        ((0.125, 0.5), 0.03),  # in runs of two, one of five fails
        ((0.5 / 19, 0.5), 0.03),  # one of twenty
    ],
    ids=str,
)
def test_no_worse_version_is_seldom_condemned(
    rates: tuple[float, float], bound: float, size: int
) -> None:
    random = Random(f"{rates} {size}")
    versions, condemned = 100, 0
    for _ in range(versions):
        baseline = baseline_of(draw(random, rates, size))
        log = draw(random, rates, 500)
        condemned += executions_until_condemned(log, baseline) <= 500
    # so many have a probability below 1 in 1,000 where the bound holds
    assert condemned <= {0.01: 5, 0.03: 9}[bound]


@pytest.mark.parametrize(
    ("before", "size", "healthy", "after", "limit"),
    [
        (0.1, 100, 0, 1.0, 4),
        (0.01, 500, 0, 1.0, 3),
        (0.1, 500, 0, 0.4, 23),
        (0.1, 500, 0, 0.25, 90),
        (0.2, 500, 1_000, 1.0, 9),
        (0.05, 500, 1_000, 1.0, 6),
    ],
    ids=str,
)
def test_a_worse_version_is_condemned_soon(
    before: float, size: int, healthy: int, after: float, limit: int
) -> None:
    """The median; ``after`` is the rate of failures behind ``healthy`` executions."""
    random = Random(f"{before} {size} {healthy} {after}")
    found = []
    for _ in range(150):
        baseline = baseline_of(draw(random, (before, before), size))
        log = draw(random, (before, before), healthy) + draw(random, (after, after), 500)
        found.append(executions_until_condemned(log, baseline, healthy))
    assert median(found) <= limit
