"""Bad records by their causes: why records were rejected, and how many."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from rollguard.operations.dead_letters.bad_records import BadRecord
from rollguard.operations.dead_letters.cause_texts import cause_of

_MAX_TOOLS: Final = 5


@dataclass(frozen=True)
class Cause:
    """Why records of a topic were rejected by a role, and which.

    ``unpublished`` is how many more have no dead letter. ``tools`` are keys of some of the records.
    ``newest`` is the record that was rejected last.
    """

    cause: str
    topic: str
    role: str
    records: int
    unpublished: int
    first_rejected_at: datetime
    rejected_at: datetime
    tools: Sequence[str]
    newest: BadRecord

    def data(self) -> dict[str, Any]:
        """Return it as JSON has it, but for times."""
        fields = {name: value for name, value in asdict(self).items() if name != "newest"}
        return fields | {"newest": str(self.newest.position), "error": self.newest.error}


class Causes(NamedTuple):
    """Why bad records were rejected, and what a person should know of the topic."""

    causes: Sequence[Cause]
    notes: Sequence[str] = ()


def causes_of(records: Iterable[BadRecord]) -> list[Cause]:
    """Return the causes of these records; that with the newest record comes first."""
    groups: dict[tuple[str, str, str], list[BadRecord]] = {}
    for record in records:
        named = (cause_of(record.error), record.position.topic, record.role)
        groups.setdefault(named, []).append(record)
    found = [_cause(*named, group) for named, group in groups.items()]
    return sorted(found, key=lambda each: (each.rejected_at, each.cause, each.topic), reverse=True)


def _cause(cause: str, topic: str, role: str, records: Sequence[BadRecord]) -> Cause:
    keys = {record.key_text for record in records}
    return Cause(
        cause,
        topic,
        role,
        records=len(records),
        unpublished=sum(record.unpublished for record in records),
        first_rejected_at=min(record.first_rejected_at for record in records),
        rejected_at=max(record.rejected_at for record in records),
        tools=sorted(key for key in keys if key)[:_MAX_TOOLS],
        newest=max(records, key=lambda record: (record.rejected_at, record.position)),
    )
