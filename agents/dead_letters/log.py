"""The bad records in the log: those of a second in one line for each partition."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from streams.records import Record

log = structlog.get_logger()

_EVERY_S: Final = 1.0
_ERROR_CHARACTERS: Final = 300


@dataclass
class _Line:
    """The content of one line, which is about one partition."""

    first: int
    error: str
    """The error of the first record."""
    last: int = 0
    records: int = 0
    published: int = 0


class DeadLetterLog:
    """Sums bad records up for a second, and logs one line for each partition."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], _Line] = {}

    def add(self, record: Record, error: str, is_published: bool) -> None:
        """Note a bad record. It is logged within a second. To be called in an event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_EVERY_S, self.flush)
        partition = record.topic, record.partition
        line = self._lines.get(partition)
        if line is None:
            line = self._lines[partition] = _Line(record.offset, error[:_ERROR_CHARACTERS])
        line.last = record.offset
        line.records += 1
        line.published += is_published

    def flush(self) -> None:
        """Log what is summed up."""
        lines, self._lines = self._lines, {}
        for (topic, partition), line in lines.items():
            log.warning(
                "dead_letters",
                topic=topic,
                partition=partition,
                records=line.records,
                published=line.published,
                offsets=f"{line.first}..{line.last}",
                error=line.error,
            )
