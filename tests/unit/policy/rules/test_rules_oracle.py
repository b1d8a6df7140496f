"""The rules of policy `seed` against the oracle, over generated logs."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings, target

from schemas.fields import time_of
from schemas.rules.rules import Rules
from tests.support.cases import THOROUGH, cases
from tests.support.policy.folding import commands_of_product, dumped
from tests.support.policy.generated_logs import RULES, built_by, logs
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.oracle.log import Entry

pytestmark = pytest.mark.exhaustive

PAIRS = {
    ("immediate", "consecutive_failures"),
    ("immediate", "signature_change"),
    ("immediate", "complete_failure"),
    ("fast", "complete_failure"),
    ("fast", "high_failure_rate"),
    ("standard", "success_rate_drop"),
}

REACHABLE = [
    PAIRS - {("immediate", "complete_failure")},
    PAIRS - {("immediate", "complete_failure")},
    PAIRS,
    {("immediate", "consecutive_failures")},
    PAIRS - {("immediate", "complete_failure"), ("immediate", "signature_change")},
]
"""By rules: what is reached often. Complete failure never is where it needs as many executions as
consecutive failures does; four signature errors in a ring of four are four consecutive failures."""

LOGS_EACH = 400 if THOROUGH else 133
"""How many seeded logs are compared under each of the rules."""


@settings(max_examples=cases(100))
@given(logs())
def test_product_and_oracle_issue_the_same_commands(case: tuple[Rules, list[Entry]]) -> None:
    rules, log = case
    expected = commands_of(log, rules)
    target(float(len({(each.tier, each.reason) for each in expected})), label="rules reached")
    target(float(len(expected)), label="commands")
    assert dumped(commands_of_product(log, rules)) == dumped(expected)


@pytest.mark.parametrize("which", range(len(RULES)))
def test_product_and_oracle_agree_on_many_logs_and_each_rule_is_reached(which: int) -> None:
    rules = RULES[which]
    reached: Counter[tuple[str, str]] = Counter()
    again = with_baseline = at_timestamp = 0
    for seed in range(LOGS_EACH):
        log = built_by(Random(f"{which}/{seed}"), rules)
        expected = commands_of(log, rules)
        assert dumped(commands_of_product(log, rules)) == dumped(expected), f"seed {which}/{seed}"
        timestamps = {time_of(each.timestamp_ms * 1000) for each in log}
        for command in expected:
            reached[command.tier, command.reason] += 1
            again += command.details["attempt"] > 2
            with_baseline += command.details["baseline"] is not None
            at_timestamp += command.issued_at in timestamps
    assert {pair for pair in PAIRS if reached[pair] >= 3} >= REACHABLE[which], reached
    assert again >= 3
    assert with_baseline >= 3
    assert at_timestamp >= 3
