"""The recount of the metrics of a version from its executions."""

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
    """The metrics of a version. ``success_rate`` is None if it was never executed."""

    total_executions: int
    successful_executions: int
    success_rate: float | None


@dataclass(frozen=True)
class Recount:
    """The metrics before and after a recount; ``changed`` if they had to be corrected."""

    before: Metrics
    after: Metrics
    changed: bool


async def recount(conn: Connection, tool_name: str, version_id: int) -> Recount | None:
    """Count the executions of the version and correct its metrics if they differ.

    It is one transaction, and exact while executions are being recorded: the recorder waits for it.
    Return None if the tool has no such version. Raises Rejected if executions of the version were
    pruned, because those that are left would give metrics that are too small. Raises Retryable.
    """
    if not possible_id(version_id):
        return None
    async with bounded_transaction(conn):
        # First the lock, in a separate statement, because the next statement sees what is committed
        # when it starts. A recorder needs the same lock to commit executions together with their
        # counts. So either both are seen here, or the recorder adds its counts to the corrected
        # metrics. A single statement would see the rows from before it waited for the lock.
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
