"""What an execution costs whoever judges it."""

import math
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Usage:
    """Microseconds for one record: of CPU time, in user and kernel mode and in all threads, and of
    wall time, from when the first records are done, so that starting does not count (NaN where
    the log was too short to say)."""

    cpu_us: float
    wall_us: float

    @classmethod
    def of(cls, cpu_s: float, records: int, wall_s: float, records_in_it: int) -> Self:
        """From seconds for so many records."""
        wall_us = 1e6 * wall_s / records_in_it if records_in_it else math.nan
        return cls(1e6 * cpu_s / records, wall_us)
