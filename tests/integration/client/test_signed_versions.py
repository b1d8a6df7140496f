"""The client's registry loads only what an applier has signed, if that is required."""

import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from rollguard_client import Misconfigured, Retryable, Rollguard
from tests.integration.client.broker import Broker
from tests.integration.client.topics import make_topics
from tests.support.inputs.messages import version
from tests.support.inputs.signing import Record, signer, trust, write_files
from tests.support.waiting import until

TOPICS = ("tool-executions", "tool-versions")


async def signed(activation: int, by: str | None, **fields: Any) -> Record:
    """Return the record of a version whose call returns the number of its activation."""
    said = version(activation, f"def execute(): return {activation}\n", **fields)
    headers = None if by is None else await signer(by).headers(said, said.to_bytes())
    return Record(said.tool_name.encode(), said.to_bytes(), headers or [])


async def send(brokers: str, *records: Record) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    for each in records:
        await producer.send_and_wait(
            "tool-versions", each.value, key=each.key, headers=each.headers
        )
    await producer.stop()


class Engine:
    """A client that requires signatures, with one tool."""

    def __init__(self, brokers: str, folder: Path, **values: Any) -> None:
        given: dict[str, Any] = {
            "kafka_brokers": brokers,
            "data_dir": folder / "data",
            "signatures": "require",
            "trust": folder / "trust.json",
            "fetch_wait_ms": 50,
            "flush_s": 0,
        }
        self.guard = Rollguard(**given | values)

        @self.guard.managed("parser")
        async def parse() -> int:
            raise NotImplementedError

        self.parse = parse


async def test_only_signed_versions_are_loaded_and_old_ones_do_not_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also without Kafka, and also from a broker whose topic holds only an old version."""
    write_files(tmp_path)
    broker = Broker("embedded", tmp_path / "kafka")
    old, new = await signed(1, "applier"), await signed(2, "applier")
    with broker.runs():
        await make_topics(broker.address, "", *TOPICS)
        await send(broker.address, old, new, await signed(3, "ann"), await signed(4, None))
        engine = Engine(broker.address, tmp_path)
        assert await engine.parse() == 2
        await send(broker.address, await signed(5, "applier"))

        async def is_swapped() -> bool:
            return await engine.parse() == 5

        await until(is_swapped)
        engine.guard.close()
    assert caplog.text.count("tool version refused") == 2
    offline = Engine(broker.address, tmp_path)
    assert await offline.parse() == 5, "the kept version has its signature"
    offline.guard.close()
    with broker.runs():
        await make_topics(broker.address, "", *TOPICS)
        await send(broker.address, old)
        fresh = Engine(broker.address, tmp_path, wait_s=5)
        with pytest.raises(Retryable, match="has no version"):
            await fresh.parse()
        fresh.guard.close()
    assert "the activation 1 is below 5" in caplog.text


async def test_a_kept_version_that_nobody_signed_is_not_loaded(tmp_path: Path) -> None:
    write_files(tmp_path)
    broker = Broker("embedded", tmp_path / "kafka")
    with broker.runs():
        await make_topics(broker.address, "", *TOPICS)
        await send(broker.address, await signed(1, None))
        trusting = Engine(broker.address, tmp_path, signatures="off")
        assert await trusting.parse() == 1
        trusting.guard.close()
    offline = Engine(broker.address, tmp_path, wait_s=0.5)
    with pytest.raises(Retryable, match="no version of 'parser' is known"):
        await offline.parse()
    offline.guard.close()


def test_what_is_missing_is_named_when_a_tool_is_managed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match=r"trust\.json: No such file"):
        Engine("127.0.0.1:1", tmp_path)
    with pytest.raises(Misconfigured, match="ROLLGUARD_SIGNATURES=warn needs ROLLGUARD_TRUST"):
        Engine("127.0.0.1:1", tmp_path, signatures="warn", trust=None)
    write_files(tmp_path, trusted=trust())
    for module in ("registry.admission", "signatures.trust_file", "signatures.verifying"):
        monkeypatch.delitem(sys.modules, f"rollguard_client.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)
    with pytest.raises(Misconfigured, match=r"pip install rollguard-client\[signatures\]"):
        Engine("127.0.0.1:1", tmp_path)
