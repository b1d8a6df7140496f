"""The connection of an admin client, which reads about the cluster, its topics and its groups."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from rollguard_client.kafka.access import kafka_options
from rollguard_client.kafka.errors import require_access, retryable
from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.client_ids import version_in
from streams.kafka_errors import any_error_retryable


@asynccontextmanager
async def kafka_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected admin client; errors of Kafka inside the block are raised as Retryable.

    Raises Misconfigured if a broker refuses the credentials, or if its certificate is not trusted.
    """
    admin = AIOKafkaAdminClient(**kafka_options(settings))
    try:
        try:
            with any_error_retryable(settings):
                await admin.start()
        except Retryable:
            await require_access(settings)
            raise
        try:
            yield admin
        except KafkaError as error:
            raise retryable(settings, error) from error
    finally:
        await admin.close()


async def cluster_id_of(admin: AIOKafkaAdminClient) -> str:
    """Return the id of the cluster, which no other cluster has."""
    return cluster_id_in(await admin.describe_cluster())


def cluster_id_in(described: Mapping[str, Any]) -> str:
    """Return the id of a cluster that was described."""
    return described.get("cluster_id") or "unknown"


class Member(NamedTuple):
    """A member of a consumer group."""

    address: str
    version: str
    """Of the software; ``unknown`` if it tells none."""


async def members_of(admin: AIOKafkaAdminClient, group: str) -> list[Member]:
    """Return the members of a consumer group.

    Raises Misconfigured if the broker does not let us ask.
    """
    found: list[Member] = []
    for response in await admin.describe_consumer_groups([group]):
        for error, _group, _state, _protocol_type, _protocol, members, *_ in response.groups:
            if error == GroupAuthorizationFailedError.errno:
                raise Misconfigured(f"Kafka does not allow this user to read as the group {group}")
            found += [
                Member(address.lstrip("/"), version_in(client_id, member_id))
                for member_id, client_id, address, *_ in members
            ]
    return found
