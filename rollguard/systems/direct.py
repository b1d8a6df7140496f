"""A system that is reached by Kafka and Postgres themselves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.replays import RecordPosition
from db.rollbacks.records import RollbackRecord
from db.versions.outcomes import DeploymentKey
from rollguard.client import EngineClient
from rollguard.management.named_comparison import compare_named
from rollguard.operations import (
    held_deployments,
    holds,
    pins,
    rollbacks,
    stops,
    verdicts,
    versions,
    waiting,
)
from rollguard.operations.dead_letters.bad_records import DeadLetterFilter
from rollguard.operations.dead_letters.causes import Causes
from rollguard.operations.dead_letters.dead_letters import (
    BadRecordInFull,
    BadRecordList,
    bad_record_with_value,
    list_bad_records,
    list_causes,
)
from rollguard.operations.dead_letters.replay import Replays, replay_matching
from rollguard.operations.overview import engines, health, status, tools
from rollguard.operations.records import NotPublished, Publish
from rollguard.operations.versions import FoundVersion, ToolHistory, VersionName
from rollguard.systems.system import (
    HeldKey,
    NewVerdict,
    NewVersion,
    Note,
    System,
)
from schemas.deployment import DeploymentOutcome
from schemas.execution import Execution
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings
from schemas.stops import Pin, Stop


def direct_system(settings: Settings) -> System:
    """Return the system of these settings."""
    return System(
        _Overview(settings),
        _Versions(settings),
        _Executions(settings),
        _Rollbacks(settings),
        _Holds(settings),
        _Stops(settings),
        _DeadLetters(settings),
    )


@dataclass(frozen=True)
class _OfSettings:
    settings: Settings


class _Overview(_OfSettings):
    async def tools(self, state: str | None, note: Note) -> list[tools.ToolAtAGlance]:
        return await tools.tools_at_a_glance(self.settings, state, note)

    async def engines(self, tool: str | None, *, stale: bool = False) -> list[engines.EngineOfTool]:
        found = await engines.engines_of(self.settings, tool, maybe_stale=stale)
        return [each for each in found if not stale or each.state == "stale"]

    async def status(self) -> status.SystemStatus:
        return await status.system_status(self.settings)

    async def health(self, tool: str, note: Note) -> dict[str, Any]:
        return await health.whole_health_of(self.settings, tool, note)


class _Versions(_OfSettings):
    async def deploy(self, tool: str, new: NewVersion, deployment_id: UUID) -> FoundVersion:
        return await versions.deploy(self.settings, tool, *new, deployment_id=deployment_id)

    async def current(self, tool: str) -> FoundVersion:
        return await versions.current_of(self.settings, tool)

    async def named(self, tool: str, name: VersionName) -> FoundVersion:
        return await versions.version_of(self.settings, tool, name)

    async def id_of(self, tool: str, name: VersionName) -> int:
        return await versions.version_id_of(self.settings, tool, name)

    async def number_of(self, tool: str, version_id: int) -> int | None:
        return await versions.version_number_of(self.settings, tool, version_id)

    async def history(self, tool: str, limit: int) -> ToolHistory:
        return await versions.history_of(self.settings, tool, limit)

    async def compare(self, tool: str, before: VersionName, after: VersionName) -> dict[str, Any]:
        return await compare_named(self.settings, tool, before, after)


class _Executions(_OfSettings):
    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[Publish]:
        async with EngineClient(self.settings) as client:

            async def publish(executions: Sequence[Execution]) -> list[NotPublished]:
                await client.publish_executions(executions)
                return []

            yield publish

    async def judge(self, tool: str, said: NewVerdict, version: VersionName | None) -> LaterVerdict:
        execution_id, bad, by, why = said
        if version is None:
            ran = await verdicts.version_of(self.settings, tool, execution_id)
        else:
            ran = await versions.version_id_of(self.settings, tool, version)
        return await verdicts.judge(self.settings, tool, execution_id, ran, bad=bad, by=by, why=why)


class _Rollbacks(_OfSettings):
    async def newest(
        self, tool: str | None, since: datetime | None, limit: int
    ) -> list[RollbackRecord]:
        return await rollbacks.rollbacks_of(self.settings, tool, since, limit)

    async def explained(self, beginning: str, tool: str | None) -> rollbacks.RollbackExplanation:
        named = await rollbacks.command_named(self.settings, beginning, tool)
        return await rollbacks.explanation_of(self.settings, named)

    async def roll_back(
        self, tool: str, version_id: int, reason: str, by: str, command_id: UUID
    ) -> RollbackOutcome:
        return await rollbacks.roll_back(self.settings, tool, version_id, reason, by, command_id)


class _Holds(_OfSettings):
    async def waiting(self, tool: str | None) -> list[waiting.Held]:
        return await waiting.all_waiting(self.settings, tool)

    async def named(self, beginning: str, tool: str | None) -> HeldKey:
        return await held_deployments.held_named(self.settings, beginning, tool)

    async def approve(self, held: HeldKey, by: str) -> RollbackOutcome | DeploymentOutcome:
        if isinstance(held, DeploymentKey):
            return await held_deployments.approve_deployment(self.settings, *held, by)
        return await holds.approve(self.settings, held.command_id, by, tool=held.tool_name)

    async def dismiss(
        self, held: HeldKey, reason: str, by: str
    ) -> RollbackOutcome | DeploymentOutcome:
        if isinstance(held, DeploymentKey):
            return await held_deployments.dismiss_deployment(self.settings, *held, reason, by)
        return await holds.dismiss(self.settings, held.command_id, reason, by, tool=held.tool_name)


class _Stops(_OfSettings):
    async def pin(self, tool: str | None, reason: str, by: str, until: datetime | None) -> Pin:
        return await pins.pin(self.settings, tool, reason, by, until)

    async def unpin(self, tool: str | None, by: str) -> Pin:
        return await pins.unpin(self.settings, tool, by)

    async def pin_of(self, tool: str | None) -> Pin:
        return await pins.pin_of(self.settings, tool)

    async def pins(self) -> list[Pin]:
        return await pins.every_pin(self.settings)

    async def freeze(self, tool: str | None, reason: str, by: str, until: datetime | None) -> Stop:
        return await stops.freeze(self.settings, tool, reason, by, until)

    async def unfreeze(self, tool: str | None, by: str) -> Stop:
        return await stops.unfreeze(self.settings, tool, by)

    async def resume(self, tool: str, by: str) -> Stop:
        return await stops.resume(self.settings, tool, by)

    async def reject(
        self, tool: str, version: VersionName, reason: str, by: str
    ) -> stops.RejectedVersion:
        return await stops.reject(self.settings, tool, version, reason, by)

    async def all(self, tool: str | None, *, ended: bool, limit: int) -> list[Stop]:
        return await stops.stops_of(self.settings, tool, ended=ended, limit=limit)


class _DeadLetters(_OfSettings):
    async def matching(self, wanted: DeadLetterFilter, limit: int) -> BadRecordList:
        return await list_bad_records(self.settings, wanted, limit)

    async def causes(self, wanted: DeadLetterFilter) -> Causes:
        return await list_causes(self.settings, wanted)

    async def in_full(self, position: RecordPosition) -> BadRecordInFull:
        return await bad_record_with_value(self.settings, position)

    async def replay(self, wanted: DeadLetterFilter, done: Replays, *, force: bool) -> None:
        await replay_matching(self.settings, wanted, done, force=force)
