"""The versions of tools, for an engine: create, read, compare, roll back, check.

async with ToolVersionManager() as version_manager:
    version_id = await version_manager.create_version("parser", code, created_by="autonomous")

Writes go through Kafka to the applier, the only writer of versions, and wait for what came of them;
reads come from Postgres. Every method raises Retryable, naming the part that did not answer in
time, and Misconfigured where topics or schema are missing.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import asdict
from datetime import datetime
from inspect import isawaitable
from math import nan
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import UUID

import structlog

from db.executions.queries import newest_executions
from db.postgres.pool import Connection
from db.versions.deploying import outcome_of
from db.versions.metrics import Metrics, recount
from db.versions.reading import VersionRecord, current_version, history, version
from policy.decision.command import details_of
from policy.decision.policies import Policies
from policy.decision.rebuild import rebuild
from policy.state.row import Row
from rollguard.management.connections import Connections
from rollguard.management.version_comparison import code_diff, comparison_of
from rollguard.refusal import DeploymentRefused
from schemas.deployment import AcceptedBreak, Author, ToolVersion
from schemas.errors import Rejected
from schemas.fields import parse_time, storable
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings, load_settings

log = structlog.get_logger()


class ReloadsTools(Protocol):
    """What is told when a version became current: :class:`rollguard.registry.ToolRegistry`, or
    an engine's own registry.
    """

    def reload(self, version: ToolVersion) -> Awaitable[None] | None:
        """Bring this version of its tool into use, unless a newer activation of the tool is.

        May be a coroutine. What it raises is logged: the version is current all the same.
        """
        ...


class ToolVersionManager:
    """Also an async context manager; connections are opened when they are first needed.

    ``execution_store`` is where a store was passed to the manager that this one takes the place
    of: settings may be passed there, anything else is ignored. ``tool_registry`` is told of each
    deployment and rollback made here. Without ``settings`` they come from the environment.
    """

    def __init__(
        self,
        execution_store: object = None,
        tool_registry: ReloadsTools | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        if settings is None and isinstance(execution_store, Settings):
            settings = execution_store
        self.settings = settings or load_settings()
        self.policies = Policies(self.settings.rules_of)
        self.tool_registry = tool_registry
        self.connections = Connections(self.settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back all connections."""
        await self.connections.close()

    async def create_version(
        self,
        tool_name: str,
        code: str,
        created_by: Author = "human",
        improvement_type: str = "initial",
        improvement_reason: str | None = None,
        previous_version_id: int | None = None,
        *,
        accepted_breaks: Iterable[AcceptedBreak] = (),
        deployment_id: UUID | None = None,
    ) -> int:
        """Make this code the tool's current version, and return the version's id.

        Code that is current already makes no new version: its id is returned. Code that does not
        parse is accepted, as a breaking change. ``previous_version_id`` is linked by itself; where
        it is given it must be the current version's id, else ValueError. The same
        ``deployment_id`` again changes nothing and returns the first result. Rejected, a
        ValueError too, names the field that is wrong; DeploymentRefused, which is one of them, says
        why the applier did not take it, such as code that was rolled back before (policy
        `guarded`).
        """
        if previous_version_id is not None:
            await self._require_previous(tool_name, previous_version_id, deployment_id)
        client = await self.connections.client()
        outcome = await client.deploy(
            tool_name,
            code,
            created_by=created_by,
            improvement_type=improvement_type,
            improvement_reason=improvement_reason,
            deployment_id=deployment_id,
            accepted_breaks=accepted_breaks,
        )
        if outcome.version_id is None:
            raise DeploymentRefused(outcome)
        await self._tell_registry(tool_name)
        return outcome.version_id

    async def get_current_version(self, tool_name: str) -> dict[str, Any] | None:
        """The version that is current now, with its code and metrics; None for a tool without
        versions. The keys are those of :class:`db.versions.reading.VersionRecord`;
        ``success_rate`` is NaN until the version was executed, so that it compares with nothing.
        """
        _require_name(tool_name)
        async with self.connections.postgres() as conn:
            current = await current_version(conn, tool_name)
            record = await version(conn, tool_name, current.version_id) if current else None
        return _as_dict(record) if record else None

    async def get_version_history(self, tool_name: str, limit: int = 50) -> list[dict[str, Any]]:
        """The newest ``limit`` versions, the newest first, each as in :meth:`get_current_version`,
        with the commands that were about it (``rollbacks``). Empty for a tool without versions.
        """
        _require_name(tool_name)
        if not 1 <= limit < 2**31:
            raise Rejected(f"limit: {limit} is not between 1 and {2**31 - 1}")
        async with self.connections.postgres() as conn:
            return [_as_dict(record) for record in await history(conn, tool_name, limit)]

    async def rollback_to_version(
        self,
        tool_name: str,
        version_id: int,
        reason: str,
        *,
        issued_by: str = "human",
        command_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Make any version of the tool current, an older or a newer one.

        ``success`` says whether it was done; if so ``rolled_back_to_version`` is the version's
        number, if not ``error`` says why, and ``status`` and ``rejection`` in a word each
        (contract, section 1). The same ``command_id`` again changes nothing and returns the first
        result.
        """
        _require_id(version_id)
        client = await self.connections.client()
        outcome = await client.rollback(
            tool_name, version_id, reason, issued_by=issued_by, command_id=command_id
        )
        return await self.told(outcome, version_id)

    async def compare_versions(
        self, tool_name: str, from_version_id: int, to_version_id: int
    ) -> dict[str, Any]:
        """What leads from one version to the other, in either direction: the diff, what it breaks,
        both versions' metrics and their change
        (:func:`rollguard.management.version_comparison.comparison_of`). Rejected where the tool has
        no such version.
        """
        async with self.connections.postgres() as conn:
            before = await _require_version(conn, tool_name, from_version_id)
            after = await _require_version(conn, tool_name, to_version_id)
        findings = await self.connections.comparer.compare(before.code, after.code)
        # in a thread: a difference between long texts takes its time
        diff = await asyncio.to_thread(code_diff, before, after)
        return comparison_of(before, after, diff, findings)

    async def check_immediate_rollback_needed(
        self, tool_name: str, at: datetime | str | None = None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """What the immediate rules say of the current version's executions in Postgres: whether a
        rollback is needed, the reason, and the evidence.

        'Now' is the newest execution's time; with ``at`` (a time with an offset) it is that, and
        what was executed later is left out. Nothing is changed. Rejected for a tool without
        versions.
        """
        row = await self.evidence(tool_name, at)
        policy = self.policies.of(tool_name)
        verdict = policy.immediate_verdict(row)
        if verdict is None:
            return False, None, {}
        return True, verdict.reason, details_of(row, verdict, policy)

    async def update_version_metrics(
        self, tool_name: str, version_id: int | None = None
    ) -> dict[str, Any]:
        """Count a version's executions anew (the current one's without ``version_id``), and correct
        its metrics if they differ: ``changed``, and the metrics ``before`` and ``after``. On a
        healthy system nothing changes. Rejected where the tool has no such version, and where
        executions of it were pruned: its metrics stay.
        """
        _require_name(tool_name)
        async with self.connections.postgres() as conn:
            if version_id is None:
                version_id = (await require_current(conn, tool_name)).version_id
            _require_id(version_id)
            counted = await recount(conn, tool_name, version_id)
        if counted is None:
            raise Rejected(f"{tool_name!r} has no version with the id {version_id}")
        return {
            "tool_name": tool_name,
            "version_id": version_id,
            "changed": counted.changed,
            "before": _metrics(counted.before),
            "after": _metrics(counted.after),
        }

    async def evidence(self, tool_name: str, at: datetime | str | None = None) -> Row:
        """The row of the current version as its newest executions in Postgres make it."""
        until = None if at is None else _time(at)
        policy = self.policies.of(tool_name)
        async with self.connections.postgres() as conn:
            current = await require_current(conn, tool_name)
            found = await newest_executions(
                conn,
                tool_name,
                current.version_id,
                policy.rules.ring_size,
                since=current.activated_at if current.activated_by.kind == "rollback" else None,
                until=until,
            )
        return rebuild(current, found[::-1], policy, until)

    async def told(self, outcome: RollbackOutcome, wanted: int | None) -> dict[str, Any]:
        """The result of a rollback, after the registry was told of it."""
        applied = outcome.status == "applied"
        if applied:
            await self._tell_registry(outcome.tool_name)
        return {
            "success": applied,
            "status": outcome.status,
            "tool_name": outcome.tool_name,
            "rolled_back_to_version": outcome.to_version_number if applied else None,
            "from_version_id": outcome.from_version_id,
            "to_version_id": outcome.to_version_id,
            "command_id": outcome.command_id,
            "tier": outcome.tier,
            "reason": outcome.reason,
            "rejection": outcome.rejection,
            "error": None if applied else why_not(outcome, wanted),
        }

    async def _require_previous(
        self, tool_name: str, version_id: int, deployment_id: UUID | None
    ) -> None:
        _require_name(tool_name)
        async with self.connections.postgres() as conn:
            if deployment_id is not None and await outcome_of(conn, deployment_id) is not None:
                return  # the same once more: its first result holds
            current = await current_version(conn, tool_name)
        if current is None or current.version_id != version_id:
            is_current = f"{current.version_id} is" if current else "the tool has none"
            raise Rejected(
                f"previous_version_id: {version_id} is not the current version of {tool_name!r}: "
                f"{is_current}"
            )

    async def _tell_registry(self, tool_name: str) -> None:
        """Whatever fails here is logged: what the registry is told of has happened."""
        if self.tool_registry is None:
            return
        try:
            async with self.connections.postgres() as conn:
                current = await require_current(conn, tool_name)
            told = self.tool_registry.reload(current)
            if isawaitable(told):
                await told
        except Exception:
            log.exception("tool_registry_failed", tool=tool_name)


async def require_current(conn: Connection, tool_name: str) -> ToolVersion:
    """The tool's current version. Rejected for a tool without versions."""
    _require_name(tool_name)
    current = await current_version(conn, tool_name)
    if current is None:
        raise Rejected(f"{tool_name!r} has no versions")
    return current


