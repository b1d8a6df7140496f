"""The fleet's brake, at the place where the commands of all tools meet: in Postgres.

Several appliers may decide at the same time. They count the rollbacks of all tools one after the
other, under one lock, so the budget is kept exactly. The lock is the last one that a transaction
takes: whoever has it waits for nobody, and has it for a few statements only.
"""

from collections.abc import Callable, Sequence

from db.postgres.locks import lock_fleet, lock_versions
from db.postgres.pool import Connection
from db.rollbacks.applying import Decision
from db.rollbacks.fleet import fleet_facts
from policy.decision.rule_texts import why_not_by_brake
from policy.rollbacks.explanations import not_carried_out
from policy.rollbacks.fleet_brake import BrakedCommand, held_by_brake
from policy.rollbacks.rejections import has_rollback_limits
from schemas.rules.fleet import FleetRules
from schemas.rules.rules import Rules


async def with_fleet_brake(
    conn: Connection,
    decisions: Sequence[Decision],
    rules_of: Callable[[str], Rules],
    fleet: FleetRules,
) -> list[Decision]:
    """Return the decisions, with those held that the brake holds.

    Call it inside the transaction that stores the decisions. Raises Retryable.
    """
    braked = [
        each
        for each in decisions
        if each.status == "applied"
        and has_rollback_limits(each.command, rules_of(each.command.tool_name))
    ]
    if not braked:
        return list(decisions)
    await lock_versions(conn, _changed_versions(decisions))
    await lock_fleet(conn)
    commands = [each.command for each in braked]
    facts = await fleet_facts(conn, commands, fleet)
    held = held_by_brake(
        [
            BrakedCommand(each.issued_at, *known)
            for each, known in zip(commands, facts, strict=True)
        ],
        fleet,
    )
    braked_tools = {each.tool_name for each, is_held in zip(commands, held, strict=True) if is_held}
    return [
        _held(each, fleet) if each.command.tool_name in braked_tools else each for each in decisions
    ]


def _held(decision: Decision, fleet: FleetRules) -> Decision:
    """Return a decision that the brake holds, and whose explanation says so."""
    why = decision.explanation
    return decision._replace(
        status="held",
        hold_reason="fleet_budget",
        explanation=why and not_carried_out(why, why_not_by_brake(fleet)),
    )


def _changed_versions(decisions: Sequence[Decision]) -> list[int]:
    """Return the ids of all versions that are to be changed.

    They are locked together before the fleet is: nobody who has the fleet's lock may wait for them.
    """
    return [
        version.version_id
        for each in decisions
        if each.status == "applied"
        for version in (each.current, each.target)
        if version is not None
    ]
