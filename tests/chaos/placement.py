"""The partition of a key, by aiokafka's own default partitioner."""

from aiokafka.partitioner import DefaultPartitioner

from tests.chaos.stack import PARTITIONS


def partition_of(tool: str) -> int:
    """Return the partition of a tool's records."""
    partitions = list(range(PARTITIONS))
    partition: int = DefaultPartitioner()(tool.encode(), partitions, partitions)
    return partition
