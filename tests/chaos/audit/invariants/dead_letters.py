"""Invariant: the poison, and nothing else, became dead letters, each with the right cause."""

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.audit.final_state import FinalState, RecordPosition
from tests.chaos.audit.invariants.violation import Violation


def wrong_dead_letters(state: FinalState) -> Iterator[Violation]:
    """Yield poison without a dead letter or with a wrong cause, and good records that have one."""
    errors_at: dict[RecordPosition, list[str]] = defaultdict(list)
    for dead_letter in state.dead_letters:
        record = RecordPosition(dead_letter.topic, dead_letter.partition, dead_letter.offset)
        errors_at[record].append(dead_letter.error)
    for record, (cause, _) in state.poison.items():
        errors = errors_at.pop(record, [])
        if not errors:
            yield _violation(record, f"poison ({cause}) has no dead letter")
        for error in errors:
            if cause not in error:
                yield _violation(record, f"{error!r} is not about {cause}")
    for record, errors in errors_at.items():
        yield _violation(record, f"good, but rejected: {errors[0]}")


def _violation(record: RecordPosition, text: str) -> Violation:
    return Violation("dead letters", record.topic, f"{record.partition}:{record.offset}", text)
