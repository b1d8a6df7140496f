"""Dry runs and held decisions: against the oracle and by hand."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from policy.decision.command import mode_of
from schemas.errors import Misconfigured
from schemas.rules.rules import Rules
from schemas.settings import load_settings
from tests.support.cases import THOROUGH
from tests.support.policy.folding import assert_same_in_batches, commands_of_product, dumped
from tests.support.policy.generated_logs import GUARDED_RULES, RULES, TOOL, built_by
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.written_logs import Script


def changed(rules: Rules, **numbers: Any) -> Rules:
    return Rules.model_validate(rules.model_dump() | numbers)


MODES: Sequence[Rules] = (
    changed(RULES[0], observe=("consecutive_failures", "complete_failure")),
    changed(RULES[0], observe=("high_failure_rate",), hold=("success_rate_drop",)),
    changed(RULES[4], enforced_share=0.5, hold=("high_failure_rate", "complete_failure")),
    changed(RULES[2], enforced_share=0.0),
    changed(
        GUARDED_RULES[0], observe=("regression",), hold=("signature_change",), enforced_share=0.8
    ),
    changed(GUARDED_RULES[3], observe=("consecutive_failures", "high_failure_rate")),
)


@pytest.mark.exhaustive
@pytest.mark.parametrize("which", range(len(MODES)))
def test_the_oracle_issues_the_same_commands_in_the_same_modes(which: int) -> None:
    rules = MODES[which]
    found: Counter[str | None] = Counter()
    both = 0
    for seed in range(200 if THOROUGH else 66):
        random = Random(f"{which}/{seed}")
        log = built_by(random, rules)
        expected = commands_of(log, rules)
        assert dumped(commands_of_product(log, rules)) == dumped(expected), f"seed {which}/{seed}"
        batches = assert_same_in_batches(log, rules, random)
        assert dumped(command for _, command in batches) == dumped(expected)
        found.update(command.mode for command in expected)
        modes = {(command.from_activation, command.mode) for command in expected}
        both += any((activation, "observe") in modes for activation, m in modes if m is None)
        assert len({command.command_id for command in expected}) == len(expected)
    if rules.observe or rules.enforced_share < 1:
        assert found["observe"] >= 10, found
    if rules.hold:
        assert found["hold"] >= 3, found
    assert (found[None] >= 3) == (rules.enforced_share > 0), found
    if which in (0, 1):
        assert both >= 3, "no activation was observed and then rolled back"


def test_a_dry_run_does_not_hide_a_rule_that_acts() -> None:
    """The third failure in a row is a dry run; the fifth is a complete failure and acts."""
    script = Script().deploy(0).run("FFFFFF", 0, 1, 2, 3, 4, 5)
    rules = Rules(observe=("consecutive_failures",))
    assert [
        (c.mode, c.reason, c.details["failures"]) for c in commands_of_product(script.log, rules)
    ] == [
        ("observe", "consecutive_failures", 3),
        (None, "complete_failure", 5),
    ]


def test_a_dry_run_is_published_once_for_each_reason_of_an_activation() -> None:
    script = Script().deploy(0).run("F" * 12, *range(0, 24_000, 2_000))
    rules = Rules(enforced_share=0.0)
    reasons = [(c.mode, c.reason) for c in commands_of_product(script.log, rules)]
    assert reasons == list(dict.fromkeys(reasons))
    assert all(mode == "observe" for mode, _ in reasons)


def test_the_share_is_drawn_by_the_activation() -> None:
    half = Rules(enforced_share=0.5)
    modes = [mode_of("regression", TOOL, activation, half) for activation in range(1, 1_001)]
    assert modes == [mode_of("regression", TOOL, each, half) for each in range(1, 1_001)]
    assert 420 < modes.count(None) < 580
    assert mode_of("regression", TOOL, 1, Rules()) is None
    assert mode_of("regression", TOOL, 1, Rules(hold=("regression",))) == "hold"
    more = Rules(enforced_share=0.7)
    enforced = [mode_of("regression", TOOL, each, more) for each in range(1, 1_001)]
    assert all(b is None for a, b in zip(modes, enforced, strict=True) if a is None)


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ({"observe": ("regression",), "hold": ("regression",)}, "cannot be observed and held"),
        ({"hold": ("manual",)}, "manual"),
        ({"observe": ("nonsense",)}, "observe"),
        ({"enforced_share": 1.1}, "enforced_share"),
        ({"cooldown_s": 7_200}, "cooldown_s"),
    ],
)
def test_settings_that_contradict_are_refused(numbers: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        Rules.model_validate(numbers)


def test_reasons_are_comma_separated_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_OBSERVE", "regression, high_failure_rate")
    monkeypatch.setenv("ROLLGUARD_TOOLS", '{"words": {"hold": ["signature_change"]}}')
    settings = load_settings()
    assert settings.rules_of("other").observe == ("regression", "high_failure_rate")
    assert settings.rules_of("words").hold == ("signature_change",)
    monkeypatch.setenv("ROLLGUARD_OBSERVE", "regresion")
    with pytest.raises(Misconfigured, match=r"ROLLGUARD_OBSERVE|observe"):
        load_settings()
