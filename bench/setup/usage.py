"""The CPU time and the wall time that judging takes."""

from dataclasses import dataclass
from typing import Self


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
