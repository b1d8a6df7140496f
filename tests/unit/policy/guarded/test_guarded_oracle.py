"""Policy `guarded` against the oracle, over generated logs. The numbers let short logs condemn."""

from collections import Counter
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.decision.fold import fold, fold_all
from policy.decision.policies import policy_for
from policy.state.row import decode, encode
from schemas.rules.rules import Rules
from tests.support.cases import THOROUGH, cases
from tests.support.policy.folding import (
    assert_same_in_batches,
    commands_of_product,
    dumped,
    log_record,
    note_counted_at_once,
    with_withdrawals,
)
from tests.support.policy.generated_logs import (
    GUARDED_RULES,
    RULES,
    built_by,
    guarded,
    logs,
    undismissed,
)
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.oracle.log import Entry
from tests.support.policy.written_logs import Script, every

pytestmark = pytest.mark.exhaustive

LOGS_EACH = 150 if THOROUGH else 30
BEGINS = (50, 0, 0, 0, 0)
"""The first seed for each of the rules: a dismissal matters in few logs, and in one of these."""


@settings(max_examples=cases(60))
@given(logs(GUARDED_RULES), st.integers(0, 1_000))
def test_the_oracle_issues_the_same_commands_in_batches_of_any_length(
    case: tuple[Rules, list[Entry]], seed: int
) -> None:
    rules, log = case
    expected = commands_of(log, rules)
    assert dumped(commands_of_product(log, rules)) == dumped(expected)
    found = assert_same_in_batches(log, rules, Random(seed))
    assert dumped(command for _, command in found) == dumped(expected)


@pytest.mark.parametrize("which", range(len(GUARDED_RULES)))
def test_they_agree_on_many_logs_and_each_test_condemns(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, at_once = GUARDED_RULES[which], note_counted_at_once(monkeypatch)
    found: Counter[str] = Counter()
    for seed in range(BEGINS[which], BEGINS[which] + LOGS_EACH):
        random = Random(f"{which}/{seed}")
        log = built_by(random, rules)
        expected = commands_of(log, rules)
        assert dumped(commands_of_product(log, rules)) == dumped(expected), f"seed {which}/{seed}"
        batches = assert_same_in_batches(log, rules, random)
        assert dumped(command for _, command in batches) == dumped(expected)
        for command in expected:
            said = command.details["evidence"]
            found.update((said["test"], command.reason, f"assumed {said['assumed']}"))
            found["again"] += command.details["attempt"] > 1
        if not found["dismissed"]:
            without = commands_of_product(undismissed(log), rules)
            found["dismissed"] += dumped(without) != dumped(expected)
    assert sum(at_once) > LOGS_EACH
    assert found["rate"] >= 3, found
    assert found["assumed True"] >= 3, found
    if which != 1:
        wanted = ("signature", "break", "regression", "assumed False", "consecutive_failures")
        assert min(found[each] for each in wanted) >= 1, found
        assert found["again"] >= 1, found
        assert found["dismissed"] >= 1, found


def test_they_agree_on_commands_that_were_withdrawn_in_an_outage() -> None:
    found = Counter[str]()
    for which, seed in product(range(len(GUARDED_RULES)), range(LOGS_EACH // 2)):
        rules, random = GUARDED_RULES[which], Random(f"withdrawn/{which}/{seed}")
        before = built_by(random, rules)
        log = with_withdrawals(before, rules, random)
        expected = commands_of(log, rules)
        assert dumped(commands_of_product(log, rules)) == dumped(expected), f"seed {which}/{seed}"
        batches = assert_same_in_batches(log, rules, random)
        assert dumped(command for _, command in batches) == dumped(expected)
        found["answers"] += len(log) - len(before)
        found["again"] += sum(command.details["attempt"] > 1 for command in expected)
    assert found["answers"] >= 5, found
    assert found["again"] >= 3, found


DEFAULT = guarded(Rules())


def test_successes_are_counted_at_once_whatever_a_rule_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once = note_counted_at_once(monkeypatch)
    script = Script().deploy(0).run("FFF" + "." * 7, *every(0, 10, 0), error="TypeError")
    records = [log_record(each) for each in script.log]
    fold_all(None, records, policy_for(Rules()))
    assert at_once == []
    fold_all(None, records, policy_for(DEFAULT))
    assert at_once == [7]


@pytest.mark.parametrize("which", range(len(RULES)))
def test_under_seed_a_row_holds_no_evidence(which: int) -> None:
    rules = RULES[which]
    for seed in range(20):
        row = None
        for each in built_by(Random(f"{which}/{seed}"), rules):
            row, command = fold(row, log_record(each), policy_for(rules))
            assert row is None or row.tool_evidence is None
            assert command is None or "evidence" not in command.details
        if row is not None:
            assert decode(encode(row)).tool_evidence is None
