"""The tools that change something. Agents never answer what waits for a person."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from rollguard.management.outcome_texts import why_not_applied
from rollguard.mcp.agent_tool import AgentTool, Request
from rollguard.mcp.arguments import DeployArguments, PinArguments, RollbackArguments
from rollguard.mcp.reading import version_named
from rollguard.printing import data_of
from rollguard.systems.system import NewVersion
from schemas.errors import Misconfigured
from schemas.settings import Settings
from signatures import signatures_of


async def _deploy(request: Request, given: DeployArguments) -> Any:
    require_machine_key(request.settings)
    new = NewVersion(
        given.code,
        "autonomous",
        given.improvement_type,
        given.improvement_reason,
        given.accepted_breaks,
        given.checks,
    )
    deployed = await request.system.versions.deploy(given.tool_name, new, uuid4())
    return data_of(deployed.record)


def require_machine_key(settings: Settings) -> None:
    """Raise Misconfigured if what is deployed here would be signed by a person.

    The key says who deploys, whatever the message says.
    """
    signatures = signatures_of(settings)
    if signatures is None or signatures.signer is None:
        return
    if not signatures.verifier.trust.is_of_machine(signatures.signer.key_id):
        raise Misconfigured(
            "ROLLGUARD_SIGNING_KEY is no key of a machine that deploys (an author of the kind "
            "`autonomous`); agents deploy with no other key"
        )


async def _rollback(request: Request, given: RollbackArguments) -> Any:
    name = version_named(given.version)
    of = request.system
    target = await of.versions.id_of(given.tool_name, name)
    outcome = await of.rollbacks.roll_back(
        given.tool_name, target, given.reason, request.by, uuid4()
    )
    if outcome.status != "applied":
        number = name.number or await of.versions.number_of(given.tool_name, target)
        word = outcome.rejection or outcome.status
        request.fail(f"{outcome.status}: {word}: {why_not_applied(outcome, target, number)}")
    return data_of(outcome)


async def _pin(request: Request, given: PinArguments) -> Any:
    until = None if given.for_s is None else datetime.now(UTC) + timedelta(seconds=given.for_s)
    pinning = request.system.stops.pin(given.tool_name, given.reason, request.by, until)
    return data_of(await pinning)


DEPLOYING: Final = AgentTool("deploy", DeployArguments, _deploy, "changes")
IF_ALLOWED: Final = (
    AgentTool("rollback", RollbackArguments, _rollback, "changes"),
    AgentTool("pin", PinArguments, _pin, "changes"),
)
