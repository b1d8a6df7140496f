"""aiokafka's own log lines, from our thread: one for each attempt to reach a broker that is away.

``Delivery`` says the same once a minute, so these are passed on at the level DEBUG.
"""

import logging
import os
from typing import Final

_LOGGERS: Final = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.producer.producer",
    "aiokafka.producer.sender",
    "aiokafka.consumer.consumer",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.consumer.subscription_state",
    "asyncio",
)
_kafka = logging.getLogger("rollguard_client.kafka")
_threads: set[int | None] = set()


def keep_quiet(thread: int) -> None:
    """Pass the log lines of this thread on to `rollguard_client.kafka`, at the level DEBUG.

    Call ``end_quiet`` when it ends: the next thread of the program may have the same number.
    """
    if not _threads:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_is_loud)
    _threads.add(thread)


def end_quiet(thread: int) -> None:
    """Let the log lines of this thread pass again."""
    _threads.discard(thread)


def _is_loud(record: logging.LogRecord) -> bool:
    if record.thread not in _threads:
        return True
    _kafka.debug("%s: %s", record.name, record.getMessage())
    return False


os.register_at_fork(after_in_child=_threads.clear)
