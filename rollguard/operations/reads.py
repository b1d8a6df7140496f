"""What the command line reads: versions from Postgres, windows from the detector."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

import aiohttp
from yarl import URL

from db.executions.queries import ExecutionRecord, executions_by_id
from db.postgres.errors import postgres_errors
from db.postgres.migrate import require_schema
from db.postgres.pool import Connection, connect
from db.rollbacks.records import RollbackRecord, rollback_by_id, rollbacks
from db.versions.reading import VersionRecord, current_version, history, version
from policy.decision.evidence_summary import summary_of
from policy.decision.rule_texts import evidence_text, rule_text
from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.fields import uuid_of
from schemas.settings import Settings

T = TypeVar("T")


@asynccontextmanager
async def connection(settings: Settings) -> AsyncIterator[Connection]:
    """A connection to a migrated database."""
    conn = await connect(settings.postgres_dsn.get_secret_value())
    try:
        with postgres_errors():
            await require_schema(conn)
            yield conn
    finally:
        await conn.close()


async def current(settings: Settings, tool: str) -> VersionRecord:
    """The tool's current version. Rejected where the tool has none."""
    async with connection(settings) as conn:
        newest = _found(await current_version(conn, tool), f"{tool!r} has no versions")
        return _found(await version(conn, tool, newest.version_id), f"{tool!r} has no versions")


async def version_of(settings: Settings, tool: str, version_id: int) -> VersionRecord:
    """One version of the tool. Rejected where there is no such."""
    async with connection(settings) as conn:
        found = await version(conn, tool, version_id)
        return _found(found, f"{tool!r} has no version with the id {version_id}")


async def history_of(settings: Settings, tool: str, limit: int) -> list[VersionRecord]:
    """The newest ``limit`` versions, the newest first. Rejected where there are none."""
    async with connection(settings) as conn:
        return _found(await history(conn, tool, limit) or None, f"{tool!r} has no versions")


async def rollbacks_of(
    settings: Settings, tool: str | None, since: datetime | None, limit: int
) -> list[RollbackRecord]:
    """The newest ``limit`` rollbacks, of one tool or of all, since a time; the newest first."""
    async with connection(settings) as conn:
        return await rollbacks(conn, tool, since, limit)


@dataclass(frozen=True)
class Explanation:
    """A decision and what it rests on. ``rule`` is the rule's text with its numbers, as they are
    set here and now; ``evidence`` what was weighed, of a command of policy `guarded`;
    ``executions`` the recorded ones, the newest first, ``unrecorded`` the ids of the others.
    """

    command: RollbackRecord
    rule: str
    evidence: str | None
    executions: list[ExecutionRecord]
    unrecorded: list[str]


async def explanation_of(settings: Settings, command_id: UUID) -> Explanation:
    """The decision with this id. Rejected where none was applied or rejected."""
    async with connection(settings) as conn:
        command = _found(
            await rollback_by_id(conn, command_id), f"no rollback has the id {command_id}"
        )
        ids = recent_of(command)
        executions = await executions_by_id(conn, [each for each in map(uuid_of, ids) if each])
    recorded = {str(each.execution_id) for each in executions}
    rule = rule_text(command.tier, command.reason, settings.rules_of(command.tool_name))
    unrecorded = [each for each in ids if each not in recorded]
    said = summary_of(command.details)
    evidence = None if said is None else evidence_text(said)
    return Explanation(command, rule, evidence, executions, unrecorded)


def recent_of(command: RollbackRecord) -> list[str]:
    """The executions of `recent` that the command names; whoever issued it may say anything."""
    recent = command.details.get("recent")
    return [str(each) for each in recent] if isinstance(recent, list) else []


def _found(value: T | None, otherwise: str) -> T:
    if value is None:
        raise Rejected(otherwise)
    return value


async def health(settings: Settings, tool: str) -> dict[str, Any]:
    """The windows of the tool's current version, from the detector that owns it.

    Rejected where the tool was never activated; Retryable where no detector can say now;
    Misconfigured where the detector asks for another ``web_token`` than ours.
    """
    if not tool:
        raise Rejected("tool: an empty name is not the name of a tool")
    url = f"{settings.detector_url.rstrip('/')}/tools/{quote(tool, safe='')}/health"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=settings.wait_s)) as session,
            session.get(URL(url, encoded=True), headers=settings.web_headers()) as answer,
        ):
            if answer.status == 401:
                raise Misconfigured(
                    f"{settings.detector_url} wants another ROLLGUARD_WEB_TOKEN than is set here"
                    if settings.web_token
                    else f"{settings.detector_url} wants a token: set ROLLGUARD_WEB_TOKEN"
                )
            body: dict[str, Any] = await answer.json(content_type=None)
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Retryable(
            "detector", f"{settings.detector_url} does not answer ({type(error).__name__})"
        ) from error
    if status == 404:
        raise Rejected(body["error"])
    if status != 200:
        raise Retryable("detector", body.get("error", f"HTTP {status}"))
    return body
