"""The quality tests against the oracle, over generated logs in which few numbers condemn."""

from collections import Counter
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.execution import Activation
from schemas.rules.rules import Rules
from tests.support.cases import THOROUGH, cases
from tests.support.policy.folding import (
    assert_same_in_batches,
    commands_of_product,
    dumped,
    note_counted_at_once,
    with_withdrawals,
)
from tests.support.policy.generated_logs import OTHERS
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.oracle.log import Entry
from tests.support.policy.quality_logs import (
    QUALITY_RULES,
    quality_log_built_by,
    quality_logs,
    small_blocks,
)

pytestmark = pytest.mark.exhaustive

LOGS_EACH = 150 if THOROUGH else 45


@settings(max_examples=cases(60))
@given(quality_logs(), st.integers(0, 1_000))
def test_the_oracle_issues_the_same_commands_in_batches_of_any_length(
    case: tuple[Rules, list[Entry]], seed: int
) -> None:
    rules, log = case
    with small_blocks():
        expected = commands_of(log, rules)
        assert dumped(commands_of_product(log, rules)) == dumped(expected)
        found = assert_same_in_batches(log, rules, Random(seed))
        assert dumped(command for _, command in found) == dumped(expected)


@pytest.mark.parametrize("which", range(len(QUALITY_RULES)))
def test_they_agree_on_many_logs_and_each_test_condemns(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, at_once = QUALITY_RULES[which], note_counted_at_once(monkeypatch)
    found: Counter[str] = Counter()
    with small_blocks():
        for seed in range(LOGS_EACH):
            random = Random(f"quality/{which}/{seed}")
            log = quality_log_built_by(random, rules)
            expected = commands_of(log, rules)
            assert dumped(commands_of_product(log, rules)) == dumped(expected), f"seed {seed}"
            batches = assert_same_in_batches(log, rules, random)
            assert dumped(command for _, command in batches) == dumped(expected)
            found.update(f"{command.reason} {command.mode}" for command in expected)
    if rules.policy == "guarded":
        slower = "None" if "slower" in rules.enforce else "observe"
        costlier = "None" if "costlier" in rules.enforce else "observe"
        judged = "hold" if "judged_bad" in rules.hold else "None"
        wanted = (f"slower {slower}", f"costlier {costlier}", f"judged_bad {judged}")
        assert min(found[each] for each in wanted) >= 1, found
        assert sum(at_once) > LOGS_EACH


def test_they_agree_on_withdrawn_commands_and_on_failures_that_are_not_the_tools() -> None:
    found = Counter[str]()
    with small_blocks():
        for which, seed in product(range(4), range(LOGS_EACH // 3)):
            rules, random = QUALITY_RULES[which].changed(OTHERS), Random(f"{which}/{seed}")
            log = with_withdrawals(quality_log_built_by(random, rules), rules, random)
            expected = commands_of(log, rules)
            assert dumped(commands_of_product(log, rules)) == dumped(expected), f"seed {seed}"
            batches = assert_same_in_batches(log, rules, random)
            assert dumped(command for _, command in batches) == dumped(expected)
            withdrawn = {each.entry.outage for each in log if isinstance(each.entry, Activation)}
            found.update(each.reason for each in expected if each.command_id in withdrawn)
            found["not judged"] += sum("not_judged" in each.details for each in expected)
    assert found["judged_bad"] >= 1, found
    assert found["not judged"] >= 1, found
