"""Where a new consumer group begins, if it must not begin with everything that Kafka still has."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, UnknownMemberIdError

from rollguard_client.kafka.reader import offsets_since
from schemas.settings import Settings
from streams.group_errors import offset_consumer
from streams.kafka_errors import any_error_retryable


async def begin_since(
    settings: Settings, group: str, partitions: Sequence[TopicPartition], since: datetime
) -> bool:
    """Commit the offsets of the first records since a time, if the group has committed nothing yet.

    Return whether the group was new. To be called before a member joins. Raises Retryable.
    """
    consumer = offset_consumer(settings, group_id=group)
    with any_error_retryable(settings):
        try:
            await consumer.start()
            for each in partitions:
                if await consumer.committed(each) is not None:
                    return False
            ends = await consumer.end_offsets(partitions)
            offsets = await offsets_since(consumer, ends, since)
            consumer.assign(list(partitions))
            # If it has members already, the first of them has done this before it joined.
            with suppress(CommitFailedError, IllegalGenerationError, UnknownMemberIdError):
                await consumer.commit(offsets)
            return True
        finally:
            await consumer.stop()
