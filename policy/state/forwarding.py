"""Records of the log that were forwarded from another partition: each counts once. Pure.

A producer with another partitioner than Kafka's default puts executions of a tool into a wrong
partition, the *source partition*. The detector that reads it appends a copy of each to the
partition of the tool, in the order of the source partition, and begins again at some earlier one
after a crash. So of the copies of one source partition, one with an offset that is not higher
than one before it is a repetition.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from policy.state.log import LogRecord, Source
from schemas.execution import Activation

ForwardedTo = dict[int, int]
"""For each source partition, the offset of the last record of which a copy was read."""

SLACK: Final = 100_000
"""An offset may be so much higher than the end of its partition that is known. So nobody has to ask
for the end all the time. And it may be told too low: some brokers answer with the beginning of the
last batch."""
_NONE: Final = -1


def is_possible(source: Source, ends: Mapping[int, int]) -> bool:
    """Return whether a partition can have such an offset. ``ends`` has what is known of them.

    Otherwise a forged source with a very high offset would make all later copies of its tool from
    that partition repetitions, for ever.
    """
    return source.offset < ends.get(source.partition, 0) + SLACK


def is_new(forwarded: ForwardedTo, source: Source) -> bool:
    """Return whether a copy is none of an earlier one, and note its source if so."""
    if source.offset <= forwarded.get(source.partition, _NONE):
        return False
    forwarded[source.partition] = source.offset
    return True


def without_repetitions(log: Sequence[LogRecord], forwarded: ForwardedTo) -> list[LogRecord]:
    """Return the records that count, and note in ``forwarded`` the sources of those."""
    return [record for record in log if record.source is None or is_new(forwarded, record.source)]


def of_known_tool(
    log: Sequence[LogRecord], forwarded: ForwardedTo, read_to: int | None
) -> list[LogRecord]:
    """Do the same for the log of one tool whose row has read to ``read_to``; None: it has no row.

    Nothing is noted of what the row has read, nor before the first activation: a tool that was
    never activated has no row that could remember anything. So it does not matter where batches
    begin and end.
    """
    if read_to is not None:
        return without_repetitions([each for each in log if each.offset > read_to], forwarded)
    activations = (n for n, each in enumerate(log) if isinstance(each.entry, Activation))
    first = next(activations, len(log))
    return [*log[:first], *without_repetitions(log[first:], forwarded)]
