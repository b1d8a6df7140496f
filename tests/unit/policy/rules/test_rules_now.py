"""How near a version is to each rule: the numbers agree with what holds."""

from collections import Counter
from random import Random

import pytest

from policy.decision.fold import fold
from policy.decision.glance import glance_of
from policy.decision.policies import policy_for
from policy.decision.rules_now import NearestRule, RuleNow, nearest_threshold, rules_now
from policy.decision.threshold_rules import rules_that_hold
from policy.state.outage_watch import OutageWatch
from schemas.rules.outages import OutageRules
from tests.support.policy.folding import log_record
from tests.support.policy.generated_logs import RULES, built_by
from tests.support.policy.written_logs import Script, every


def holds_by_its_numbers(rule: RuleNow) -> bool:
    if rule.value is None or rule.executions < rule.executions_needed:
        return False
    return (
        rule.value > rule.limit
        if rule.reason == "high_failure_rate"
        else (rule.value >= rule.limit)
    )


@pytest.mark.parametrize("which", range(len(RULES)))
def test_a_rule_holds_when_its_number_reaches_its_limit(which: int) -> None:
    rules, seen = RULES[which], Counter[bool]()
    for seed in range(40):
        row = None
        for record in built_by(Random(f"{which}/{seed}"), rules):
            row, _ = fold(row, log_record(record), policy_for(rules))
            if row is None:
                continue
            found = rules_now(row, rules)
            holding = {(each.tier, each.reason) for each in rules_that_hold(row, rules)}
            assert {(each.tier, each.reason) for each in found if each.holds} == holding
            for rule in found:
                at_limit = rule.value is not None and abs(rule.value - rule.limit) < 1e-9
                if not at_limit or rule.value == rule.limit == int(rule.limit):
                    assert rule.holds == holds_by_its_numbers(rule), rule
                seen[rule.holds] += 1
            nearest = nearest_threshold(row, rules)
            share = 0.0 if nearest is None else nearest.share
            assert (share == 1) == bool(holding)
            assert 0 <= share <= 1
            if nearest is not None and share == 1:
                assert nearest.reason in {reason for _, reason in holding}
    assert min(seen[True], seen[False]) > 20


def test_the_numbers_of_one_version() -> None:
    script = Script().deploy(0).run("." * 10, *every(1, 10, 0)).deploy(200)
    script.run(".FF", *every(10, 3, 210), error="TypeError")
    row = None
    for record in script.log:
        row, _ = fold(row, log_record(record), policy_for(RULES[1]))
    assert row is not None
    found = {(each.tier, each.reason): each[3:] for each in rules_now(row, RULES[1])}
    assert found == {
        ("immediate", "consecutive_failures"): (2, 3, 3, 3),
        ("immediate", "signature_change"): (2, 2, 3, 2),
        ("immediate", "complete_failure"): (2 / 3, 1.0, 3, 5),
        ("fast", "complete_failure"): (2 / 3, 1.0, 3, 5),
        ("fast", "high_failure_rate"): (2 / 3, 0.8, 3, 5),
        ("standard", "success_rate_drop"): (1 - 1 / 3, 0.15, 3, 10),
    }


@pytest.mark.parametrize(
    ("outcomes", "nearest"),
    [
        ("....", None),
        # One of two signature errors; one of three in a row.
        (".F", NearestRule("signature_change", 1 / 2)),
        ("F.F", NearestRule("signature_change", 1.0)),
    ],
)
def test_the_nearest_rule(outcomes: str, nearest: NearestRule | None) -> None:
    script = Script().deploy(0).run(outcomes, *every(1, len(outcomes), 0), error="TypeError")
    row = None
    for record in script.log:
        row, _ = fold(row, log_record(record), policy_for(RULES[1]))
    assert row is not None
    assert nearest_threshold(row, RULES[1]) == nearest


def test_a_glance_has_the_rates_of_the_window_that_shows_more() -> None:
    policy, rules = policy_for(RULES[1]), RULES[1]
    outages = OutageRules()
    script = Script().deploy(0).run(".F" * 4, *every(60, 8, 0))
    row = None
    for record in script.log:
        row, _ = fold(row, log_record(record), policy)
    assert row is not None
    found = glance_of(row, "a", policy, OutageWatch(), outages)
    assert (found["state"], found["bucket_s"]) == ("suspect", rules.fast_bucket_s)
    assert [each[1:] for each in found["counts"]] == [[1, 0], [1, 1]] * 4
    script.run("." * 7, *every(3_600, 7, 3_600))
    row = None
    for record in script.log:
        row, _ = fold(row, log_record(record), policy)
    assert row is not None
    found = glance_of(row, "a", policy, OutageWatch(), outages)
    assert (found["state"], found["bucket_s"]) == ("healthy", rules.standard_bucket_s)
    assert [each[1:] for each in found["counts"]] == [[8, 4], *[[1, 0]] * 7]
