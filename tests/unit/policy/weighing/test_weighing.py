"""The three tests against exact fractions."""

from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.state.evidence import Baseline, Evidence
from policy.weighing.betting_tables import (
    BREAK_BETS,
    RATE_BETS,
    SIGNATURE_BETS,
    SIGNATURE_LEVELS,
    EvidenceNumbers,
    betting_tables_of,
)
from policy.weighing.weighing import condemns, weigh
from tests.support.policy.exact_odds import break_of, mixture_of
from tests.support.policy.outcomes import POLICY, baseline_of, evidence_of

pytestmark = pytest.mark.exhaustive

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
        Fraction(level.factor) * mixture_of(log, RATE_BETS, table.expected)
        for level, table in zip(policy.rate_levels, tables.rate, strict=True)
    )
    signature = min(
        Fraction(times) * mixture_of(log, SIGNATURE_BETS, table.expected, "T")
        for (_, times), table in zip(SIGNATURE_LEVELS, tables.signature, strict=True)
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
