"""The client over TLS with SASL: it publishes, and says at once who is refused."""

import asyncio
import logging

import pytest
from confluent_kafka.admin import AclOperation

from rollguard_client import Misconfigured, Rollguard, load_settings
from tests.integration.client.topics import make_topics, published
from tests.support.servers.kafka_acls import acls, allow
from tests.support.servers.secure_kafka import SecureKafka
from tests.support.waiting import until

pytestmark = [
    pytest.mark.kafka,
    # aiokafka leaves a refused connection to the garbage collector, which may come in any test
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def test_an_engine_publishes(secure_kafka: SecureKafka, topic_prefix: str) -> None:
    await make_topics(secure_kafka.admin, topic_prefix, "tool-executions")
    granted = acls(topic_prefix, "engine")
    writes = [each for each in granted if each.operation is AclOperation.WRITE]
    await allow(secure_kafka, writes)
    access = secure_kafka.access("engine", topic_prefix=topic_prefix)
    with Rollguard(load_settings(**access)) as guard:
        guard.tool("t")(len)("abc")
        assert await asyncio.to_thread(guard.flush, 60)
        assert guard.dropped == 0
    assert len(await published(secure_kafka.admin, topic_prefix)) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kafka_password": "wr0ng-secret"}, "refuses 'engine'"),
        ({"kafka_sasl_mechanism": "PLAIN"}, "refuses 'engine': UnsupportedSaslMechanism"),
        ({"kafka_ca_file": None}, "is not trusted"),
    ],
)
async def test_who_is_refused_is_said_and_no_secret(
    secure_kafka: SecureKafka,
    wrong: dict[str, object],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Rollguard(load_settings(**secure_kafka.access("engine") | wrong))
    with caplog.at_level(logging.DEBUG):
        guard.tool("t")(len)("abc")

        async def is_said() -> bool:
            return said in caplog.text

        await until(is_said)
        deployment = asyncio.ensure_future(guard.deploy("t", "x = 1\n"))
        with pytest.raises(Misconfigured, match=said):
            await deployment
        await asyncio.to_thread(guard.close, 0)
    assert "secret" not in caplog.text
    assert "s3cret" not in caplog.text
