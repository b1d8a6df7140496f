"""The whole system through a console."""

from functools import cached_property

from rollguard.systems.remote.reading import Answers
from rollguard.systems.system import (
    DeadLetters,
    Executions,
    Holds,
    Overview,
    Rollbacks,
    Stops,
    Versions,
)
from rollguard_client.http.console import Console


class RemoteSystem:
    """The system of this console. Nothing is connected before something is asked."""

    def __init__(self, console: Console) -> None:
        self._answers = Answers(console)

    @cached_property
    def overview(self) -> Overview:
        """Everything at a glance, and the health of one tool."""
        from rollguard.systems.remote.overview import RemoteOverview

        return RemoteOverview(self._answers)

    @cached_property
    def versions(self) -> Versions:
        """The versions of tools."""
        from rollguard.systems.remote.versions import RemoteVersions

        return RemoteVersions(self._answers)

    @cached_property
    def executions(self) -> Executions:
        """Executions, and what is said of them later."""
        from rollguard.systems.remote.executions import RemoteExecutions

        return RemoteExecutions(self._answers)

    @cached_property
    def rollbacks(self) -> Rollbacks:
        """Rollbacks: those that were commanded, and new ones."""
        from rollguard.systems.remote.rollbacks import RemoteRollbacks

        return RemoteRollbacks(self._answers)

    @cached_property
    def holds(self) -> Holds:
        """What waits for a person."""
        from rollguard.systems.remote.holds import RemoteHolds

        return RemoteHolds(self._answers)

    @cached_property
    def stops(self) -> Stops:
        """What persons say against machines. A ``tool`` that is None stands for all tools."""
        from rollguard.systems.remote.stops import RemoteStops

        return RemoteStops(self._answers)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Records that could not be used."""
        from rollguard.systems.remote.dead_letters import RemoteDeadLetters

        return RemoteDeadLetters(self._answers)
