"""The state of the whole system: brokers, roles and their lag, Postgres, and what is stuck."""

import asyncio
import platform
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeVar

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from agents.notifier.receivers import groups_of_receivers
from db.postgres.pool import Connection
from db.rollbacks.records import held
from db.stops.reading import stopped_tools
from db.versions.held import held_deployments
from rollguard.operations.connection import connection
from rollguard_client.tasks import end_tasks
from schemas.errors import Retryable, RollguardError
from schemas.settings import Settings
from streams.admin import cluster_id_in, kafka_admin, members_of
from streams.broker_topics.checks import check_settings, require_topics
from streams.offsets import GroupOffsets, Offsets
from streams.partitions import name_of
from streams.topics import ROLES, Topics, group_of

T = TypeVar("T")

_BETWEEN_SAMPLES_S: Final = 2.0
"""A partition with lag is stuck if nothing is committed for it within this time."""

_ending: Final[set[asyncio.Task[None]]] = set()
"""Questions that are being given up; asyncio itself would forget them."""


@dataclass
class KafkaStatus:
    """The cluster, as the brokers describe it."""

    cluster_id: str
    brokers: list[str]
    """Each as ``host:port``."""
    topic_prefix: str
    partitions: int
    """Of each topic."""


@dataclass
class PostgresStatus:
    """The database, and what waits in it for a person."""

    server: str
    answers_in_ms: float
    held_rollbacks: int
    held_deployments: int
    pinned_tools: int
    frozen_tools: int
    tools_that_wait_for_resume: int


@dataclass
class RoleStatus:
    """The workers of one role, or of a notifier for one receiver."""

    role: str
    """The name of the role; for a receiver ``notifier-`` and its name."""
    workers: list[str]
    """The address of each member of the consumer group."""
    lag: int
    """How many records of its topics are not handled yet."""
    stuck: list[str]
    """The partitions with lag for which nothing was committed while we looked."""
    handled: int = 0
    """Up to where its workers have committed: the sum of the offsets of all partitions."""
    written: int = 0
    """The sum of the ends of these partitions."""
    lags: dict[str, int] = field(default_factory=dict)
    """The lag of each partition that has some."""
    versions: list[str] = field(default_factory=list)
    """The version of the software of each worker; ``unknown`` if it tells none."""


@dataclass
class SystemStatus:
    """Everything; what is None did not answer."""

    software: dict[str, str]
    """The versions of what answers: of Rollguard, and of Python."""
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was asked for."""
    kafka: KafkaStatus | None = None
    postgres: PostgresStatus | None = None
    roles: list[RoleStatus] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    """A sentence for each thing that needs an operator; empty if all is well."""

    def data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


Postgres = Callable[[], AbstractAsyncContextManager[Connection]]
"""A function that gives a connection to a migrated database."""


async def system_status(
    settings: Settings, postgres: Postgres | None = None, limit_s: float | None = None
) -> SystemStatus:
    """Return the state of the system. What does not answer is said in ``stuck``.

    ``postgres`` gives the connection; without it one is opened. Kafka and Postgres are waited for
    at the same time, each for ``limit_s`` seconds at most; without it, as long as it takes to know
    that they do not answer.
    """
    status = SystemStatus({"rollguard": version("rollguard"), "python": platform.python_version()})
    receivers: list[str] = []
    try:
        receivers = groups_of_receivers(settings)
    except RollguardError as error:
        status.stuck.append(str(error))
    kafka, database = await asyncio.gather(
        _within(limit_s, "Kafka", partial(_with_kafka, settings, receivers)),
        _within(limit_s, "Postgres", partial(_postgres, postgres or partial(connection, settings))),
        return_exceptions=True,
    )
    if isinstance(kafka, BaseException):
        status.stuck.append(_unknown(kafka))
    else:
        status.kafka, wrong, status.roles = kafka
        status.stuck += wrong
    if isinstance(database, BaseException):
        status.stuck.append(_unknown(database))
    else:
        status.postgres = database
    for role in status.roles:
        if not role.workers:
            status.stuck.append(f"no {role.role} runs")
        status.stuck += [text_of_stuck(role.role, name) for name in role.stuck]
    return status


def _unknown(error: BaseException) -> str:
    """Return why a part is not known. Any other error is raised."""
    if not isinstance(error, RollguardError):
        raise error
    return str(error)


async def _within(limit_s: float | None, part: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return the answer. Raises Retryable if it does not come in time.

    Nobody waits for the end of a question without answer: aiokafka may need long for it.
    """
    asking = asyncio.ensure_future(ask())
    try:
        answered, _ = await asyncio.wait({asking}, timeout=limit_s)
        if answered:
            return asking.result()
        raise Retryable(part, f"no answer within {limit_s:g} s")
    finally:
        if not asking.done():
            ending = asyncio.ensure_future(end_tasks([asking]))
            _ending.add(ending)
            ending.add_done_callback(_ending.discard)