async def _require_version(conn: Connection, tool_name: str, version_id: int) -> VersionRecord:
    _require_name(tool_name)
    _require_id(version_id)
    record = await version(conn, tool_name, version_id)
    if record is None:
        raise Rejected(f"{tool_name!r} has no version with the id {version_id}")
    return record


def _require_name(tool_name: str) -> None:
    """Rejected for what no database can be asked for."""
    if not isinstance(tool_name, str) or storable(tool_name) != tool_name:
        raise Rejected(f"tool_name: {tool_name!r} is not the name of a tool")


def _require_id(version_id: int) -> None:
    """Rejected for what is no id: without one the applier would choose a version itself."""
    if not isinstance(version_id, int) or isinstance(version_id, bool):
        raise Rejected(f"version_id: {version_id!r} is not the id of a version")


def _as_dict(record: VersionRecord) -> dict[str, Any]:
    fields = record.model_dump()
    if record.success_rate is None:
        fields["success_rate"] = nan
    return fields


def _metrics(metrics: Metrics) -> dict[str, Any]:
    rate = metrics.success_rate
    return asdict(metrics) | {"success_rate": nan if rate is None else rate}


def _time(at: datetime | str) -> datetime:
    try:
        return parse_time(at)
    except ValueError as error:
        raise Rejected(f"at: {error}") from None


def why_not(outcome: RollbackOutcome, wanted: int | None) -> str:
    """Why a command was not applied, in a sentence. ``wanted`` is the target that it named."""
    tool = repr(outcome.tool_name)
    if outcome.status == "held":
        return f"waits for a person: rollguard approve {outcome.command_id}"
    if outcome.status == "observed":
        return f"only observed: {tool} stays as it is"
    match outcome.rejection:
        case "unknown_version":
            return f"{tool} has no version with the id {wanted or outcome.from_version_id}"
        case "not_current":
            return f"the version that was to be replaced is not the current one of {tool}"
        case "already_current":
            return f"version {wanted} of {tool} is the current one already"
        case "pinned":
            return f"the current version of {tool} is pinned"
        case "expired":
            return "nobody approved it in time"
        case "dismissed":
            return "a person dismissed it"
        case "no_previous_version":
            return f"{tool} has no trusted version to go back to"
        case "budget":
            return f"{tool} was rolled back automatically as often as it may be for now"
        case "cooldown":
            return f"{tool} was rolled back automatically only just now"
    return f"rejected: {outcome.rejection}"
