"""Which partition Kafka's default partitioner gives a key: by aiokafka's own partitioner."""

from aiokafka.partitioner import DefaultPartitioner

from tests.chaos.stack import PARTITIONS


def partition_of(tool: str) -> int:
    """The partition of a tool's records."""
    everywhere = list(range(PARTITIONS))
    partition: int = DefaultPartitioner()(tool.encode(), everywhere, everywhere)
    return partition
