"""The validation of records: a message is read, and its record's key, partition and time checked.

A record that fails a check becomes a dead letter, unless it is only misplaced.
"""

from collections.abc import Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from schemas.dead_letter import MAX_KEY_BYTES, MAX_VALUE_BYTES, DeadLetter, encoded
from schemas.deployment import Deployment
from schemas.engine_report import EndedEngine, EngineReport
from schemas.errors import Rejected
from schemas.execution import Activation, Execution, read_log_entry
from schemas.execution_entry import ExecutionEntry, read_execution_entry
from schemas.fields import micros_of
from schemas.later_verdict import LaterVerdict
from schemas.message import MAX_RECORD_BYTES
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from streams.forwarding import HEADER, MAX_HEADER_BYTES
from streams.partitions import partition_of
from streams.rejections import BadPacking, TooLarge, WrongKey, WrongPartition, WrongTime
from streams.unpacking.batches import Headers, not_unpacked_in

if TYPE_CHECKING:  # it is imported only if signatures are wanted
    from signatures.signatures import Signatures


class Record(Protocol):
    """A record as a consumer hands it over. ``timestamp`` is Kafka's, in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None

    @property
    def headers(self) -> Headers: ...  # noqa: D102


class RecordValidator:
    """Reads the records of one role. ``partitions`` is the number that each topic has.

    A record must have the name of its tool as its key. Deployments and commands may lie in any
    partition.

    ``signatures`` checks who has signed a record, if that is wanted. Executions are never signed.
    Every method returns a message, or raises Rejected with the reason.
    """

    def __init__(
        self, settings: Settings, partitions: int, signatures: "Signatures | None" = None
    ) -> None:
        self._signatures = signatures
        self.partitions: Final = partitions
        self._partitions_before = settings.partitions_before
        self._ahead_us: Final = settings.max_ahead_s * 1_000_000
        self._max_code_bytes = settings.max_code_bytes

    def log_entry(
        self, record: Record, known: Set[bytes] = frozenset()
    ) -> ExecutionEntry | Activation | LaterVerdict | None:
        """Return an entry of `tool-executions`; None for a good one that is misplaced.

        An execution or a later verdict is misplaced if it lies in another partition than that of
        its key. The detector forwards it to that one, and only the copy counts.

        ``known`` are keys that belong to the record's partition, to which those of this kind are
        added. For these the partition is not computed, which takes 5 µs.
        """
        entry = read_execution_entry(record.value) if record.value else None
        if entry is None:
            require_whole(record)
            other = read_log_entry(record.value)
            if not isinstance(other, Execution):
                return self._other_entry(record, other)
            entry = ExecutionEntry.of(other)
        if entry.executed_us - record.timestamp * 1000 > self._ahead_us:
            self._require_not_ahead(record, "executed_at", entry.executed_us)
        key = record.key
        if key not in known or key != entry.tool_name.encode():
            return entry if self._is_home(record, entry.tool_name, known) else None
        return entry

    def _other_entry(
        self, record: Record, entry: Activation | LaterVerdict
    ) -> Activation | LaterVerdict | None:
        """Return an entry of the log that is no execution."""
        if isinstance(entry, Activation):
            _require_key(record, entry.tool_name)
            if not self._is_placed(record):
                raise WrongPartition(
                    f"partition {record.partition} is not the key's, which is "
                    f"{self.partition_of(record)}: an activation is in no other"
                )
            return self._signed_activation(record, entry)
        self._require_not_ahead(record, "judged_at", micros_of(entry.judged_at))
        return entry if self._is_home(record, entry.tool_name) else None

    def deployment(self, record: Record) -> Deployment:
        """Return a deployment from `tool-deployments`."""
        require_whole(record)
        deployment = Deployment.from_bytes(record.value)
        if self._signatures is not None:
            deployment = self._signatures.checked(record, deployment)
        _require_key(record, deployment.tool_name)
        self._require_not_ahead(record, "deployed_at", micros_of(deployment.deployed_at))
        size = len(deployment.code.encode())
        if size > self._max_code_bytes:
            raise TooLarge(f"code: {size} bytes, at most {self._max_code_bytes} are allowed")
        return deployment

    def is_from_author(self, record: Record) -> bool:
        """Return whether nobody but the author of a deployment can have sent this record.

        Its author has signed it, and it has the key of its tool: anybody may send a signed value
        again, with another key. If signatures are not required, nobody can tell, and this is true.
        """
        if self._signatures is None or not self._signatures.are_required:
            return True
        try:
            require_whole(record)
            deployment = Deployment.from_bytes(record.value)
            self._signatures.verifier.verified(record, deployment)
            _require_key(record, deployment.tool_name)
        except Rejected:
            return False
        return True

    def command(self, record: Record) -> RollbackCommand:
        """Return a command from `rollback-commands`."""
        require_whole(record)
        command = RollbackCommand.from_bytes(record.value)
        if self._signatures is not None:
            command = self._signatures.checked(record, command)
        _require_key(record, command.tool_name)
        self._require_not_ahead(record, "issued_at", micros_of(command.issued_at))
        return command

    def engine_report(self, record: Record) -> EngineReport | EndedEngine:
        """Return what a record of `engine-reports` says. It may lie in any partition."""
        require_whole(record)
        if record.value is None:
            return EndedEngine.of_key(record.key)
        report = EngineReport.from_bytes(record.value)
        if record.key != report.key:
            raise WrongKey(f"the record's key {(record.key or b'')[:500]!r} is not {report.key!r}")
        self._require_not_ahead(record, "loaded_at", micros_of(report.loaded_at))
        return report

    def _signed_activation(self, record: Record, activation: Activation) -> Activation:
        if self._signatures is not None:
            return self._signatures.checked(record, activation)
        return activation.model_copy(update={"adopts": None}) if activation.adopts else activation

    def partition_of(self, record: Record) -> int:
        """Return the partition of the record's key."""
        return partition_of(record.key or b"", self.partitions)

    def _is_home(self, record: Record, tool_name: str, known: Set[bytes] = frozenset()) -> bool:
        """Return whether a record lies in the partition of its key.

        Raises Rejected for a wrong key, and for a record that is too large to be forwarded.
        """
        key = _require_key(record, tool_name)
        if not self._is_placed(record):
            _require_room_for_source(record)
            return False
        if isinstance(known, set):
            known.add(key)
        return True

    def _is_placed(self, record: Record) -> bool:
        """Return whether the record lies in the partition of its key, now or before it moved."""
        if record.partition == self.partition_of(record):
            return True
        before = self._partitions_before
        return before is not None and record.partition == partition_of(record.key or b"", before)

    def _require_not_ahead(self, record: Record, field: str, at_us: int) -> None:
        ahead_us = at_us - record.timestamp * 1000
        if ahead_us > self._ahead_us:
            raise WrongTime(
                f"{field}: {ahead_us / 1e6:.0f} s ahead of the record's Kafka timestamp, "
                f"at most {self._ahead_us // 1_000_000} are allowed"
            )


