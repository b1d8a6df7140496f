"""The settings that choose a policy and its numbers."""

import pytest

from schemas.errors import Misconfigured
from schemas.settings import load_settings


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("policy", ["other"]),
        ("alpha", [0, 1, 1e-13, "nan"]),
        ("signature_alpha", [0, 1]),
        ("false_alarm_executions", [1, "inf", "nan"]),
        ("assumed_success_rate", [0, 1, "nan"]),
        ("assumed_repeat_rate", [-0.1, 1]),
        ("tolerated_drop", [-0.1, 1]),
    ],
)
def test_a_number_out_of_range_is_refused(name: str, wrong: list[object]) -> None:
    for value in wrong:
        with pytest.raises(Misconfigured, match=name):
            load_settings(**{name: value})
        with pytest.raises(Misconfigured, match=f"tools.a.*{name}"):
            load_settings(tools={"a": {name: value}})


def test_the_policy_is_set_for_all_tools_or_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().rules_of("a").policy == "seed"
    monkeypatch.setenv("ROLLGUARD_TOOLS", '{"a": {"policy": "guarded", "alpha": 0.001}}')
    mixed = load_settings()
    assert (mixed.rules_of("a").policy, mixed.rules_of("a").alpha) == ("guarded", 0.001)
    assert (mixed.rules_of("b").policy, mixed.rules_of("b").alpha) == ("seed", 0.01)
    monkeypatch.setenv("ROLLGUARD_POLICY", "guarded")
    assert load_settings().rules_of("b").policy == "guarded"
