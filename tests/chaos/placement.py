"""The partitions of keys, by aiokafka's own default partitioner and by that of librdkafka."""

from zlib import crc32

from aiokafka.partitioner import DefaultPartitioner

from tests.chaos.stack import PARTITIONS


def partition_of(tool: str) -> int:
    """Return the partition of a tool's records."""
    partitions = list(range(PARTITIONS))
    partition: int = DefaultPartitioner()(tool.encode(), partitions, partitions)
    return partition


def others_partition_of(tool: str) -> int:
    """Return where librdkafka puts a tool's records by default."""
    return crc32(tool.encode()) % PARTITIONS
