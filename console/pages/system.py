"""The page *system*: roles and their lag, Postgres, outages, engines, and who is told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.api.parameters import ServicesHere
from console.pages.rendering.answers import page
from console.pages.rendering.known import or_note
from console.pages.rendering.texts import span_text
from console.questions.system import SystemNow, system_now
from console.services import Services
from console.system_samples import RoleTrend
from rollguard.operations.overview.engines import EngineOfTool, engines_of
from rollguard.operations.overview.status import RoleStatus, SystemStatus, text_of_stuck
from schemas.fields import parse_time
from schemas.notify_file import Route

router: Final = APIRouter()
_ENGINES: Final = 50
_LOOKED_AT: Final = 1_000
_LAGS: Final = 10


@dataclass(frozen=True)
class RoleRow:
    """A role on one line."""

    name: str
    workers: list[str]
    lag: int
    trend: str
    """How the lag develops, in words."""
    kind: str
    """``good``, ``warn`` or ``bad``, for the colour beside the words."""
    throughput: str
    lags: list[tuple[str, int]]
    """The partitions with the greatest lag."""
    more_lags: int


@dataclass(frozen=True)
class Outage:
    """An outage that lasts."""

    partition: int
    since: datetime
    tools: int
    failing: int


@dataclass(frozen=True)
class Told:
    """A receiver on one line."""

    name: str
    kind: str
    what: str
    lag: str


@dataclass(frozen=True)
class SoftwareRow:
    """A version of Rollguard on one line."""

    version: str
    run_by: str
    """Which roles run it, and how many workers of each."""


@router.get("/system")
async def system_page(request: Request, services: ServicesHere) -> Response:
    """Show how the system does."""
    found, notes = await system_now(services), list[str]()
    engines = await or_note(
        _engines(services), notes, "Which engines run an old version is not known"
    )
    status = found.status
    return page(
        request,
        "system.html",
        status=status,
        stuck=stuck_rows(status, found.stuck),
        roles=[role_row(each, found.trends.get(each.role)) for each in status.roles],
        outages=None if found.outages is None else [outage_of(each) for each in found.outages],
        told=[
            Told(each.name, each.kind, routes_text(each.routes), _lag_text(each.lag))
            for each in found.receivers
        ],
        has_receivers=services.settings.notify is not None,
        engines=None if engines is None else engines[:_ENGINES],
        software=software_rows(status),
        has_more_engines=engines is not None and len(engines) > _ENGINES,
        since=_known_since(found),
        notes=[*found.notes, *notes],
        engines_at=datetime.now(UTC) if engines is not None else None,
    )


async def _engines(services: Services) -> list[EngineOfTool]:
    """Return engines that run an old version or cannot load the current one; one more than shown.

    Those that surely run the current version are not looked at.
    """
    async with services.postgres() as conn:
        found = await engines_of(services.settings, None, conn, limit=_LOOKED_AT, maybe_stale=True)
    return [each for each in found if each.state in ("stale", "failed")][: _ENGINES + 1]


def _known_since(found: SystemNow) -> datetime | None:
    return min((each.since for each in found.trends.values()), default=None)


def stuck_rows(status: SystemStatus, stuck: Mapping[str, datetime]) -> list[tuple[str, datetime]]:
    """Return what needs somebody, and since when that is known.

    That a role without workers handles nothing is not said again for each partition.
    """
    implied = {
        text_of_stuck(role.role, name)
        for role in status.roles
        if not role.workers
        for name in role.stuck
    }
    return [(text, since) for text, since in stuck.items() if text not in implied]


def role_row(role: RoleStatus, trend: RoleTrend | None) -> RoleRow:
    """Return the line of a role."""
    greatest = sorted(role.lags.items(), key=lambda each: (-each[1], each[0]))
    text, kind = trend_text(role.lag, trend)
    if not role.workers or role.stuck:
        kind = "bad"
    throughput = "not known yet"
    if trend is not None:
        throughput = f"{trend.handled_per_s:,.1f} of {trend.written_per_s:,.1f} a second"
    return RoleRow(
        name=role.role,
        workers=role.workers,
        lag=role.lag,
        trend=text,
        kind=kind,
        throughput=throughput,
        lags=greatest[:_LAGS],
        more_lags=max(len(greatest) - _LAGS, 0),
    )


def software_rows(status: SystemStatus) -> list[SoftwareRow]:
    """Return each version of Rollguard that runs, this console's first."""
    own = status.software["rollguard"]
    run_by: dict[str, list[str]] = {own: ["this console"]}
    for role in status.roles:
        for version, workers in sorted(Counter(role.versions).items()):
            name = role.role if workers == 1 else f"{role.role} ({workers})"
            run_by.setdefault(version, []).append(name)
    return [SoftwareRow(version, ", ".join(names)) for version, names in run_by.items()]


def trend_text(lag: int, trend: RoleTrend | None) -> tuple[str, str]:
    """Return how a lag develops in words, and the kind of this news."""
    if trend is None:
        return ("no lag", "good") if not lag else ("its trend is not known yet", "warn")
    if not lag:
        return "no lag", "good"
    text = {"grows": "grows", "shrinks": "shrinks", "stays": "stays"}[trend.direction]
    if trend.unread_for_s >= 1:
        text += f"; the oldest waits for at least {span_text(trend.unread_for_s)}"
    is_bad = trend.direction == "grows" and trend.unread_for_s >= 30
    return text, "bad" if is_bad else "warn" if trend.unread_for_s >= 10 else "good"


def outage_of(found: Mapping[str, Any]) -> Outage:
    """Return an outage as a detector tells it."""
    return Outage(found["partition"], parse_time(found["since"]), found["tools"], found["failing"])


def routes_text(routes: Sequence[Route]) -> str:
    """Return what a receiver is told, in words."""
    if not routes:
        return "everything"
    return "; ".join(map(_route_text, routes))


def _route_text(route: Route) -> str:
    parts = [
        f"{name} {', '.join(values)}"
        for name, values in (
            ("tools", route.tools),
            ("tiers", route.tiers),
            ("statuses", route.statuses),
        )
        if values
    ]
    return " and ".join(parts) or "everything"


def _lag_text(lag: int | None) -> str:
    if lag is None:
        return "not known"
    return "told everything" if not lag else f"{lag:,} not told yet"
