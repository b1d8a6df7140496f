"""The log from its topic: from its beginning or from a time on, up to the end that it has now."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from aiokafka.structs import ConsumerRecord

from policy.backtest.derived_activations import DerivedActivations
from policy.backtest.trials import Recorded
from policy.state.forwarding import ForwardedTo, is_new, is_possible
from rollguard.backtest_sources.log_entries import BacktestFilter, completed
from schemas.errors import Rejected
from schemas.fields import micros_of
from schemas.settings import Settings
from signatures import signatures_of
from streams.forwarding import source_of
from streams.records import RecordValidator
from streams.topic_reader import open_reader
from streams.topics import Topics


async def from_topic(
    settings: Settings, wanted: BacktestFilter, on_bad: Callable[[ConsumerRecord], None]
) -> AsyncGenerator[list[Recorded], None]:
    """Yield the entries of `tool-executions`, read by the same rules as the detector's.

    ``on_bad`` is called with each record that the detector rejects. An execution that it forwarded
    is read where its copy lies. Raises Retryable and Misconfigured as ``open_reader`` does.
    """
    topic = Topics.of(settings).executions
    async with (
        open_reader(settings, topic, from_beginning=True, since=wanted.since) as reader,
        aclosing(reader.to_the_end(settings.wait_s)) as fetched,
    ):
        validator = RecordValidator(settings, reader.partitions, signatures_of(settings))
        log = _Log(wanted, validator, reader.ends, on_bad)
        async for records in fetched:
            yield log.entries(records)


class _Log:
    """The entries of the log, made from records.

    A partition that is read from its first record on has all activations. If its beginning is
    missing, the activations of a tool are derived until the log has one of that tool.
    """

    def __init__(
        self,
        wanted: BacktestFilter,
        validator: RecordValidator,
        ends: Mapping[int, int],
        on_bad: Callable[[ConsumerRecord], None],
    ) -> None:
        self._keys = None if wanted.tools is None else {tool.encode() for tool in wanted.tools}
        self._since_ms = 0 if wanted.since is None else -(-micros_of(wanted.since) // 1000)
        self._until_ms = None if wanted.until is None else micros_of(wanted.until) // 1000
        self._validator = validator
        self._ends = ends
        self._on_bad = on_bad
        self._known: dict[int, set[bytes]] = {}
        """For each partition, the keys that were seen there and belong there."""
        self._derived: dict[int, DerivedActivations | None] = {}
        self._forwarded: dict[bytes, ForwardedTo] = {}
        """For each key, how far the copies of its records have been read."""

    def entries(self, records: list[ConsumerRecord]) -> list[Recorded]:
        """Return the entries in those of these records that the filter selects."""
        found: list[Recorded] = []
        for record in records:
            partition = record.partition
            known = self._known.get(partition)
            if known is None:
                known = self._known[partition] = set()
                self._derived[partition] = DerivedActivations() if record.offset else None
            if self._wants(record):
                try:
                    entry = self._validator.log_entry(record, known)
                except Rejected:
                    self._on_bad(record)
                    continue
                if entry is None or (record.headers and self._is_repeated(record)):
                    continue
                derived = self._derived[partition]
                if derived is None:
                    found.append(Recorded(partition, record.timestamp, entry, record.offset))
                else:
                    found += completed(derived, partition, record.timestamp, entry)
        return found

    def _is_repeated(self, record: ConsumerRecord) -> bool:
        """Return whether the record is a copy of which there was one before."""
        source = source_of(record.headers, record.partition, self._validator.partitions)
        if source is None or not is_possible(source, self._ends):
            return False
        return not is_new(self._forwarded.setdefault(record.key, {}), source)

    def _wants(self, record: ConsumerRecord) -> bool:
        return (
            (self._keys is None or record.key in self._keys)
            and record.timestamp >= self._since_ms
            and (self._until_ms is None or record.timestamp <= self._until_ms)
        )
