"""How a tool did over time, from some executions of each span: cheap, however many there are."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks

_SQL: Final = blocks("executions/sampling.sql")
SPANS: Final = 48
"""How many spans of time are looked at."""
OF_EACH: Final = 40
"""How many executions of each span are read at most: its first ones."""


class Sample(NamedTuple):
    """What the first executions of a span say; spans without executions have none."""

    number: int
    """Which span it is, from 0."""
    executions: int
    successes: int
    median_ms: float | None
    """None if no execution says how long it took."""
    slow_ms: float | None
    """One of 20 executions takes longer."""

    @property
    def success_rate(self) -> float | None:
        """The success rate; None if none of the executions is judged."""
        return self.successes / self.executions if self.executions else None


async def sampled(
    conn: Connection, tool_name: str, begin: datetime, span: timedelta
) -> list[Sample]:
    """Return samples of ``SPANS`` spans of this length, the oldest first."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["sampled"], tool_name, begin, span, SPANS, OF_EACH)
    return [Sample(*row) for row in rows]
