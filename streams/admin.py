"""A connection that asks brokers about topics and groups, and creates topics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import Retryable
from schemas.settings import Settings
from streams.access import kafka_options
from streams.kafka_errors import any_error_retryable, require_welcome, retryable


@asynccontextmanager
async def kafka_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected admin client; every error of Kafka inside is raised as Retryable.

    Raises Misconfigured if a broker answers, but refuses us or is not trusted.
    """
    admin = AIOKafkaAdminClient(**kafka_options(settings))
    try:
        try:
            with any_error_retryable(settings):
                await admin.start()
        except Retryable:
            await require_welcome(settings)
            raise
        try:
            yield admin
        except KafkaError as error:
            raise retryable(settings, error) from error
    finally:
        await admin.close()
