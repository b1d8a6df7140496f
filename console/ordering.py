"""A person's order to make a version current: sent to the applier, and its outcome."""

from typing import NamedTuple
from uuid import UUID

from console.services import Services
from rollguard.operations.versions import VersionName, version_id_of
from schemas.rollback import RollbackOutcome


class OrderedRollback(NamedTuple):
    """What came of an order, and the id of the version that it named."""

    outcome: RollbackOutcome
    version_id: int


async def order_rollback(
    services: Services,
    tool: str,
    target: VersionName,
    reason: str,
    by: str,
    command_id: UUID,
    *,
    by_rule: bool = False,
) -> OrderedRollback:
    """Make a version current in the name of ``by``.

    The same ``command_id`` again changes nothing, and has the first outcome. With ``by_rule``, a
    reason that is a rule which demands a rollback now sends the command of the detector.
    """
    version_id = target.version_id
    if version_id is None:
        async with services.postgres() as conn:
            version_id = await version_id_of(conn, tool, target)
    client, command = await services.client(), None
    if by_rule:
        automatic = services.manager.automatic_commands
        command = await automatic.for_reason(tool, version_id, reason, by)
    if command is not None:
        outcome = await client.command(command)
    else:
        outcome = await client.rollback(
            tool, version_id, reason, issued_by=by, command_id=command_id
        )
    return OrderedRollback(outcome, version_id)
