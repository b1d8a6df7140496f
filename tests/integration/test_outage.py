"""Postgres goes away and comes back: the applier waits, in order, and nothing is lost."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from rollguard.embedded import free_port
from tests.system import System, until


class Door:
    """A port on loopback that leads to Postgres' socket while it is open."""

    def __init__(self, socket: str) -> None:
        self.port = free_port()
        self._socket = socket
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self.port)

    def shut(self) -> None:
        """Refuse connections from now on, and cut those that are there."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_unix_connection(self._socket)
        self._writers |= {writer, to_writer}
        await asyncio.gather(
            _copy(reader, to_writer), _copy(to_reader, writer), return_exceptions=True
        )


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.timeout(120)
async def test_the_applier_waits_for_postgres(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(database_dsn)
    address = await connection.fetchval("SHOW unix_socket_directories")
    port = await connection.fetchval("SHOW port")
    name = await connection.fetchval("SELECT current_database()")
    user = await connection.fetchval("SELECT current_user")
    await connection.close()
    door = Door(f"{address}/.s.PGSQL.{port}")
    await door.open()
    dsn = f"postgresql://{user}@127.0.0.1:{door.port}/{name}"
    async with System.started(kafka, dsn, topic_prefix, tmp_path, ("applier",)) as system:
        assert (await system.deploy("parser", "a")).version_number == 1
        door.shut()
        waiting = asyncio.create_task(system.deploy("parser", "b"))

        async def waits() -> bool:
            return '"waiting"' in system.log("applier")

        await until(waits)
        await door.open()
        assert (await asyncio.wait_for(waiting, 40)).version_number == 2
        assert (await system.deploy("parser", "c")).version_number == 3
        assert await system.stop_all() == [0]
    door.shut()