def _require_key(record: Record, tool_name: str) -> bytes:
    """Return the record's key. Raises Rejected if it is not the name of the tool."""
    key = record.key
    if key is None:
        raise WrongKey("the record has no key: it must be the tool_name")
    if key != tool_name.encode():
        raise WrongKey(f"the record's key {key[:300]!r} is not its tool_name {tool_name!r}")
    return key


def _require_room_for_source(record: Record) -> None:
    """Raise Rejected for a record that would be too large with the header of a copy."""
    size = len(record.key or b"") + len(record.value or b"") + MAX_HEADER_BYTES
    for name, value in record.headers:
        size += len(name.encode()) + len(value or b"") + 10
    if size > MAX_RECORD_BYTES:
        raise TooLarge(
            f"the record lies in a wrong partition, and is too large to be forwarded: {size} bytes "
            f"with the header {HEADER}, at most {MAX_RECORD_BYTES} are allowed"
        )


def require_whole(record: Record) -> None:
    """Raise Rejected for a batch that was not unpacked, or a record that is too large.

    The broker accepts such a record if the producer compressed it, but it could not be published
    again.
    """
    if record.value is None and (batch := not_unpacked_in(record.headers)) is not None:
        raise BadPacking(batch.text)
    size = len(record.value or b"")
    if size > MAX_RECORD_BYTES:
        raise TooLarge(f"the record has {size} bytes, at most {MAX_RECORD_BYTES} are allowed")


def dead_letter_of(role: str, record: Record, error: str, unpublished: int = 0) -> DeadLetter:
    """Return the dead letter of a record that was rejected.

    ``unpublished`` is how many bad records before it, since the last dead letter, have none.
    """
    return DeadLetter(
        role=role,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=encoded(record.key, MAX_KEY_BYTES),
        value=encoded(record.value, MAX_VALUE_BYTES),
        truncated=_is_truncated(record),
        error=error,
        unpublished=unpublished or None,
        rejected_at=datetime.now(UTC),
    )


def _is_truncated(record: Record) -> bool:
    """Return whether the dead letter cannot keep all of the record."""
    if record.value is None:
        return not_unpacked_in(record.headers) is not None
    return len(record.value) > MAX_VALUE_BYTES
