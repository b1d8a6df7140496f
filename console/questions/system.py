"""The system: its state, how it develops, outages, and who is told."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agents.notifier.receivers import group_of_receiver, named_receivers
from console.services import Services
from console.system_samples import RoleTrend
from rollguard.operations.overview.status import SystemStatus
from schemas.errors import RollguardError
from schemas.notify_file import Route


class ToldReceiver(NamedTuple):
    """Somebody who is told of rollbacks, deployments and outages."""

    name: str
    kind: str
    routes: Sequence[Route]
    """Without one it is told everything."""
    lag: int | None
    """How many events it was not told of yet; None if that is not known."""


class SystemNow(NamedTuple):
    """The state of the system, and what else is known of it."""

    status: SystemStatus
    trends: Mapping[str, RoleTrend]
    """How each role has developed, by its name; roles of which one state is known are missing."""
    stuck: Mapping[str, Any]
    """Each sentence of ``status.stuck``, and since when it is known to be so."""
    outages: Sequence[Mapping[str, Any]] | None
    """Those that last; None if no detector answers."""
    receivers: Sequence[ToldReceiver]
    notes: Sequence[str]
    """What is not known now, and why."""

    def data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        found = self.status.data()
        for role in found["roles"]:
            trend = self.trends.get(role["role"])
            role["trend"] = None if trend is None else trend._asdict()
        return found | {
            "stuck_since": self.stuck,
            "outages": self.outages,
            "receivers": [
                each._asdict()
                | {"routes": [route.model_dump(exclude_none=True) for route in each.routes]}
                for each in self.receivers
            ],
            "notes": self.notes,
        }


async def system_now(services: Services) -> SystemNow:
    """Return the state of the system. What does not answer is said in it."""
    status, notes = await services.system.get(), list[str]()
    samples = services.samples
    trends = {role.role: samples.trend(role.role) for role in status.roles}
    return SystemNow(
        status,
        {name: trend for name, trend in trends.items() if trend is not None},
        {text: samples.stuck_since(text) or status.as_of for text in status.stuck},
        await outages_now(services, notes),
        _receivers(services, status, notes),
        notes,
    )


async def outages_now(services: Services, notes: list[str]) -> Sequence[Mapping[str, Any]] | None:
    """Return the outages that last, by partition; None if no detector answers: ``notes`` say so."""
    try:
        found = await services.outages.get()
    except RollguardError as error:
        notes.append(f"whether an outage lasts is not known: {error}")
        return None
    notes += found.notes
    return found.lasting


def _receivers(services: Services, status: SystemStatus, notes: list[str]) -> list[ToldReceiver]:
    try:
        named = named_receivers(services.settings)
    except RollguardError as error:
        notes.append(f"who is told is not known: {error}")
        return []
    lags = {role.role: role.lag for role in status.roles}
    return [
        ToldReceiver(each.name, each.kind, each.routes, lags.get(group_of_receiver(each.name)))
        for each in named
    ]
