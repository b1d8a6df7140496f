"""Rollbacks as a list, with what each of them cost."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from console.services import Services
from db.rollbacks.records import AfterRollback, RollbackRecord, RollbacksWanted, rollbacks_page
from policy.rollbacks.costs import RollbackCost, TotalCost
from rollguard.operations.overview.rollback_costs import costs_of, total_cost
from schemas.rollback import CommandKey


class ListedRollbacks(NamedTuple):
    """Some rollbacks, the newest first."""

    rollbacks: Sequence[RollbackRecord]
    costs: Mapping[CommandKey, RollbackCost]
    """Empty if they were not asked for."""
    total: TotalCost | None
    """The costs together; None if they were not asked for."""
    has_more: bool


async def listed_rollbacks(
    services: Services,
    wanted: RollbacksWanted,
    after: AfterRollback | None,
    limit: int,
    *,
    costs: bool,
) -> ListedRollbacks:
    """Return at most ``limit`` rollbacks, from the one that comes ``after``."""
    async with services.postgres() as conn:
        found = await rollbacks_page(conn, wanted, after, limit + 1)
        shown = found[:limit]
        known = await costs_of(conn, shown) if costs else {}
    total = total_cost((each, known.get(each.key)) for each in shown)
    return ListedRollbacks(shown, known, total if costs else None, len(found) > limit)
