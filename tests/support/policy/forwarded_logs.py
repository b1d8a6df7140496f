"""Logs of which some records were forwarded, by detectors that begin again where they like.

What holds of them whatever fails: a partition gets no copy before it has had all earlier copies of
the same source partition.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from policy.state.log import Source
from schemas.execution import Activation
from tests.support.policy.generated_logs import Choose
from tests.support.policy.oracle.log import Entry
from tests.support.policy.partition_logs import ForwardedRecord, Record

SOURCES: Final = (None, None, 1, 2)
"""The source partition of an execution; None if it was not forwarded."""


class _Place(NamedTuple):
    """The position of a record in the log, and where it was forwarded from."""

    number: int
    """That of the record in the log before."""
    source: Source | None


def with_copies(is_activation: Sequence[bool], choose: Choose) -> list[_Place]:
    """Return how a log looks of which some records were forwarded, some of them several times.

    ``is_activation`` has an item for each record of the log before.
    """
    copies: dict[int, list[_Place]] = {1: [], 2: []}
    log: list[_Place] = []
    for index, stays in enumerate(is_activation):
        partition = None if stays else choose(SOURCES)
        if partition is None:
            log.append(_Place(index, None))
        else:
            of_partition = copies[partition]
            last = of_partition[-1].source if of_partition else None
            offset = (last.offset if last else 0) + choose((1, 2, 40))
            of_partition.append(_Place(index, Source(partition, offset)))
            log.append(of_partition[-1])
        if choose((False,) * 9 + (True,)):
            again = copies[choose((1, 2))]
            begin = choose(range(len(again) + 1))
            log += again[begin : begin + choose((1, 2, 9))]
    return log


def forwarded_log(log: Sequence[Entry], choose: Choose) -> list[Entry]:
    """Return the log of one tool with copies."""
    places = with_copies([isinstance(each.entry, Activation) for each in log], choose)
    first, timestamp_ms, found = (log[0].offset if log else 0), 0, []
    for at, (number, source) in enumerate(places):
        timestamp_ms = max(timestamp_ms, log[number].timestamp_ms)
        found.append(Entry(first + at, timestamp_ms, log[number].entry, source))
    return found


def forwarded_records(log: Sequence[Record], random: Random) -> list[ForwardedRecord]:
    """Return the log of a partition with copies."""
    places = with_copies([isinstance(entry, Activation) for _, _, entry in log], random.choice)
    timestamp_ms, found = 0, list[ForwardedRecord]()
    for offset, (number, source) in enumerate(places):
        timestamp_ms = max(timestamp_ms, log[number][1])
        found.append((offset, timestamp_ms, log[number][2], source))
    return found
