"""The permissions that `docs/security.md` grants in Kafka, given to users of a secure broker."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from schemas.settings import load_settings
from streams.topics import Topics
from tests.support.servers.login_roles import SECURITY_PAGE
from tests.support.servers.secure_kafka import SecureKafka
from tests.support.waiting import until

_ANY_HOST: Final = "*"
_ANYTHING: Final[Any] = None
_ALL: Final = AclBindingFilter(
    ResourceType.ANY,
    _ANYTHING,
    ResourcePatternType.ANY,
    _ANYTHING,
    _ANYTHING,
    AclOperation.ANY,
    AclPermissionType.ANY,
)


def acls(prefix: str, party: str | None = None) -> list[AclBinding]:
    """Return what the table of the page grants, to all parties or to one."""
    rows = re.findall(
        r"^\| (\w+) \| (topic|group) \| (.+?) \| (.+?) \|$", SECURITY_PAGE, re.MULTILINE
    )
    assert len(rows) >= 10
    found = [each for row in rows if party in (None, row[0]) for each in _granted(prefix, *row)]
    assert found
    return found


def _granted(
    prefix: str, party: str, kind: str, names: str, operations: str
) -> Iterator[AclBinding]:
    everything = Topics.of(load_settings(topic_prefix="")).all()
    for name in everything if names == "all" else names.split(", "):
        for operation in operations.split(", "):
            yield acl(party, kind, prefix + name, operation)


def acl(party: str, kind: str, name: str, operation: str) -> AclBinding:
    """Return what allows a party an operation, such as `DescribeConfigs`, on a topic or group."""
    return AclBinding(
        ResourceType[kind.upper()],
        name,
        ResourcePatternType.LITERAL,
        f"User:{party}",
        _ANY_HOST,
        AclOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
        AclPermissionType.ALLOW,
    )


async def allow(kafka: SecureKafka, granted: Iterable[AclBinding]) -> None:
    """Grant this, and return when it is in force: the broker answers a moment before."""
    admin, wanted = AdminClient({"bootstrap.servers": kafka.admin}), set(granted)
    created = admin.create_acls(list(wanted), request_timeout=60)
    await asyncio.gather(*map(asyncio.wrap_future, created.values()))

    async def is_in_force() -> bool:
        found = admin.describe_acls(_ALL, request_timeout=60)
        return wanted <= set(await asyncio.wrap_future(found))

    await until(is_in_force)
