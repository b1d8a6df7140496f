"""Single cases of the tests, by hand."""

from math import isfinite

import msgspec
import pytest

from policy.state.evidence import Baseline
from policy.statistics.bounds import lower_bound, upper_bound
from policy.weighing.betting_tables import EvidenceNumbers, betting_tables_of
from policy.weighing.weighing import condemns, weigh
from tests.support.policy.outcomes import POLICY, evidence_of

ENOUGH = Baseline(100, 10, 0, 10, 1)


def first_condemned(log: str, baseline: Baseline | None, policy: EvidenceNumbers = POLICY) -> int:
    """Return after how many executions the version is condemned; 0 if never."""
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


def test_every_number_of_the_decision() -> None:
    baseline = Baseline(120, 2, 0, 2, 0)
    name, against = weigh(evidence_of("FFSFFF", baseline), baseline, POLICY).nearest_to_limit
    assert (name, against.expected.confidence) == ("rate", 0.8)
    assert against.odds > against.limit == pytest.approx(100)
    assert against.expected.failure_rate == upper_bound(2, 118, 0.8)
    assert against.expected.repeat_rate == upper_bound(0, 2, 0.7)
    assert against.expected.success_rate == pytest.approx(0.938, abs=1e-3)
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


def test_repeated_failures_are_expected_as_far_as_the_baseline_allows() -> None:
    """After 50 failures, 25, 5 or 45 times another failure follows."""
    usual, alone, long = (
        betting_tables_of(Baseline(500, 50, 0, 50, repeats), POLICY).rate[0].expected.repeat_rate
        for repeats in (25, 5, 45)
    )
    assert usual == 0.5
    assert alone == upper_bound(5, 50, 0.7) < 0.2
    assert long == lower_bound(45, 50, 0.7) > 0.8


def test_a_failure_is_never_expected_to_be_less_probable_after_a_failure() -> None:
    expected = betting_tables_of(Baseline(500, 300, 0, 300, 20), POLICY).rate[0].expected
    assert expected.repeat_rate == expected.failure_rate


def test_a_tolerated_drop_is_no_evidence() -> None:
    """One of five fails; of the baseline one of ten did."""
    baseline = Baseline(1_000, 100, 0, 100, 10)
    log = ("SSSSF" * 100) + ("SSSFF" * 10)
    assert first_condemned(log, baseline)
    assert not first_condemned(log, baseline, POLICY._replace(tolerated_drop=0.15))
    for table in betting_tables_of(baseline, POLICY._replace(tolerated_drop=1.0)).rate:
        assert table.expected.failure_rate == table.expected.repeat_rate == 1


def test_nothing_becomes_infinite() -> None:
    baseline = Baseline(100_000, 0, 0, 0, 0)
    evidence = evidence_of("T" * 2_000, baseline)
    evidence.add_success()
    evidence.add_failure(True, betting_tables_of(baseline, POLICY).break_bets)
    for against in weigh(evidence, baseline, POLICY)[:3]:
        assert isfinite(against.odds)
    assert all(map(isfinite, evidence.breaks))


def test_a_row_grows_by_little() -> None:
    evidence = evidence_of("FTSF", ENOUGH)
    evidence.add_success(10**9)
    evidence.failures = evidence.failures_after_failure = evidence.signature_errors = 10**9
    assert len(msgspec.msgpack.encode(evidence)) <= 70
    assert len(msgspec.msgpack.encode(evidence.baseline)) <= 30
