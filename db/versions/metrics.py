"""The metrics of a version, counted anew from its executions."""

from dataclasses import astuple, dataclass, fields
from typing import Final

from db.postgres.locks import bounded_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.versions.reading import possible_id
from schemas.errors import Rejected

_SQL: Final = blocks("versions/metrics.sql")


@dataclass(frozen=True)
class Metrics:
    """What a version's executions came to. ``success_rate`` is None without any."""

    total_executions: int
    successful_executions: int
    success_rate: float | None


@dataclass(frozen=True)
class Recount:
    """What the metrics were and what they are; ``changed`` if they had to be corrected."""

    before: Metrics
    after: Metrics
    changed: bool


async def recount(conn: Connection, tool_name: str, version_id: int) -> Recount | None:
    """Count the version's executions and correct its metrics if they differ, in one transaction.

    Exact while executions are being recorded; the recorder waits as long as it takes. None if the
    tool has no such version. Rejected where executions of it were pruned: what is left would make
    the metrics smaller than they are. Raises Retryable.
    """
    if not possible_id(version_id):
        return None
    async with bounded_transaction(conn):
        # The lock first, in a statement of its own: the next one sees what is committed when it
        # starts. A recorder commits executions together with what they add, and needs this lock
        # for it: either it is done, and both are seen here, or neither is, and it adds to what is
        # written here. In one statement the rows would be those from before the wait for the lock.
        locked = await conn.fetchrow(_SQL["lock_version"], tool_name, version_id)
        if locked is None:
            return None
        before = Metrics(*(locked[field.name] for field in fields(Metrics)))
        if pruned := locked["pruned_executions"]:
            raise Rejected(
                f"{pruned} executions of version {version_id} of {tool_name!r} were pruned: its "
                f"metrics cannot be counted anew and stay ({before.total_executions} executions)"
            )
        counted = await conn.fetchrow(_SQL["count"], tool_name, version_id)
        assert counted is not None
        after = Metrics(**counted)
        if before != after:
            await conn.execute(_SQL["correct"], version_id, *astuple(after))
        return Recount(before, after, changed=before != after)
