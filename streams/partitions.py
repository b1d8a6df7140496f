"""Which partition a key belongs to: Kafka's default (murmur2) partitioner."""

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among so many. As Java's and aiokafka's default has it."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions
