"""What tests do with a running bridge: send it spans, and read what it publishes."""

import asyncio
from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families

from schemas.execution import Execution
from streams.partitions import partition_of
from tests.support.systems.system import System


class BridgeSystem(System):
    """A bridge, and the clients of one test."""

    spans_topic = ""

    async def send_spans(self, *values: bytes, key: bytes | None = None) -> None:
        """Publish records as the Collector does: without a key, or with that of a trace."""
        sent = [await self.producer.send(self.spans_topic, each, key=key) for each in values]
        await asyncio.gather(*sent)

    async def executions(self, tool: str, count: int) -> Sequence[Execution]:
        """Return the executions of a tool; wait for so many. They lie where their key belongs."""
        records = await self.records(self.topics.executions, count, tool)
        for record in records:
            assert record.partition == partition_of(record.key, self.settings.partitions)
        return [Execution.from_bytes(record.value) for record in records]

    async def count_of(self, metric: str, label: str, value: str) -> float:
        """Return a counter of the bridge."""
        families = text_string_to_metric_families(await self.metrics("bridge"))
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"{metric}_total" and sample.labels.get(label) == value
        )
