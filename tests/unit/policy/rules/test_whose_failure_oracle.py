"""Failures that are not the tool's against the oracle, over generated logs, under both policies."""

from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.row import Row, decode, encode
from schemas.execution import Execution
from schemas.rules.rules import Rules
from tests.support.cases import cases
from tests.support.policy.folding import (
    assert_same_in_batches,
    commands_of_product,
    dumped,
    encode_or_none,
    log_record,
)
from tests.support.policy.generated_logs import OTHER_RULES, built_by, logs
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.oracle.log import Entry
from tests.support.policy.oracle.whose_failure import counts, origin_of

pytestmark = pytest.mark.exhaustive

LOGS_EACH = cases(150)


@settings(max_examples=cases(100))
@given(logs(OTHER_RULES), st.integers(0, 1_000))
def test_product_and_oracle_issue_the_same_commands(
    case: tuple[Rules, list[Entry]], seed: int
) -> None:
    rules, log = case
    expected = commands_of(log, rules)
    assert dumped(commands_of_product(log, rules)) == dumped(expected)
    found = assert_same_in_batches(log, rules, Random(seed))
    assert dumped(command for _, command in found) == dumped(expected)


@pytest.mark.parametrize("which", range(len(OTHER_RULES)))
def test_they_agree_on_many_logs(which: int) -> None:
    rules, found = OTHER_RULES[which], Counter[str]()
    for seed in range(LOGS_EACH):
        random = Random(f"{which}/{seed}")
        log = built_by(random, rules)
        expected = commands_of(log, rules)
        assert dumped(commands_of_product(log, rules)) == dumped(expected), f"seed {which}/{seed}"
        batches = assert_same_in_batches(log, rules, random)
        assert dumped(command for _, command in batches) == dumped(expected)
        for command in expected:
            found[command.reason] += 1
            found["with others"] += "not_judged" in command.details
        blind = rules.changed({"caller_errors": (), "environment_errors": ()})
        found["changed"] += dumped(commands_of_product(log, blind)) != dumped(expected)
    assert found["with others"] >= 1, found
    assert found["changed"] >= 1, found


@pytest.mark.parametrize("which", range(len(OTHER_RULES)))
def test_a_log_without_the_others_failures_gives_the_same_decisions(which: int) -> None:
    """They count neither as executions nor as failures, nor do they move 'now'."""
    rules = OTHER_RULES[which]
    for seed in range(LOGS_EACH // 3):
        log = built_by(Random(f"without/{which}/{seed}"), rules)
        left = [
            each
            for each in log
            if not isinstance(each.entry, Execution) or counts(each.entry, rules)
        ]
        shown, expected = dumped(commands_of_product(log, rules)), commands_of(left, rules)
        for command in shown:
            command["details"].pop("not_judged", None)
        assert shown == dumped(expected), f"seed {which}/{seed}"


def test_what_was_folded_keeps_its_origin_when_the_settings_change() -> None:
    changed = 0
    others = {"caller_errors": ("TypeError", "HTTPError"), "environment_errors": ()}
    for which, seed in product(range(len(OTHER_RULES)), range(LOGS_EACH // 3)):
        before = OTHER_RULES[which]
        after, random = before.changed(others), Random(f"settings/{which}/{seed}")
        log = built_by(random, before)
        until = random.randrange(len(log))
        row = _folded(None, log[:until], before)
        row = _folded(None if row is None else decode(encode(row)), log[until:], after)
        said = [_with_origin(each, before) for each in log[:until]]
        stated = _folded(_folded(None, said, after), log[until:], after)
        assert encode_or_none(row) == encode_or_none(stated), f"seed {which}/{seed}"
        changed += encode_or_none(row) != encode_or_none(_folded(None, log, after))
    assert changed >= 1


def _folded(row: Row | None, log: list[Entry], rules: Rules) -> Row | None:
    for each in log:
        row, _ = fold(row, log_record(each), policy_for(rules))
    return row


def _with_origin(entry: Entry, rules: Rules) -> Entry:
    if not isinstance(entry.entry, Execution):
        return entry
    origin = origin_of(entry.entry, rules)
    return replace(entry, entry=entry.entry.model_copy(update={"error_origin": origin}))
