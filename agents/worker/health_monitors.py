"""The health of a worker that may be a member of several consumer groups, as a notifier is.

Each group is judged by itself, so that one that waits does not hide that another one is stuck.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from agents.worker.health_monitor import HealthMonitor
from agents.worker.liveness import Judgement
from schemas.settings import Settings
from streams.waits import Wait, Waits


class HealthMonitors:
    """The monitors of a worker: one for each of its groups, by the name that is a role's."""

    def __init__(self, groups: Sequence[str], settings: Settings) -> None:
        self.waits = Waits()
        """The parts that the whole process waits for."""
        self.of_groups: Mapping[str, HealthMonitor] = {
            group: HealthMonitor(group, settings, common=self.waits) for group in groups
        }

    def alive(self) -> Judgement:
        """Return the answer of ``/healthz``."""
        return self._all(HealthMonitor.alive)

    def ready(self) -> Judgement:
        """Return the answer of ``/readyz``."""
        return self._all(HealthMonitor.ready)

    def waiting(self) -> list[Wait]:
        """Return all that the process and its groups wait for; what is common comes repeatedly."""
        return [each for monitor in self.of_groups.values() for each in monitor.waits.now()]

    async def run(self) -> None:
        """Take samples until cancelled. An error that it raises is a bug."""
        async with asyncio.TaskGroup() as tasks:
            for each in self.of_groups.values():
                tasks.create_task(each.run())

    def _all(self, asked: Callable[[HealthMonitor], Judgement]) -> Judgement:
        """Return what holds for all groups; of several groups each reason names its own."""
        judged = {group: asked(monitor) for group, monitor in self.of_groups.items()}
        named = (
            (f"{group}: {reason}" for reason in each.reasons) for group, each in judged.items()
        )
        if len(judged) == 1:
            return next(iter(judged.values()))
        holds = all(each.holds for each in judged.values())
        return Judgement(holds, tuple(chain.from_iterable(named)))
