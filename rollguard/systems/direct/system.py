"""The whole system, reached directly."""

from functools import cached_property

from rollguard.systems.system import (
    DeadLetters,
    Executions,
    Holds,
    Overview,
    Rollbacks,
    Stops,
    Versions,
)
from schemas.settings import Settings


class DirectSystem:
    """The system of these settings. Nothing is connected before something is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def overview(self) -> Overview:
        """Everything at a glance, and the health of one tool."""
        from rollguard.systems.direct.overview import DirectOverview

        return DirectOverview(self._settings)

    @cached_property
    def versions(self) -> Versions:
        """The versions of tools."""
        from rollguard.systems.direct.versions import DirectVersions

        return DirectVersions(self._settings)

    @cached_property
    def executions(self) -> Executions:
        """Executions, and what is said of them later."""
        from rollguard.systems.direct.executions import DirectExecutions

        return DirectExecutions(self._settings)

    @cached_property
    def rollbacks(self) -> Rollbacks:
        """Rollbacks: those that were commanded, and new ones."""
        from rollguard.systems.direct.rollbacks import DirectRollbacks

        return DirectRollbacks(self._settings)

    @cached_property
    def holds(self) -> Holds:
        """What waits for a person."""
        from rollguard.systems.direct.holds import DirectHolds

        return DirectHolds(self._settings)

    @cached_property
    def stops(self) -> Stops:
        """What persons say against machines. A ``tool`` that is None stands for all tools."""
        from rollguard.systems.direct.stops import DirectStops

        return DirectStops(self._settings)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """Records that could not be used."""
        from rollguard.systems.direct.dead_letters import DirectDeadLetters

        return DirectDeadLetters(self._settings)
