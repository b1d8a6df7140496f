"""How near a version is to each rule: the numbers agree with what holds."""

from collections import Counter
from random import Random

import pytest

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.decision.rules_now import RuleNow, rules_now
from policy.decision.threshold_rules import rules_that_hold
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
