"""A role that is assembled: its members of consumer groups, and what is repeated beside them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from agents.notifier.receivers import groups_of_receivers, receivers_of
from agents.worker.batch_agent import BatchAgent
from agents.worker.metrics.work_metrics import WorkMetrics
from agents.worker.periodic import PeriodicTask
from db.postgres.pool import Pool
from schemas.settings import Settings
from streams.driver.driver import Driver

Role = Literal["detector", "applier", "recorder", "bridge", "notifier"]


async def _nothing() -> None:
    return


def serve_nothing() -> None:
    """Do nothing: nobody asks anything of most roles."""


class Member(NamedTuple):
    """A member of one consumer group, which is not started yet."""

    driver: Driver
    agents: Sequence[BatchAgent]
    sources: list[str]
    """The topics that it reads."""
    finish: Callable[[], Awaitable[None]] = _nothing
    """To be called before the driver stops, so that what gets done is still committed."""


class Wired(NamedTuple):
    """A role that is assembled and not started yet."""

    members: Mapping[str, Member]
    """By the name of the group without its prefix: that of the role. A notifier is a member of a
    group for each receiver."""
    pool: Pool | None
    work: WorkMetrics
    periodic: Sequence[PeriodicTask] = ()
    serve: Callable[[], None] = serve_nothing
    """Called when the driver runs: what others ask of the role may be answered from then on."""


def groups_of(role: Role, settings: Settings) -> list[str]:
    """Return the names of a role's consumer groups. Raises Misconfigured."""
    if role != "notifier":
        return [role]
    receivers_of(settings)  # so that all that is wrong is said before anything else
    return groups_of_receivers(settings)
