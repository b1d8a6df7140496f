"""Each rule in words, with the numbers that are set."""

from typing import Any

import pytest

from policy.decision.rule_texts import rule_text
from schemas.rules.rules import Rules


@pytest.mark.parametrize(
    ("rule", "numbers", "text"),
    [
        (
            ("immediate", "consecutive_failures"),
            {"consecutive_failures": 4},
            "the newest 4 executions all failed, of the newest 10 executions, within 300 s",
        ),
        (
            ("immediate", "signature_change"),
            {},
            "at least 2 failures are TypeError or AttributeError, of the newest 10 executions, "
            "within 300 s",
        ),
        (
            ("immediate", "complete_failure"),
            {"recent_window_s": 60},
            "at least 5 executions and all failed, of the newest 10 executions, within 60 s",
        ),
        (
            ("fast", "complete_failure"),
            {},
            "at least 5 executions in the last 1800 s, and all failed",
        ),
        (
            ("fast", "high_failure_rate"),
            {"high_failure_rate": "0.875"},
            "at least 5 executions in the last 1800 s, and more than 87.5 % failed",
        ),
        (
            ("standard", "success_rate_drop"),
            {},
            "at least 10 executions in the last 86400 s, and a success rate at least 15 points "
            "below the baseline",
        ),
        (
            ("standard", "regression"),
            {"policy": "guarded"},
            "the evidence against the version reached its limit, and no other rule held",
        ),
        (("manual", "manual"), {}, "a person's order"),
    ],
)
def test_the_text_of_a_rule(rule: tuple[Any, Any], numbers: dict[str, Any], text: str) -> None:
    assert rule_text(*rule, Rules.model_validate(numbers)) == text
