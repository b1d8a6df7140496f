"""Detectors without Kafka: they fold batches of partitions, and keep rows and watch as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from policy.decision.fold import fold_all
from policy.decision.policies import Policies
from policy.state.forwarding import of_known_tool
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE
from policy.state.outage_watch import OutageWatch, decode_watch, encode_watch
from policy.state.row import decode, encode, forwarded_of, known_since
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from tests.support.policy.partition_logs import ForwardedRecord, Record


@dataclass
class StoredPartition:
    """What is stored of a partition: the row of each tool, and the outage watch."""

    rows: dict[str, bytes] = field(default_factory=dict)
    watch: bytes = encode_watch(OutageWatch())

    def copy(self) -> "StoredPartition":
        return StoredPartition(dict(self.rows), self.watch)


class Detector:
    """A detector that may have several partitions: it folds tool by tool, as the product does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policies = Policies(settings.rules_of)

    def take(
        self, stored: StoredPartition, batch: Sequence[Record] | Sequence[ForwardedRecord]
    ) -> list[tuple[int, RollbackCommand]]:
        """Fold a batch, and return the commands with the offsets that demand them."""
        records = [LogRecord.of(*each) for each in batch]
        timeline = NO_OUTAGE
        if self._settings.is_guarded_anywhere:
            watch = decode_watch(stored.watch)
            followed_to = watch.read_to
            timeline = watch.follow(
                watch.without_repetitions(records),
                self._settings.outages,
                lambda key: known_since(stored.rows.get(key.decode()), followed_to),
                self._policies.origin_of,
            )
            stored.watch = encode_watch(watch)
        logs: dict[str, list[LogRecord]] = {}
        for record in records:
            logs.setdefault(record.entry.tool_name, []).append(record)
        commands = []
        for tool, log in logs.items():
            known = stored.rows.get(tool)
            row = None if known is None else decode(known)
            forwarded = {} if known is None else forwarded_of(known)
            new = of_known_tool(log, forwarded, None if row is None else row.read_to)
            row, found = fold_all(row, new, self._policies.of(tool), timeline)
            commands += [(offset, command) for offset, _, command in found]
            if row is not None:
                stored.rows[tool] = encode(row, forwarded)
        return sorted(commands, key=lambda each: each[0])
