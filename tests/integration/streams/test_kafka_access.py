"""Kafka over TLS with SASL: users with the right credentials can connect, and nobody else."""

from pathlib import Path

import pytest

from rollguard.client import EngineClient
from rollguard.operations.setup import create_missing_topics
from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings, load_settings
from streams.topic_reader import open_reader
from streams.topics import Topics
from tests.support.servers.secure_kafka import SecureKafka, make_authority

pytestmark = [
    pytest.mark.kafka,
    # aiokafka leaves a refused connection to the garbage collector, which may come in any test
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def settings_of(kafka: SecureKafka, user: str, **more: object) -> Settings:
    return load_settings(**(kafka.access(user) | more))


async def probe(settings: Settings) -> None:
    """Connect as the command line does, and as a worker does."""
    await create_missing_topics(settings)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_user_can_connect(secure_kafka: SecureKafka, mechanism: str) -> None:
    settings = settings_of(secure_kafka, "stranger", kafka_sasl_mechanism=mechanism)
    async with EngineClient(settings):
        pass


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"kafka_password": "wr0ng-secret"}, "refuses 'engine'"),
        ({"kafka_username": "nobody"}, "refuses 'nobody'"),
        ({"kafka_sasl_mechanism": "PLAIN"}, "refuses 'engine': UnsupportedSaslMechanism"),
        ({"kafka_ca_file": None}, "is not trusted"),
    ],
)
async def test_wrong_credentials_are_reported_at_once(
    secure_kafka: SecureKafka, wrong: dict[str, object], expected: str
) -> None:
    settings = settings_of(secure_kafka, "engine", **wrong)
    for attempt in (EngineClient(settings).__aenter__, lambda: probe(settings)):
        with pytest.raises(Misconfigured) as raised:
            await attempt()
        assert expected in str(raised.value)
        assert "secret" not in str(raised.value)
        assert "s3cret" not in str(raised.value)


async def test_another_authority_and_another_host_are_not_trusted(
    secure_kafka: SecureKafka, tmp_path: Path
) -> None:
    other = make_authority(tmp_path, "other")
    with pytest.raises(Misconfigured, match="is not trusted"):
        await EngineClient(settings_of(secure_kafka, "engine", kafka_ca_file=other)).__aenter__()
    port = secure_kafka.brokers.rpartition(":")[2]
    by_name = settings_of(secure_kafka, "engine", kafka_brokers=f"localhost:{port}")
    with pytest.raises(Misconfigured, match=r"not trusted.*localhost"):
        await EngineClient(by_name).__aenter__()


async def test_a_connection_without_tls_fails(secure_kafka: SecureKafka) -> None:
    settings = load_settings(kafka_brokers=secure_kafka.brokers, wait_s=3)
    with pytest.raises(Retryable):
        await EngineClient(settings).__aenter__()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kafka_security": "sasl_ssl"}, "needs kafka_username"),
        ({"kafka_username": "x", "kafka_password": "s3cret"}, "need kafka_security with SASL"),
        ({"kafka_ca_file": "/nowhere"}, "need kafka_security with SSL"),
        ({"kafka_security": "ssl", "kafka_key_file": "/nowhere"}, "needs kafka_cert_file"),
        ({"kafka_security": "tls"}, "kafka_security"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    values: dict[str, object], expected: str
) -> None:
    with pytest.raises(Misconfigured) as raised:
        load_settings(**values)
    assert expected in str(raised.value)
    assert "s3cret" not in str(raised.value)


async def test_a_missing_file_is_named(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    missing = settings_of(secure_kafka, "engine", kafka_ca_file=tmp_path / "no.pem")
    with pytest.raises(Misconfigured, match=r"ROLLGUARD_KAFKA_CA_FILE .*no\.pem: No such file"):
        await EngineClient(missing).__aenter__()


async def test_a_user_without_rights_is_refused(
    secure_kafka: SecureKafka, topic_prefix: str
) -> None:
    operator = load_settings(kafka_brokers=secure_kafka.admin, topic_prefix=topic_prefix)
    await create_missing_topics(operator)
    stranger = settings_of(secure_kafka, "stranger", topic_prefix=topic_prefix)
    with pytest.raises(Misconfigured):
        async with open_reader(stranger, Topics.of(stranger).versions, from_beginning=True):
            pass
