"""Versions for the command line: deploy one, and read them from Postgres."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, Self
from uuid import UUID

from db.postgres.pool import Connection
from db.versions.held import HeldDeployment, holds_of_tool
from db.versions.reading import (
    VersionRecord,
    current_version,
    history,
    version,
    version_numbers,
)
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from rollguard.printing import data_of
from rollguard.refusal import require_version
from rollguard.value_texts import version_text
from schemas.deployment import AcceptedBreak, Author, Check
from schemas.errors import Missing, RollguardError
from schemas.settings import Settings


class VersionName(NamedTuple):
    """A version of a tool as a person names it: either by its number or by its id."""

    number: int | None = None
    version_id: int | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the version of a text: ``v2`` by its number, ``7`` by its id; or ValueError."""
        found = re.fullmatch(r"([vV]?)(\d{1,10})", text, re.ASCII)
        if found is None:
            raise ValueError(f"{text!r} is no version: give its number (v2) or its id (7)")
        number = int(found[2])
        return cls(number=number) if found[1] else cls(version_id=number)


class FoundVersion(NamedTuple):
    """A version, and the number of the version that it replaced (None if it replaced none)."""

    record: VersionRecord
    previous_number: int | None

    def data(self) -> dict[str, Any]:
        """Return it as the HTTP API has it."""
        return {**data_of(self.record), "previous_version_number": self.previous_number}


async def deploy(
    settings: Settings,
    tool: str,
    code: str,
    by: Author,
    kind: str,
    reason: str | None,
    accepted: Iterable[AcceptedBreak] = (),
    checks: Iterable[Check] = (),
    *,
    deployment_id: UUID | None = None,
) -> FoundVersion:
    """Deploy the code, wait for the outcome, and return the version that is current then.

    Raises DeploymentRefused if the applier refused it, DeploymentHeld if it waits for a person.
    """
    async with EngineClient(settings) as client:
        outcome = await client.deploy(
            tool,
            code,
            created_by=by,
            improvement_type=kind,
            improvement_reason=reason,
            accepted_breaks=accepted,
            checks=checks,
            deployment_id=deployment_id,
        )
    return await version_of(settings, tool, VersionName(version_id=require_version(outcome)))


async def current_of(where: Settings | Connection, tool: str) -> FoundVersion:
    """Return the tool's current version. Missing if the tool has no versions."""
    async with connection(where) as conn:
        current = await current_version(conn, tool)
        if current is None:
            raise no_versions(tool)
        return await _found(conn, tool, current.version_id)


async def version_of(where: Settings | Connection, tool: str, name: VersionName) -> FoundVersion:
    """Return one version of the tool. Missing if the tool has no such version."""
    async with connection(where) as conn:
        return await found_version(conn, tool, name)


async def found_version(conn: Connection, tool: str, name: VersionName) -> FoundVersion:
    """Return one version of the tool on a connection. Missing if the tool has no such version."""
    return await _found(conn, tool, await _id_of(conn, tool, name))


async def version_id_of(where: Settings | Connection, tool: str, name: VersionName) -> int:
    """Return the id of a version that a person names.

    An id needs no connection, and is returned as it is. Missing if the tool has no version with
    this number.
    """
    if name.version_id is not None:
        return name.version_id
    async with connection(where) as conn:
        return await _id_of(conn, tool, name)


async def version_number_of(settings: Settings, tool: str, version_id: int) -> int | None:
    """Return the number of a version; None if it is not known, also if Postgres does not answer."""
    try:
        async with connection(settings) as conn:
            return (await version_numbers(conn, tool, ids=[version_id])).get(version_id)
    except RollguardError:
        return None


async def _id_of(conn: Connection, tool: str, name: VersionName) -> int:
    if name.version_id is not None:
        return name.version_id
    if name.number is not None:
        for version_id in await version_numbers(conn, tool, numbers=[name.number]):
            return version_id
    raise _no_such_version(tool, f"number v{name.number}")


async def _found(conn: Connection, tool: str, version_id: int) -> FoundVersion:
    record = await version(conn, tool, version_id)
    if record is None:
        meant = await version_numbers(conn, tool, numbers=[version_id])
        hint = "".join(f"; did you mean {version_text(meant[each], each)}?" for each in meant)
        raise _no_such_version(tool, f"id {version_id}{hint}")
    previous = record.previous_version_id
    ids = [] if previous is None else [previous]
    numbers = await version_numbers(conn, tool, ids=ids)
    return FoundVersion(record, next(iter(numbers.values()), None))


def _no_such_version(tool: str, which: str) -> Missing:
    return Missing(
        f"{tool!r} has no version with the {which}; `rollguard history {tool}` lists its versions"
    )


class ToolHistory(NamedTuple):
    """The versions of a tool, and its deployments that wait for a person or waited."""

    versions: list[VersionRecord]
    held: list[HeldDeployment]

    def data(self) -> list[Any]:
        """Return the versions as JSON has them, each with its ``hold``."""
        return [data_of(found) for found in self.versions]


async def history_of(where: Settings | Connection, tool: str, limit: int) -> ToolHistory:
    """Return the newest ``limit`` of each, the newest first. Missing if the tool has none."""
    async with connection(where) as conn:
        found = ToolHistory(
            await history(conn, tool, limit), await holds_of_tool(conn, tool, limit)
        )
    if not any(found):
        raise no_versions(tool)
    return found


def no_versions(tool: str) -> Missing:
    """Return the error for a tool that nobody has deployed."""
    return Missing(f"{tool!r} has no versions; `rollguard deploy` makes the first one")
