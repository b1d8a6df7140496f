"""A person's answer to what waits: sent to the applier, and its outcome."""

from uuid import UUID

from console.services import Services
from rollguard.operations.held_deployments import deployment_answer, held_deployment_named
from rollguard.operations.holds import answer_to
from schemas.deployment import DeploymentOutcome
from schemas.rollback import RollbackOutcome


async def answer_rollback(
    services: Services, command_id: UUID, tool: str | None, **answer: str
) -> RollbackOutcome:
    """Send a person's answer (``approved_by``, …) to a held rollback, and return its outcome.

    One that is not held keeps the outcome that it has.
    """
    async with services.postgres() as conn:
        command = await answer_to(conn, command_id, tool, **answer)
    return await (await services.client()).command(command)


async def answer_deployment(
    services: Services, deployment_id: UUID, tool: str | None, **answer: str
) -> DeploymentOutcome:
    """Send a person's answer to a held deployment, and return its outcome, as above."""
    async with services.postgres() as conn:
        named = await held_deployment_named(conn, deployment_id, tool)
        found = await deployment_answer(conn, named, **answer)
    if isinstance(found, DeploymentOutcome):
        return found
    return await (await services.client()).deployment(found)
