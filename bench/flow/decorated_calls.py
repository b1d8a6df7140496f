"""A program that measures what a decorated call costs: ``BROKERS PREFIX COUNT``, JSON on stdout.

The CPU is that of the whole process, so the thread that publishes is in it.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil

from rollguard_client import Rollguard


def bare(number: int, *, more: str = "") -> int:
    """Return the argument: a tool that costs nothing."""
    return number


def cpu_us(call: Callable[[int], Any], count: int) -> float:
    """Return the CPU of the process for so many calls, in microseconds."""
    begin = time.process_time()
    for number in range(count):
        call(number)
    return (time.process_time() - begin) * 1e6


def main(brokers: str, prefix: str, count: int) -> None:
    """Call the tool bare and decorated; what is decorated is also sent, if Kafka is there."""
    logging.disable()
    is_away = not prefix
    guard = Rollguard(
        kafka_brokers=brokers, topic_prefix=prefix, buffer_records=1_000_000, buffer_bytes=1024**3
    )
    tool = guard.tool("tool-of-the-benchmark")(bare)
    tool(0)
    if not is_away:
        guard.flush(60)
    before_mb = psutil.Process().memory_info().rss / 2**20
    alone_us = cpu_us(bare, count)
    begin, wall = time.process_time(), time.perf_counter()
    called_us = cpu_us(tool, count)
    if not is_away:
        assert guard.flush(600), "Kafka did not take all"
    taken_us, taken_s = (time.process_time() - begin) * 1e6, time.perf_counter() - wall
    after_mb = psutil.Process().memory_info().rss / 2**20
    assert guard.dropped == (1 if is_away and count >= 1_000_000 else 0)
    guard.close(0)
    found = {
        "call": (called_us - alone_us) / count,
        "sent": (taken_us - alone_us) / count,
        "a second": count / taken_s,
        "memory": after_mb - before_mb,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
