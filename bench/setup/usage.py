"""The CPU time and the wall time that something takes."""

from dataclasses import dataclass
from typing import Self

import psutil


@dataclass(frozen=True)
class Usage:
    """Microseconds, for a whole log or for one execution of it.

    CPU time counts user and kernel mode and all threads. It may be more than the wall time.
    """

    cpu_us: float
    wall_us: float

    @classmethod
    def of_seconds(cls, cpu_s: float, wall_s: float) -> Self:
        """Return the usage for these times in seconds."""
        return cls(1e6 * cpu_s, 1e6 * wall_s)

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu_us - other.cpu_us, self.wall_us - other.wall_us)

    def __truediv__(self, executions: int) -> "Usage":
        return Usage(self.cpu_us / executions, self.wall_us / executions)


class PostgresUsage:
    """The CPU time of all processes of a Postgres, also of those that have ended."""

    def __init__(self, backend: int) -> None:
        server = psutil.Process(backend).parent()
        assert server is not None, "a backend is a child of the server"
        self._server: psutil.Process = server

    @property
    def cpu_s(self) -> float:
        """The CPU time since the server was started."""
        own = self._server.cpu_times()
        ended = own.children_user + own.children_system
        children = sum(cpu_of(each) for each in self._server.children(recursive=True))
        return float(cpu_of(self._server) + ended + children)


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU time of a process in seconds; 0 if it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # it is among the ended children of its parent now
        return 0.0
    return float(times.user + times.system)
