"""The settings of policy `guarded`: which tools it is for, and numbers that are not allowed."""

from typing import Any

import pytest

from schemas.errors import Misconfigured
from schemas.settings import load_settings


@pytest.mark.parametrize(
    ("values", "is_guarded"),
    [
        ({}, False),
        ({"tools": {"a": {"ring_size": 20}}}, False),
        ({"policy": "guarded"}, True),
        ({"tools": {"a": {"policy": "guarded"}}}, True),
        ({"policy": "guarded", "tools": {"a": {"policy": "seed"}}}, True),
    ],
)
def test_whether_any_tool_is_guarded(values: dict[str, Any], is_guarded: bool) -> None:
    assert load_settings(**values).is_guarded_anywhere is is_guarded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rollback_budget", 0),
        ("rollback_budget", 10_001),
        ("rollback_budget_s", 0),
        ("rollback_budget_s", 10**12),
        ("cooldown_s", -1),
        ("cooldown_max_s", 10**12),
        ("cooldown_decay_s", 0),
        ("cooldown_decay_s", 10**12),
    ],
)
def test_an_error_names_the_setting(name: str, value: int) -> None:
    with pytest.raises(Misconfigured, match=name):
        load_settings(**{name: value})


def test_a_cooldown_longer_than_its_maximum() -> None:
    with pytest.raises(Misconfigured, match=r"cooldown_s \(11\) .* cooldown_max_s \(10\)"):
        load_settings(cooldown_s=11, cooldown_max_s=10)
