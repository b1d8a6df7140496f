"""Erasing the errors and identities of executions on request, while the recorder goes on."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from db.executions.erasing import (
    BEGIN,
    Whose,
    erase_batch,
    erase_verdicts_by,
    erase_verdicts_on,
)
from db.executions.pruning import only_removal
from rollguard.operations.connection import changing_connection, connection
from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.admin import kafka_admin
from streams.broker_topics.retention import retention_of
from streams.topics import Topics

BATCH: Final = 1_000
"""How many executions one transaction erases at most."""


@dataclass
class Erasure:
    """What is to be erased, and how many executions were erased so far, by tool.

    It grows while ``erase`` runs, so that it says after an interruption what was done.
    """

    whose: Whose
    value: str
    by_tool: Counter[str] = field(default_factory=Counter)

    @property
    def executions(self) -> int:
        """How many were erased of all tools together."""
        return self.by_tool.total()


@dataclass(frozen=True)
class KafkaKeeps:
    """A topic whose records may still name what was erased."""

    topic: str
    until: datetime | None
    """When the broker has removed the records that are there now, about: it removes them in whole
    segments. None if it removes none by their age, or does not say."""


async def erase(settings: Settings, erasure: Erasure, batch: int = BATCH) -> None:
    """Erase the errors and identities of the executions in Postgres; metrics stay.

    So do later verdicts on them, but not who gave them and why. Of a caller, the verdicts that he
    gave are treated in the same way.

    Each batch is a transaction of its own. Batches that are done stay, even if a later one fails.
    Rejected if a prune or another erase is running, Retryable if Postgres does not answer.
    """
    async with (
        connection(settings) as holder,
        only_removal(holder),
        changing_connection(settings) as conn,
    ):
        place = BEGIN
        while found := await erase_batch(conn, erasure.whose, erasure.value, place, batch):
            erasure.by_tool += found.by_tool
            place = found.last
            await asyncio.sleep(0)
        if erasure.whose == "execution":
            await erase_verdicts_on(conn, erasure.value)
        elif erasure.whose == "caller":
            while await erase_verdicts_by(conn, erasure.value, batch) == batch:
                await asyncio.sleep(0)


async def kafka_keeps(settings: Settings) -> list[KafkaKeeps]:
    """Return which topics keep errors of executions, and until when those of now.

    If Kafka does not answer, or does not show its settings, that is not known.
    """
    topics = Topics.of(settings)
    names = (
        *(topics.executions, topics.commands, topics.outcomes),
        *(topics.deployment_outcomes, topics.dead_letters),
    )
    try:
        async with kafka_admin(settings) as admin:
            retention = await retention_of(admin, names)
    except (Retryable, Misconfigured):
        retention = {}
    now = datetime.now(UTC)
    ages = {name: retention.get(name) for name in names}
    return [KafkaKeeps(name, None if age is None else now + age) for name, age in ages.items()]
