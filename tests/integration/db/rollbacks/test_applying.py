"""Decisions about rollback commands: what they change, and what is stored of them."""

from typing import Any

import pytest

from db.postgres.locks import tool_transaction
from db.postgres.pool import Connection
from db.rollbacks.applying import Decision, TargetBreaks, apply_decisions
from db.rollbacks.facts import tool_facts
from db.rollbacks.records import rollback_of
from db.versions.reading import current_versions
from schemas.rollback import RollbackCommand, RollbackOutcome
from tests.support.inputs.stored import command, deploy_all, roll_back, trusted

BREAKS = TargetBreaks(True, ["execute() lost \0 its parameter 'x'."])


async def apply(
    conn: Connection, order: RollbackCommand, status: Any, rejection: Any = None, **fields: Any
) -> RollbackOutcome:
    """Apply this decision about a command that names its target."""
    async with tool_transaction(conn, order.tool_name):
        facts = (await tool_facts(conn, [order]))[order.tool_name]
        decision = Decision(order, status, rejection, is_held=False, **fields)
        if rejection is None:
            decision = decision._replace(current=facts.current, target=facts.target)
        outcomes = await apply_decisions(conn, [decision])
    return outcomes[order.tool_name]


def automatic(target: int, **fields: Any) -> RollbackCommand:
    return command(tier="fast", reason="regression", to_version_id=target, **fields)


async def test_an_applied_one_says_how_its_target_was_chosen_and_what_it_breaks(
    conn: Connection,
) -> None:
    first, *_ = await deploy_all(conn, "one", "two", "three")
    order = automatic(first)
    outcome = await apply(conn, order, "applied", choice="earned", breaks=BREAKS)
    assert (outcome.status, outcome.to_version_id, outcome.target) == ("applied", first, "earned")
    assert outcome.is_breaking_change
    assert outcome.breaking_changes == ["execute() lost \u2400 its parameter 'x'."]
    assert await trusted(conn) == [True, True, False]
    assert (await roll_back(conn, order)).to_bytes() == outcome.to_bytes()
    record = await rollback_of(conn, order.key)
    assert record is not None
    assert (record.target, record.is_breaking_change) == ("earned", True)
    assert record.breaking_changes == outcome.breaking_changes


async def test_a_held_one_changes_nothing(conn: Connection) -> None:
    first, second = await deploy_all(conn, "one", "two")
    order = automatic(first)
    outcome = await apply(conn, order, "held", breaks=BREAKS, hold_expires_s=90)
    assert (outcome.status, outcome.rejection, outcome.is_breaking_change) == ("held", None, True)
    assert (outcome.from_version_id, outcome.to_version_id) == (second, first)
    assert await roll_back(conn, order) == outcome
    assert await trusted(conn) == [True, True]
    current = (await current_versions(conn, ["parser"]))["parser"]
    assert (current.version_id, current.activation) == (second, 2)


@pytest.mark.parametrize("rejection", ["budget", "cooldown", "pinned", "not_current"])
async def test_a_rejected_one_keeps_what_it_named(conn: Connection, rejection: Any) -> None:
    first, second = await deploy_all(conn, "one", "two")
    order = automatic(first, from_version_id=second)
    outcome = await apply(conn, order, "rejected", rejection)
    assert (outcome.status, outcome.rejection) == ("rejected", rejection)
    assert (outcome.from_version_id, outcome.to_version_id) == (second, None)
    told = outcome.target, outcome.is_breaking_change, outcome.breaking_changes
    assert told == (None, None, None)
    assert await roll_back(conn, order) == outcome
    record = await rollback_of(conn, order.key)
    assert record is not None
    assert (record.to_version_id, record.to_version_number) == (first, 1)
    assert await trusted(conn) == [True, True]
    assert (await current_versions(conn, ["parser"]))["parser"].version_id == second
