"""The reports of engines: of each engine and tool the newest is kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from db.engines.believed import MAX_ENGINES, unknown_versions
from db.postgres.locks import bounded_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.engine_report import EndedEngine, EngineReport
from schemas.failures.kept_class import kept_class
from schemas.settings import KeepErrors

_SQL: Final = blocks("engines/reports.sql")


class ReceivedReport(NamedTuple):
    """A record of `engine-reports`, and its Kafka timestamp."""

    said: EngineReport | EndedEngine
    at: datetime


class _Newest(NamedTuple):
    """The newest report of an engine and a tool, and whether the engine has ended since.

    The report is None if it is not among those that are stored now.
    """

    report: EngineReport | None
    at: datetime
    ended: bool

    def row(self, keep_errors: KeepErrors) -> tuple[object, ...] | None:
        """Return the row of `engine_reports`; None without a report."""
        report = self.report
        if report is None:
            return None
        error, error_type = report.error, report.error_type
        if keep_errors == "class":
            error, error_type = None, kept_class(error_type, error)
        return (
            report.tool_name,
            report.engine_id,
            report.version_id,
            report.activation,
            report.ok,
            error,
            error_type,
            report.loaded_at,
            self.at,
            self.ended,
        )


async def store_reports(
    conn: Connection,
    received: Sequence[ReceivedReport],
    keep_errors: KeepErrors = "text",
    most: int = MAX_ENGINES,
) -> set[int]:
    """Store reports, which are in the order of their partition, in one transaction.

    Return the indices of those that name no version of their tool: they are not stored. To store
    reports again changes nothing, so no offset is stored. Raises Retryable.
    """
    async with bounded_transaction(conn):
        unknown = await _unknown(conn, received)
        newest: dict[tuple[str, str], _Newest] = {}
        for index, (said, at) in enumerate(received):
            key = said.tool_name, said.engine_id
            if isinstance(said, EndedEngine):
                before = newest.get(key)
                newest[key] = _Newest(None if before is None else before.report, at, ended=True)
            elif index not in unknown:
                newest[key] = _Newest(said, at, ended=False)
        # In the order of the keys, so that two recorders do not wait for each other in a circle.
        keys = sorted(newest)
        rows = [row for key in keys if (row := newest[key].row(keep_errors)) is not None]
        ended = [(*key, newest[key].at) for key in keys if newest[key].report is None]
        if rows:
            await conn.execute(_SQL["store"], *zip(*rows, strict=True), most)
        if ended:
            await conn.execute(_SQL["end"], *zip(*ended, strict=True))
    return unknown


async def _unknown(conn: Connection, received: Sequence[ReceivedReport]) -> set[int]:
    """Return the indices of reports about versions that do not exist, or that another tool has."""
    named = {
        index: (each.said.tool_name, each.said.version_id)
        for index, each in enumerate(received)
        if isinstance(each.said, EngineReport)
    }
    unknown = await unknown_versions(conn, named.values())
    return {index for index, version in named.items() if version in unknown}
