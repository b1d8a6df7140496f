"""A person stands in a folder that somebody else has filled: it decides nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.systems.command_line import rollguard


class Listener(NamedTuple):
    """A server of the attacker, and what it was sent."""

    address: str
    received: list[bytes]


@pytest.fixture
async def attacker() -> AsyncIterator[Listener]:
    received: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(4_096))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield Listener(f"{host}:{port}", received)


@pytest.mark.parametrize("verb", [("health", "parser"), ("record", "parser", "--ok")])
async def test_a_file_in_the_folder_gets_no_token_and_no_password(
    verb: tuple[str, ...], attacker: Listener, tmp_path: Path
) -> None:
    hostile = (
        f"ROLLGUARD_DETECTOR_URL=http://{attacker.address}\n"
        f"ROLLGUARD_KAFKA_BROKERS={attacker.address}\n"
        "ROLLGUARD_KAFKA_SECURITY=sasl_plaintext\n"
        "ROLLGUARD_KAFKA_SASL_MECHANISM=PLAIN\n"
        "ROLLGUARD_KAFKA_USERNAME=me\n"
    )
    given = {
        "ROLLGUARD_WEB_TOKEN": "hunter2",
        "ROLLGUARD_KAFKA_PASSWORD": "hunter3",
        "ROLLGUARD_WAIT_S": "2",
    }
    (tmp_path / ".env").write_text(hostile)
    done = await rollguard(*verb, env=given, cwd=tmp_path)
    assert attacker.received == []
    assert done.code == 1
    assert "kafka_username and kafka_password need kafka_security with SASL" in done.err
    assert attacker.address not in done.err

    (tmp_path / ".env").rename(tmp_path / "named.env")
    await rollguard(*verb, env={**given, "ROLLGUARD_ENV_FILE": "named.env"}, cwd=tmp_path)
    assert attacker.received, "the file would have decided it"
