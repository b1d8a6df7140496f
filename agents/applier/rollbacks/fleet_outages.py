"""The commands that are not carried out because tools of all partitions fail at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from agents.applier.rollbacks.pending_rollbacks import PendingCommand
from db.executions.lately import failed_for_others, last_executions
from db.postgres.pool import Connection
from policy.rollbacks.fleet_outage import SeenTool, loudest_in_outage, moments_of, others_are_well
from policy.rollbacks.rejections import has_rollback_limits
from schemas.rules.outages import OutageRules


async def with_outages(
    conn: Connection, pending: Sequence[PendingCommand], rules: OutageRules
) -> list[PendingCommand]:
    """Return the commands with the fact whether there was an outage when each was issued.

    Or a moment before (``policy.rollbacks.fleet_outage``).
    It is read only for automatic commands that are not rejected already. Raises Retryable.
    """
    times = {
        moment
        for each in pending
        if each.rejection is None and has_rollback_limits(each.command, each.rules)
        for moment in moments_of(each.command.issued_at)
    }
    found = await last_executions(conn, times, timedelta(seconds=rules.outage_window_s))
    outages: set[datetime] = set()
    for at, tools in found.items():
        loudest = loudest_in_outage([SeenTool(*tool) for tool in tools], rules)
        if loudest is not None:
            others = await failed_for_others(conn, at, timedelta(seconds=rules.doubt_s), loudest)
            if not others_are_well(others, rules):
                outages.add(at)
    return [
        each._replace(facts=each.facts._replace(is_outage=True))
        if outages.intersection(moments_of(each.command.issued_at))
        else each
        for each in pending
    ]
