"""Invariant: each misplaced execution has a copy where its tool's log is, in its order.

Also, nothing else claims to be a copy.
"""

from collections.abc import Iterator

from tests.chaos.audit.final_state import FORWARDED, FinalState, RecordPosition
from tests.chaos.audit.invariants.violation import Violation, position
from tests.chaos.placement import partition_of


def wrong_copies(state: FinalState) -> Iterator[Violation]:
    """Yield misplaced records without a copy, and copies that are wrong or come too early."""
    missing = dict(state.misplaced)
    furthest: dict[tuple[int, int], int] = {}
    for copy in state.copies:
        tool, headers = copy.key.decode(), dict(copy.headers)
        partition, offset = map(int, headers[FORWARDED].decode().split("/"))
        original = state.misplaced.get(RecordPosition(copy.topic, partition, offset))
        missing.pop(RecordPosition(copy.topic, partition, offset), None)
        others = tuple(each for each in copy.headers if each[0] != FORWARDED)
        if original is None or (original.key, original.value, original.headers) != (
            *(copy.key, copy.value),
            others,
        ):
            yield Violation("forwarded", tool, position(copy), f"no copy of {partition}/{offset}")
        way = partition, copy.partition
        if offset > furthest.get(way, -1):
            earlier = [
                each
                for each in missing
                if each.partition == partition
                and each.offset < offset
                and partition_of(missing[each].key.decode()) == copy.partition
            ]
            if earlier:
                yield Violation("forwarded", tool, position(copy), f"came before {earlier}")
            furthest[way] = offset
    for record in missing.values():
        yield Violation("forwarded", record.key.decode(), position(record), "has no copy")
