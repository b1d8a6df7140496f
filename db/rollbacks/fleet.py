"""The facts about the rollbacks of all tools together, for the fleet's brake.

Read them under ``db.postgres.locks.lock_fleet``: then no other transaction rolls back a tool
automatically before the decision is stored.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.rollback import RollbackCommand
from schemas.rules.fleet import FleetRules

_SQL: Final = blocks("rollbacks/fleet.sql")


class FleetFacts(NamedTuple):
    """The facts about one command; for their meaning see ``policy.rollbacks.fleet_brake``."""

    rollbacks: Sequence[datetime]
    waits: bool


async def fleet_facts(
    conn: Connection, commands: Sequence[RollbackCommand], rules: FleetRules
) -> list[FleetFacts]:
    """Return the facts about each of these commands, in their order; each is of another tool.

    A rollback that a person approved or ordered does not count.
    """
    times = {command.issued_at for command in commands}
    asked = [(time, timedelta(seconds=rules.fleet_budget_s), rules.fleet_budget) for time in times]
    activations = [
        (each.tool_name, each.from_version_id, each.from_activation) for each in commands
    ]
    near: dict[datetime, list[datetime]] = defaultdict(list)
    with postgres_errors():
        for row in await conn.fetch(_SQL["near"], *zip(*asked, strict=True)):
            near[row["at"]].append(row["issued_at"])
        waiting = await conn.fetch(_SQL["waiting"], *zip(*activations, strict=True))
    tools = {row["tool_name"] for row in waiting}
    return [FleetFacts(near[each.issued_at], each.tool_name in tools) for each in commands]
