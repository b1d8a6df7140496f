"""Version management for an engine: create, read, compare and check versions, and roll back.

async with ToolVersionManager() as version_manager:
    version_id = await version_manager.create_version("parser", code, created_by="autonomous")

Writes go through Kafka to the applier, which alone writes versions; the methods wait for the
outcome. Reads come from Postgres. Every method raises ``Retryable``, which names the part that did
not answer in time, and ``Misconfigured`` if the topics or the schema are missing.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import asdict
from datetime import datetime
from inspect import isawaitable
from math import nan
from typing import Any, Protocol
from uuid import UUID

import structlog

from db.postgres.blockers import naming_blockers
from db.postgres.locks import LOCK_TIMEOUT_MS
from db.postgres.pool import Connection
from db.versions.metrics import Metrics, recount
from db.versions.outcomes import outcome_of
from db.versions.reading import (
    VersionRecord,
    current_version,
    history,
    version,
    version_numbers,
)
from policy.decision.command import details_of
from rollguard.management.automatic_commands import (
    AutomaticCommands,
    require_current,
    require_name,
)
from rollguard.management.closing import ClosesAtExit
from rollguard.management.connections import Connections
from rollguard.management.outcome_texts import why_not_applied
from rollguard.management.version_comparison import code_diff, comparison_of
from rollguard.operations.overview.health import health_of
from rollguard.refusal import require_version
from rollguard_client.registry.interruption import Contained
from schemas.deployment import AcceptedBreak, Author, Check, ToolVersion
from schemas.errors import Missing, Rejected, RollguardError
from schemas.fields import parse_time
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings, load_settings

log = structlog.get_logger()


class ReloadsTools(Protocol):
    """A registry that is told when a version became current.

    ``rollguard.registry.ToolRegistry`` is one. An engine may have its own.
    """

    def reload(self, version: ToolVersion) -> Awaitable[None] | None:
        """Bring this version of its tool into use, unless a newer one of the tool is in use.

        It may be a coroutine. An exception is only logged, because the version is current all the
        same.
        """
        ...


class ToolVersionManager(ClosesAtExit):
    """The versions of tools: ``async with ToolVersionManager() as version_manager``.

    Connections are opened when they are first needed, and closed by ``close`` or at the end of the
    ``async with``. Each event loop that uses the manager has its own, and closes them itself.

    Args:
        execution_store: Kept for engines that passed a store here to an earlier manager. Settings
            may be passed here; anything else is ignored.
        tool_registry: Told of each deployment and rollback that is made by this manager.
        settings: By default those of the environment.
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
        self.tool_registry = tool_registry
        self.connections = Connections(self.settings)
        self.automatic_commands = AutomaticCommands(self.settings, self.connections)

    async def close(self) -> None:
        """Close the connections of this event loop. A later use opens them again."""
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
        checks: Iterable[Check] = (),
        deployment_id: UUID | None = None,
    ) -> int:
        """Make this code the tool's current version, and return the version's id.

        If the code is current already, no new version is made, and the current id is returned. Code
        that does not parse is accepted, and counts as a breaking change.

        Args:
            tool_name: The tool. Its first version creates it.
            code: The source text.
            created_by: Who made the version: ``human`` or ``autonomous``.
            improvement_type: What kind of change it is, such as ``bug_fix``; kept and shown.
            improvement_reason: Why it was made; kept and shown.
            previous_version_id: The version that this one replaces. It is found without being
                given. If it is given, it must be the id of the current version.
            accepted_breaks: Changes that break callers and that you intend; kept and shown.
            checks: Checks that you made of the code; kept and shown. A failed one of a machine's
                code counts if the setting ``gate`` says so.
            deployment_id: The id of this request. To repeat it changes nothing and returns the
                first result.

        Raises:
            Rejected: A ``ValueError`` too. It names the field that is wrong.
            DeploymentRefused: A ``Rejected``. It says why the applier refused the code, such as
                code that was rolled back before (policy `guarded`), or a tool that is frozen.
            DeploymentHeld: A ``Rejected``. The code waits for a person (setting ``gate``).
            Retryable: A part did not answer in time; the deployment may still be applied.
        """
        if previous_version_id is not None:
            await self.require_previous(tool_name, previous_version_id, deployment_id)
        client = await self.connections.client()
        outcome = await client.deploy(
            tool_name,
            code,
            created_by=created_by,
            improvement_type=improvement_type,
            improvement_reason=improvement_reason,
            deployment_id=deployment_id,
            accepted_breaks=accepted_breaks,
            checks=checks,
        )
        version_id = require_version(outcome)
        await self._tell_registry(tool_name)
        return version_id

    async def get_current_version(self, tool_name: str) -> dict[str, Any] | None:
        """Return the current version with its code and metrics; None if the tool has no versions.

        The keys are the fields of the message ToolVersion and ``success_rate``,
        ``total_executions``, ``successful_executions``, ``pruned_executions``,
        ``caller_failures``, ``environment_failures``, ``deployment_count``, ``is_current``,
        ``created_at``, ``trusted``, ``checks``, ``hold``, ``activations``, ``rollbacks`` and
        ``stops``. ``total_executions`` and ``success_rate`` are about the executions that are
        judged. ``success_rate`` is from 0 to 1. It is NaN until the version was executed, so that
        every comparison with it is false.
        """
        require_name(tool_name)
        async with self.connections.postgres() as conn:
            current = await current_version(conn, tool_name)
            record = await version(conn, tool_name, current.version_id) if current else None
        return _as_dict(record) if record else None

    async def get_version_history(self, tool_name: str, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest ``limit`` versions, the newest first; none if the tool has none.

        Each has the keys of ``get_current_version``; ``rollbacks`` holds the rollback commands that
        were about it. ``Rejected`` if ``limit`` is not from 1 to 2,147,483,647.
        """
        require_name(tool_name)
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
        issued_by: str | None = None,
        command_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Make any version of the tool current, an older or a newer one.

        It is a person's rollback, unless ``reason`` is that of a rule, such as
        ``consecutive_failures``, and the rule holds now. Then it is the rule's rollback: the
        command that the detector would issue, but to the version that is named. A pin stops it, and
        the code that is replaced is no longer trusted.

        In the result ``success`` says whether it was done. If so, ``rolled_back_to_version`` is the
        version's number. If not, ``error`` says why in a sentence, and ``status`` and ``rejection``
        in one word each (contract, section 1). The result also has ``tool_name``,
        ``from_version_id``, ``to_version_id``, ``command_id``, ``tier`` and ``reason``.

        Args:
            tool_name: The tool.
            version_id: The id of the version to make current.
            reason: Free text, or the reason of a rule; kept and shown.
            issued_by: Who orders it; kept and shown. By default your login name.
            command_id: The id of this request. To repeat it changes nothing and returns the first
                result. With it the rollback is always a person's.

        Raises:
            Rejected: A field is wrong. A rollback that the applier rejects raises nothing.
            Retryable: A part did not answer in time; the rollback may still be carried out.
        """
        _require_id(version_id)
        client, command = await self.connections.client(), None
        if command_id is None:
            command = await self.automatic_commands.for_reason(
                tool_name, version_id, reason, issued_by
            )
        if command is not None:
            outcome = await client.command(command)
        else:
            outcome = await client.rollback(
                tool_name, version_id, reason, issued_by=issued_by, command_id=command_id
            )
        return await self.result_of(outcome, version_id)

    async def compare_versions(
        self, tool_name: str, from_version_id: int, to_version_id: int
    ) -> dict[str, Any]:
        """Compare two versions of a tool, in either direction.

        The result says what leads from the first to the second: the diff of the code, what breaks
        for callers, the metrics of both, and the change of the success rate with its confidence
        interval. Its keys are ``tool_name``, ``from_version``, ``to_version``, ``code_diff``,
        ``is_breaking_change``, ``breaking_changes``, ``findings``, ``from_metrics``, ``to_metrics``
        and ``metrics_comparison``. A number that is not known is NaN. ``Rejected`` if the tool has
        no such version.
        """
        async with self.connections.postgres() as conn:
            before = await _require_version(conn, tool_name, from_version_id)
            after = await _require_version(conn, tool_name, to_version_id)
        return await self.compare_records(before, after)

    async def compare_records(self, before: VersionRecord, after: VersionRecord) -> dict[str, Any]:
        """Compare two versions that were read already; the result is that of the other method."""
        comparer = self.connections.comparer
        findings = await comparer.compare(before.code, after.code)
        hunks = await comparer.hunks(before.code, after.code)
        return comparison_of(before, after, code_diff(before, after, hunks), findings)

    async def check_immediate_rollback_needed(
        self, tool_name: str, at: datetime | str | None = None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """Say whether an immediate rule demands a rollback of the current version.

        The rules judge the version's executions in Postgres. Returns whether a rollback is needed,
        the reason (None if not), and the evidence (empty if not). Nothing is changed.

        'Now' is the clock's time. With ``at``, a time with an offset, it is that time, and later
        executions are left out. Under policy `guarded` the detector is asked, which has weighed all
        executions; it can say nothing of another time. ``Rejected`` if the tool has no versions.
        """
        policy = self.automatic_commands.policies.of(tool_name)
        until = None if at is None else _time(at)
        row = await self.automatic_commands.evidence(tool_name, until)
        if not policy.judges_newest_alone:
            return await self._asked(tool_name, until)
        verdict = policy.immediate_verdict(row)
        if verdict is None:
            return False, None, {}
        return True, verdict.reason, details_of(row, verdict, policy)

    async def update_version_metrics(
        self, tool_name: str, version_id: int | None = None
    ) -> dict[str, Any]:
        """Count a version's executions again, and correct its metrics if they differ.

        Without ``version_id`` it is the current version. The result says whether the metrics
        changed (``changed``), and what they were ``before`` and are ``after``. On a healthy system
        nothing changes. ``Rejected`` if the tool has no such version, or if executions of it were
        pruned; then the metrics stay.
        """
        require_name(tool_name)
        look = self.connections.postgres
        async with naming_blockers(look, LOCK_TIMEOUT_MS), look() as conn:
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

    async def result_of(self, outcome: RollbackOutcome, target: int | None) -> dict[str, Any]:
        """Tell the registry of a rollback, and return the rollback's result."""
        applied, error = outcome.status == "applied", None
        if applied:
            await self._tell_registry(outcome.tool_name)
        else:
            number = await self.number_of(outcome.tool_name, target)
            error = why_not_applied(outcome, target, number)
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
            "error": error,
        }

    async def number_of(self, tool_name: str, version_id: int | None) -> int | None:
        """Return the number of a version; None if it is not known, also without Postgres."""
        if version_id is None:
            return None
        try:
            async with self.connections.postgres() as conn:
                return (await version_numbers(conn, tool_name, ids=[version_id])).get(version_id)
        except RollguardError:
            return None

    async def _asked(
        self, tool_name: str, at: datetime | None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """Return what the detector says of the current version."""
        if at is not None:
            raise Rejected("at: policy guarded can only be asked for the present")
        health = await health_of(self.settings, tool_name)
        return health["needs_rollback"], health["reason"], health["details"]

    async def require_previous(
        self, tool_name: str, version_id: int, deployment_id: UUID | None
    ) -> None:
        """Raise Rejected unless this version is current, or the deployment was made before."""
        require_name(tool_name)
        async with self.connections.postgres() as conn:
            if deployment_id is not None and await outcome_of(conn, tool_name, deployment_id):
                return  # the same request again: its first result stands
            current = await current_version(conn, tool_name)
        if current is None or current.version_id != version_id:
            is_current = f"{current.version_id} is" if current else "the tool has none"
            raise Rejected(
                f"previous_version_id: {version_id} is not the current version of {tool_name!r}: "
                f"{is_current}"
            )

    async def _tell_registry(self, tool_name: str) -> None:
        """Tell the registry which version is current.

        Whatever it raises is only logged, because the version is current all the same.
        """
        if self.tool_registry is None:
            return
        with Contained() as told:
            async with self.connections.postgres() as conn:
                current = await require_current(conn, tool_name)
            reloading = self.tool_registry.reload(current)
            if isawaitable(reloading):
                await reloading
        if told.error is not None:
            log.error("tool_registry_failed", tool=tool_name, exc_info=told.error)


async def _require_version(conn: Connection, tool_name: str, version_id: int) -> VersionRecord:
    require_name(tool_name)
    _require_id(version_id)
    record = await version(conn, tool_name, version_id)
    if record is None:
        raise Missing(f"{tool_name!r} has no version with the id {version_id}")
    return record


def _require_id(version_id: int) -> None:
    """Raise Rejected for what is no id. Without an id the applier would choose a version itself."""
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
