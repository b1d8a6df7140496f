"""Versions for the command line: deploy one, and read them from Postgres."""

from collections.abc import Iterable

from db.versions.reading import VersionRecord, current_version, history, version
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from rollguard.refusal import DeploymentRefused
from schemas.deployment import AcceptedBreak, Author
from schemas.errors import Rejected
from schemas.settings import Settings


async def deploy(
    settings: Settings,
    tool: str,
    code: str,
    by: Author,
    kind: str,
    reason: str | None,
    accepted: Iterable[AcceptedBreak] = (),
) -> VersionRecord:
    """Deploy the code, wait for the outcome, and return the version that is current then.

    Raises DeploymentRefused if the applier refused it.
    """
    async with EngineClient(settings) as client:
        outcome = await client.deploy(
            tool,
            code,
            created_by=by,
            improvement_type=kind,
            improvement_reason=reason,
            accepted_breaks=accepted,
        )
    if outcome.version_id is None:
        raise DeploymentRefused(outcome)
    return await version_of(settings, tool, outcome.version_id)


async def current_of(settings: Settings, tool: str) -> VersionRecord:
    """Return the tool's current version. Rejected if the tool has no versions."""
    async with connection(settings) as conn:
        current = await current_version(conn, tool)
        record = await version(conn, tool, current.version_id) if current else None
    if record is None:
        raise _no_versions(tool)
    return record


async def version_of(settings: Settings, tool: str, version_id: int) -> VersionRecord:
    """Return one version of the tool. Rejected if the tool has no such version."""
    async with connection(settings) as conn:
        record = await version(conn, tool, version_id)
    if record is None:
        raise Rejected(
            f"{tool!r} has no version with the id {version_id}; `rollguard history {tool}` lists "
            "its versions"
        )
    return record


async def history_of(settings: Settings, tool: str, limit: int) -> list[VersionRecord]:
    """Return the newest ``limit`` versions, the newest first. Rejected if the tool has none."""
    async with connection(settings) as conn:
        records = await history(conn, tool, limit)
    if not records:
        raise _no_versions(tool)
    return records


def _no_versions(tool: str) -> Rejected:
    return Rejected(f"{tool!r} has no versions; `rollguard deploy` makes the first one")
