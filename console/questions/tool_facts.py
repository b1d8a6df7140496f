"""All that the page of one tool shows, of the detector and of Postgres, if each answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from console.questions.tools import health_now, one_tool, waits_of
from console.services import Services
from db.executions.queries import ExecutionRecord, ExecutionsWanted, executions_page
from db.executions.sampling import SPANS, Sample, sampled
from db.postgres.pool import Connection
from db.rollbacks.records import RollbackRecord, RollbacksWanted, rollbacks_page
from db.stops.reading import stops_of
from db.versions.held import HeldDeployment, holds_of_tool
from db.versions.reading import (
    ActivationOfTool,
    VersionRecord,
    history,
    newest_activations,
)
from schemas.errors import Misconfigured, Retryable
from schemas.stops import Stop

VERSIONS: Final = 10
"""How many versions are shown: the newest."""
_EVENTS: Final = 40
_FAILURES: Final = 300
_NEWEST: Final = 15


class Period(NamedTuple):
    """The time that the chart shows, in equal spans."""

    begin: datetime
    span: timedelta

    @property
    def end(self) -> datetime:
        """The end of the last span."""
        return self.begin + SPANS * self.span


PERIODS: Final = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
"""The times that the chart can show, by name."""


@dataclass(frozen=True)
class StoredFacts:
    """What Postgres knows."""

    versions: Sequence[VersionRecord]
    """The newest first, and at most ``VERSIONS``."""
    has_more_versions: bool
    held: Sequence[HeldDeployment]
    activations: Sequence[ActivationOfTool]
    commands: Sequence[RollbackRecord]
    stops: Sequence[Stop]
    """The newest, also those that have ended."""
    failures: Sequence[ExecutionRecord]
    """The newest of them, among the newest executions."""
    newest: Sequence[ExecutionRecord]
    samples: Sequence[Sample]
    period: Period
    """The time of the samples."""
    period_name: str


@dataclass(frozen=True)
class ToolFacts:
    """What is known of a tool now."""

    tool: dict[str, Any]
    """As ``GET /tools/{tool}`` has it."""
    health: dict[str, Any] | None
    """What the detector says, and what stops a rollback; None if it says nothing."""
    stored: StoredFacts | None
    """None if Postgres does not answer."""
    notes: Sequence[str]
    """What is not known, and why."""


async def tool_facts(services: Services, tool: str, period: str | None) -> ToolFacts:
    """Return what is known of a tool. ``period`` names what the chart shows; None: what fits.

    Missing if there is no such tool. Retryable if neither the detector nor Postgres answers.
    """
    notes: list[str] = []
    health = await health_now(services, tool, notes)
    found = await one_tool(services, tool, health, notes)
    stored = None
    if found.get("version") is not None:
        try:
            async with services.postgres() as conn:
                stored = await _stored(conn, tool, period)
        except (Retryable, Misconfigured) as error:
            notes.append(f"{error}; the history is not shown")
    if health is not None:
        health = health | await waits_of(services, health, notes)
    return ToolFacts(found, health, stored, notes)


async def _stored(conn: Connection, tool: str, wanted: str | None) -> StoredFacts:
    now = datetime.now(UTC)
    activations = await newest_activations(conn, tool, _EVENTS)
    name = wanted or period_with(activations, now)
    period = Period(now - PERIODS[name], PERIODS[name] / SPANS)
    versions = await history(conn, tool, VERSIONS + 1)
    failures = await executions_page(conn, tool, ExecutionsWanted(success=False), None, _FAILURES)
    newest = await executions_page(conn, tool, ExecutionsWanted(), None, _NEWEST)
    return StoredFacts(
        versions=versions[:VERSIONS],
        has_more_versions=len(versions) > VERSIONS,
        held=await holds_of_tool(conn, tool, VERSIONS),
        activations=activations,
        commands=await rollbacks_page(conn, RollbacksWanted(tool), None, _EVENTS),
        stops=await stops_of(conn, tool, ended=True, limit=_EVENTS),
        failures=failures.executions,
        newest=newest.executions,
        samples=await sampled(conn, tool, period.begin, period.span),
        period=period,
        period_name=name,
    )


def period_with(activations: Sequence[ActivationOfTool], now: datetime) -> str:
    """Return the shortest period with the newest two activations, which are the newest first.

    One day if there is no such period: then nothing happened for long.
    """
    begin = min((each.began_at for each in activations[:2]), default=now)
    fitting = (name for name, length in PERIODS.items() if now - begin <= length)
    return next(fitting, "24h")
