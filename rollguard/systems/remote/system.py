"""The whole system through a console."""

from rollguard.systems.remote.dead_letters import RemoteDeadLetters
from rollguard.systems.remote.executions import RemoteExecutions
from rollguard.systems.remote.holds import RemoteHolds
from rollguard.systems.remote.overview import RemoteOverview
from rollguard.systems.remote.reading import Answers
from rollguard.systems.remote.rollbacks import RemoteRollbacks
from rollguard.systems.remote.stops import RemoteStops
from rollguard.systems.remote.versions import RemoteVersions
from rollguard.systems.system import System
from rollguard_client.http.console import Console


def remote_system(console: Console) -> System:
    """Return the system of this console."""
    answers = Answers(console)
    return System(
        RemoteOverview(answers),
        RemoteVersions(answers),
        RemoteExecutions(answers),
        RemoteRollbacks(answers),
        RemoteHolds(answers),
        RemoteStops(answers),
        RemoteDeadLetters(answers),
    )
