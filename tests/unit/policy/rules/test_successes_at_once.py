"""Successes that are counted at once leave the same rows and commands as one by one."""

from collections import Counter
from random import Random

import pytest

from schemas.execution import Execution
from schemas.rules.rules import Rules
from tests.support.cases import cases
from tests.support.policy.folding import assert_same_in_batches, note_counted_at_once
from tests.support.policy.generated_logs import RULES, built_by
from tests.support.policy.written_logs import Script

LOGS_EACH = cases(400)
"""How many seeded logs are folded under each of the rules."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("which", range(len(RULES)))
def test_counting_successes_at_once_changes_nothing(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of any length lead to the same rows, byte for byte, and the same commands."""
    rules, at_once = RULES[which], note_counted_at_once(monkeypatch)
    for seed in range(LOGS_EACH):
        random = Random(f"{which}/{seed}")
        assert_same_in_batches(built_by(random, rules), rules, random)
    assert sum(at_once) > LOGS_EACH


@pytest.mark.exhaustive
def test_a_success_after_which_a_rule_holds_is_not_overlooked() -> None:
    """Older successes leave a window, or a window reaches the number that a rule needs."""
    rules = Rules.model_validate(
        RULES[4].model_dump() | {"high_failure_rate": "0.5", "high_failure_rate_executions": 9}
    )
    by_success: Counter[str] = Counter()
    for seed in range(cases(1_500)):
        random = Random(seed)
        script, before, begin = Script().deploy(0), random.randint(3, 8), 145
        if random.random() < 0.5:  # with a baseline: the standard window decides
            script.run("." * 12, *range(12)).deploy(20)
            before, begin = 25, 655
        script.run("." * before, *range(21, 21 + before))
        for second in sorted(random.sample(range(60, 140), random.randint(3, 7))):
            script.run("F", second)
        after, step = random.randint(2, 9), random.choice((0, 1, 2, 20))
        begin += random.randint(0, 15)
        script.run(
            "." * after, *range(begin, begin + after * step, step) if step else [begin] * after
        )
        found = assert_same_in_batches(script.log, rules, random)
        ends = {each.timestamp_ms: each.entry for each in script.log}
        for timestamp_ms, command in found:
            entry = ends[timestamp_ms]
            if isinstance(entry, Execution) and entry.success:
                by_success[command.tier] += 1
    assert min(by_success["fast"], by_success["standard"]) >= 20, by_success