async def _with_kafka(
    settings: Settings, receivers: Sequence[str]
) -> tuple[KafkaStatus, list[str], list[RoleStatus]]:
    """Return the cluster, what is wrong with its topics, and the roles."""
    async with kafka_admin(settings) as admin:
        cluster = await _kafka(admin, settings)
        wrong = (await check_settings(admin, settings)).wrong
        return cluster, list(wrong), await _roles(admin, settings, cluster.partitions, receivers)


def text_of_stuck(role: str, partition: str) -> str:
    """Say that a role makes no progress in a partition."""
    return f"the {role} handles nothing of {partition}"


async def _kafka(admin: AIOKafkaAdminClient, settings: Settings) -> KafkaStatus:
    described = await admin.describe_cluster()
    return KafkaStatus(
        cluster_id_in(described),
        [f"{each['host']}:{each['port']}" for each in described["brokers"]],
        settings.topic_prefix,
        await require_topics(admin, settings),
    )


async def _postgres(postgres: Postgres) -> PostgresStatus:
    async with postgres() as conn, connection(conn):
        began = time.perf_counter()
        server = await conn.fetchval("show server_version")
        took_ms = (time.perf_counter() - began) * 1_000
        waiting, stopped = await held(conn, None), await stopped_tools(conn)
        deployed = await held_deployments(conn, None)
    return PostgresStatus(server, round(took_ms, 1), len(waiting), len(deployed), *stopped)


async def _roles(
    admin: AIOKafkaAdminClient, settings: Settings, partitions: int, receivers: Sequence[str]
) -> list[RoleStatus]:
    """Return the state of each role; if there is lag, by two looks at its offsets."""
    topics, numbers = Topics.of(settings), range(partitions)
    names = {role: topics.read_by(role) for role in ROLES}
    names |= {receiver: topics.read_by("notifier") for receiver in receivers}
    groups = {role: GroupOffsets(settings, group_of(settings, role)) for role in names}
    read = {
        role: [TopicPartition(topic, n) for topic in each for n in numbers]
        for role, each in names.items()
    }

    async def look() -> dict[str, dict[TopicPartition, Offsets]]:
        return {role: await groups[role].read(read[role]) for role in names}

    try:
        before = now = await look()
        if any(each.lag for offsets in before.values() for each in offsets.values()):
            await asyncio.sleep(_BETWEEN_SAMPLES_S)
            now = await look()
    finally:
        for group in groups.values():
            await group.close()
    members = {role: await members_of(admin, group_of(settings, role)) for role in names}
    return [
        RoleStatus(
            role,
            [each.address for each in members[role]],
            sum(each.lag for each in now[role].values()),
            [name_of(tp) for tp in read[role] if _is_stuck(before[role][tp], now[role][tp])],
            sum(each.committed for each in now[role].values()),
            sum(each.end for each in now[role].values()),
            {name_of(tp): now[role][tp].lag for tp in read[role] if now[role][tp].lag},
            [each.version for each in members[role]],
        )
        for role in names
    ]


def _is_stuck(before: Offsets, now: Offsets) -> bool:
    return bool(before.lag and now.lag) and before.committed == now.committed
