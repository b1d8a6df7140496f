"""Invariant: the last row of each tool in the changelog is the one that has read furthest.

Compaction keeps the last row. If a worker that had lost its partition wrote an older row last, a
recovery after compaction would lose executions.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from aiokafka.structs import ConsumerRecord

from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation, position


class _RowKey(NamedTuple):
    """The key of a row; the row about outages has the same key in each partition."""

    partition: int
    key: bytes


def outdated_rows(state: FinalState) -> Iterator[Violation]:
    """Yield the last rows of tools in the changelog if an earlier row of the tool read further."""
    furthest: dict[_RowKey, int] = {}
    last: dict[_RowKey, ConsumerRecord] = {}
    for record in state.rows:
        row = _RowKey(record.partition, record.key)
        furthest[row] = max(_read_to(record), furthest.get(row, -1))
        last[row] = record
    for row, record in last.items():
        if _read_to(record) != furthest[row]:
            text = f"has read to {_read_to(record)}, an earlier row to {furthest[row]}"
            where = f"{position(record)} of the changelog"
            yield Violation("rows", record.key.decode(), where, text)


def _read_to(record: ConsumerRecord) -> int:
    """Return the offset to which a row has read its log: the first item of the row's array."""
    offset: int = msgspec.msgpack.decode(record.value)[0]
    return offset
