"""The first rejection of a rollback command that holds, by a table of cases."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, Final
from uuid import UUID

import pytest

from policy.rollbacks.rejections import (
    CommandFacts,
    CurrentActivation,
    has_rollback_limits,
    named_version_ids,
    rejection_of,
    status_of,
)
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules

NOW: Final = datetime(2026, 1, 31, tzinfo=UTC)
CURRENT: Final = CurrentActivation(2, 5)
FACTS: Final = CommandFacts(current=CURRENT, known_version_ids={1, 2})
GUARDED: Final = Rules(policy="guarded", rollback_budget=2, cooldown_s=60)
SEED: Final = Rules(policy="seed", rollback_budget=2)
NO_VERSIONS: Final = CommandFacts()


def command(**fields: Any) -> RollbackCommand:
    given = {
        "command_id": UUID(int=1),
        "tool_name": "parser",
        "tier": "fast",
        "reason": "regression",
        "issued_by": "detector",
        "issued_at": NOW,
    }
    return RollbackCommand.model_validate(given | fields)


def before(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=each) for each in seconds]


FIELDS: Final[dict[str, dict[str, Any]]] = {
    "dismissed": {"dismissed_by": "ann"},
    "unknown_version": {"to_version_id": 3},
    "not_current": {"from_activation": 4},
    "already_current": {"to_version_id": 2},
}
"""What a command says for which it is rejected."""
KNOWN: Final[dict[str, dict[str, Any]]] = {
    "expired": {"is_expired": True},
    "pinned": {"is_pinned": True},
    "no_previous_version": {"has_target": False},
    "outage": {"is_outage": True},
    "budget": {"automatic_rollbacks": before(7_000, 5_000)},
}
"""What is known of a command for which it is rejected."""
ORDER: Final = (
    *("expired", "dismissed", "unknown_version", "not_current", "already_current"),
    *("pinned", "no_previous_version", "outage", "budget"),
)


@pytest.mark.parametrize("rejection", ORDER)
def test_each_alone(rejection: str) -> None:
    facts = FACTS._replace(**KNOWN.get(rejection, {}))
    assert rejection_of(command(**FIELDS.get(rejection, {})), facts, GUARDED) == rejection


@pytest.mark.parametrize(
    ("first", "second"),
    [pair for pair in combinations(ORDER, 2) if pair != ("unknown_version", "already_current")],
)
def test_the_first_one_is_given(first: str, second: str) -> None:
    facts = FACTS._replace(**(KNOWN.get(first, {}) | KNOWN.get(second, {})))
    order = command(**(FIELDS.get(first, {}) | FIELDS.get(second, {})))
    assert rejection_of(order, facts, GUARDED) == first


@pytest.mark.parametrize(
    ("fields", "facts", "expected"),
    [
        ({}, FACTS, None),
        ({"to_version_id": 1}, FACTS, None),
        ({"from_version_id": 2, "from_activation": 5, "to_version_id": 1}, FACTS, None),
        # what is named has to be a version of this tool, and the current one
        ({"from_version_id": 3}, FACTS, "unknown_version"),
        ({"from_version_id": 3, "to_version_id": 1}, FACTS, "unknown_version"),
        ({"from_version_id": 1}, FACTS, "not_current"),
        ({"from_version_id": 1, "to_version_id": 2}, FACTS, "not_current"),
        ({"from_version_id": 2, "from_activation": 4}, FACTS, "not_current"),
        # a tool without versions
        ({}, NO_VERSIONS, "no_previous_version"),
        ({}, NO_VERSIONS._replace(is_pinned=True), "no_previous_version"),
        ({"from_activation": 1}, NO_VERSIONS, "not_current"),
        ({"from_version_id": 1}, NO_VERSIONS, "unknown_version"),
        ({"to_version_id": 1}, NO_VERSIONS, "unknown_version"),
        # a pin stops machines, and no person
        ({"tier": "manual", "reason": "manual"}, FACTS._replace(is_pinned=True), None),
        ({"approved_by": "ann"}, FACTS._replace(is_pinned=True), None),
        ({"dismissed_by": "ann"}, FACTS._replace(is_pinned=True), "dismissed"),
        # a mode changes nothing of it
        ({"mode": "hold"}, FACTS._replace(is_pinned=True), "pinned"),
        ({"mode": "observe"}, FACTS._replace(has_target=False), "no_previous_version"),
    ],
)
@pytest.mark.parametrize("rules", [SEED, GUARDED])
def test_cases(
    fields: dict[str, Any], facts: CommandFacts, expected: str | None, rules: Rules
) -> None:
    assert rejection_of(command(**fields), facts, rules) == expected


@pytest.mark.parametrize(
    ("fields", "rollbacks", "rules", "expected"),
    [
        ({}, before(7_000), GUARDED, None),
        ({}, before(7_000, 5_000), GUARDED, "budget"),
        ({}, before(7_000, 5_000), SEED, None),
        ({"mode": "observe"}, before(7_000, 5_000), GUARDED, "budget"),
        ({"approved_by": "ann"}, before(7_000, 5_000), GUARDED, None),
        ({"tier": "manual", "reason": "manual"}, before(7_000, 5_000), GUARDED, None),
        ({}, before(20, 10), GUARDED.model_copy(update={"rollback_budget": 3}), "cooldown"),
    ],
)
def test_limits_are_for_machines_under_policy_guarded(
    fields: dict[str, Any], rollbacks: list[datetime], rules: Rules, expected: str | None
) -> None:
    facts = FACTS._replace(automatic_rollbacks=rollbacks)
    assert rejection_of(command(**fields), facts, rules) == expected
    assert has_rollback_limits(command(**fields), rules) or expected is None
    in_outage = rejection_of(command(**fields), facts._replace(is_outage=True), rules)
    assert in_outage == ("outage" if has_rollback_limits(command(**fields), rules) else None)


@pytest.mark.parametrize(
    ("fields", "is_breaking", "holds", "status"),
    [
        ({}, False, True, "applied"),
        ({}, True, False, "applied"),
        ({}, True, True, "held"),
        ({"mode": "hold"}, False, False, "held"),
        ({"mode": "observe"}, True, True, "observed"),
        ({"mode": "hold", "approved_by": "ann"}, True, True, "applied"),
        ({"mode": "observe", "approved_by": "ann"}, True, True, "applied"),
    ],
)
def test_what_becomes_of_a_command_that_is_not_rejected(
    fields: dict[str, Any], is_breaking: bool, holds: bool, status: str
) -> None:
    rules = GUARDED.model_copy(update={"hold_breaking_targets": holds})
    assert status_of(command(**fields), is_breaking, rules) == status


def test_the_versions_that_a_command_names() -> None:
    assert named_version_ids(command()) == set()
    assert named_version_ids(command(from_version_id=2)) == {2}
    assert named_version_ids(command(from_version_id=2, to_version_id=1)) == {1, 2}
