"""A policy as the command line asks for it."""

import re

import pytest

from policy.backtest.requested_policy import RequestedPolicy
from schemas.settings import load_settings
from tests.support.policy.generated_logs import SMALL


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gaurded", "'gaurded' is no policy: seed, guarded"),
        ("", "'' is no policy"),
        ("guarded:alfa=1", "'alfa' is no setting of the rules"),
        ("guarded:alpha", "'alpha' is not SETTING=VALUE"),
        ("guarded:alpha=0.1,alpha=0.2", "'alpha' is given twice"),
        ("guarded:policy=seed", "the policy is named before the colon"),
        ("guarded:alpha=much", "alpha: Input should be a valid number"),
        ("seed:caller_errors=KeyError,x y", "'x y' is not the name of a class"),
        ("seed:caller_errors=KeyError,ring_size=12,OSError", "'OSError' is not SETTING=VALUE"),
        ("guarded:alpha=2", "alpha: Input should be less than 1"),
        ("seed:ring_size=2", "consecutive_failures (3) must not be greater than ring_size (2)"),
        ("seed:ring_size=6", "tools.slow: Value error, consecutive_failures (7) must not be"),
    ],
)
def test_the_error_names_what_is_wrong(text: str, told: str) -> None:
    settings = load_settings(tools={"slow": {"consecutive_failures": 7}})
    with pytest.raises(ValueError, match=re.escape(told)):
        RequestedPolicy.parse(text, settings)


def test_changes_apply_to_the_settings_of_all_tools_and_of_each() -> None:
    settings = load_settings(
        alpha=0.02, tools={"slow": {"policy": "seed", "consecutive_failures": 7, "alpha": 0.03}}
    )
    policy = RequestedPolicy.parse("guarded:tolerated_drop=0.05, ring_size=9", settings)
    common, slow = policy.rules_of("parser"), policy.rules_of("slow")
    assert (common.policy, common.alpha, common.consecutive_failures) == ("guarded", 0.02, 3)
    assert (slow.policy, slow.alpha, slow.consecutive_failures) == ("guarded", 0.03, 7)
    assert common.tolerated_drop == slow.tolerated_drop == 0.05
    assert common.ring_size == slow.ring_size == 9
    assert RequestedPolicy.parse("seed", load_settings(**SMALL.model_dump())).rules_of("x") == SMALL


def test_a_list_has_its_values_behind_commas_and_may_be_empty() -> None:
    settings = load_settings(environment_errors="OSError", tools={"slow": {"hold": ["regression"]}})
    text = "seed:caller_errors=ValueError, app.NotFound,ring_size=12,hold=,environment_errors="
    rules = RequestedPolicy.parse(text, settings).rules_of("slow")
    assert rules.caller_errors == ("ValueError", "app.NotFound")
    assert (rules.ring_size, rules.hold, rules.environment_errors) == (12, (), ())
