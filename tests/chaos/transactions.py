"""Transactions of the workload: some are committed, the others never happened."""

import asyncio
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.settings import Settings

_TIMEOUT_MS: Final = 8_000
"""After this time Kafka itself aborts a transaction whose producer has lost its connection."""
_ATTEMPT_S: Final = 20.0
_PAUSE_S: Final = 0.05

log = logging.getLogger(__name__)


class TransactionalRecord(NamedTuple):
    """A record of a transaction."""

    topic: str
    tool: str
    value: bytes
    record_id: UUID
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None
    """None: that of its key."""


class Transaction(NamedTuple):
    """Records that are committed or aborted together, after ``open_s`` seconds."""

    records: Sequence[TransactionalRecord]
    is_committed: bool
    open_s: float


class Transactions:
    """Sends transactions one after the other.

    An error leaves a transaction aborted, or committed without our knowledge; then only the topic
    knows. The producer is made anew after an error.
    """

    def __init__(
        self, settings: Settings, name: str, acknowledged: defaultdict[str, set[UUID]]
    ) -> None:
        self._brokers = list(settings.kafka_brokers)
        self._name = name
        self._acknowledged = acknowledged
        self._waiting: deque[Transaction] = deque(maxlen=20)
        self._producer: AIOKafkaProducer | None = None
        self.results: Counter[str] = Counter()
        """How many were committed, aborted, or failed."""

    def add(self, transaction: Transaction) -> None:
        """Send it later; if many wait, the oldest is dropped."""
        self._waiting.append(transaction)

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until told to stop; no transaction is open then."""
        try:
            while not stopping.is_set():
                if self._waiting:
                    await self._send(self._waiting.popleft())
                else:
                    await asyncio.sleep(_PAUSE_S)
        finally:
            await self._close()

    async def _send(self, transaction: Transaction) -> None:
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                producer = await self._connected()
                await producer.begin_transaction()
                for topic, tool, value, _, headers, partition in transaction.records:
                    await producer.send_and_wait(
                        topic,
                        value,
                        key=tool.encode(),
                        headers=list(headers),
                        partition=partition,
                    )
                await asyncio.sleep(transaction.open_s)
                if transaction.is_committed:
                    await producer.commit_transaction()
                else:
                    await producer.abort_transaction()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("a transaction failed: %r", error)
            self.results["failed"] += 1
            await self._close()
            return
        self.results["committed" if transaction.is_committed else "aborted"] += 1
        if transaction.is_committed:
            for record in transaction.records:
                self._acknowledged[record.topic].add(record.record_id)

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._brokers,
                transactional_id=self._name,
                transaction_timeout_ms=_TIMEOUT_MS,
            )
            self._producer = producer
            await producer.start()
        return self._producer

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(5):
                    await producer.stop()
