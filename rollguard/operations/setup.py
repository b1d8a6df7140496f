"""Creation of the schema and the topics, which must exist before the first worker starts."""

from db.postgres.migrate import migrate
from db.postgres.pool import connect
from schemas.settings import Settings
from streams.admin import kafka_admin
from streams.broker_topics.creation import (
    add_partitions,
    create_topic_of_spans,
    create_topics,
)
from streams.retries import when_it_answers


async def migrate_database(settings: Settings) -> list[str]:
    """Bring the schema up to date, and return the names of the migrations that were applied now.

    Waits until Postgres answers.
    """

    async def apply() -> list[str]:
        connection = await connect(settings.postgres_dsn.get_secret_value())
        try:
            return await migrate(connection)
        finally:
            await connection.close()

    return await when_it_answers(apply)


async def create_missing_topics(settings: Settings) -> list[str]:
    """Create the topics that do not exist, and return their names. Waits until Kafka answers."""

    async def create() -> list[str]:
        async with kafka_admin(settings) as admin:
            return await create_topics(admin, settings)

    return await when_it_answers(create)


async def create_missing_topic_of_spans(settings: Settings) -> list[str]:
    """Create the topic that the bridge reads, if it does not exist, and return its name if so."""

    async def create() -> list[str]:
        async with kafka_admin(settings) as admin:
            return await create_topic_of_spans(admin, settings)

    return await when_it_answers(create)


async def add_missing_partitions(settings: Settings) -> dict[str, int]:
    """Give every topic that exists as many partitions as the settings say.

    Return the topics that had fewer, with the number that they had. Waits until Kafka answers.
    """

    async def add() -> dict[str, int]:
        async with kafka_admin(settings) as admin:
            return await add_partitions(admin, settings)

    return await when_it_answers(add)
