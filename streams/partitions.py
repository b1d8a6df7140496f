"""Partitions: the one to which a key belongs, and their names in logs and health reasons."""

from functools import lru_cache

from aiokafka import TopicPartition
from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, by the default (murmur2) partitioner of Java and aiokafka."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions


def name_of(tp: TopicPartition) -> str:
    """Return a name for people: ``tool-executions[0]``."""
    return f"{tp.topic}[{tp.partition}]"
