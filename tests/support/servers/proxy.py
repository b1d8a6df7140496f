"""A proxy between clients and a server, on a loopback port; it can be shut, cut or slowed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg

from rollguard.embedded.ports import free_port

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_CHUNK = 65_536


def to_port(port: int) -> Callable[[], Awaitable[Streams]]:
    """Return a function that connects to a loopback port."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


def to_socket(path: str) -> Callable[[], Awaitable[Streams]]:
    """Return a function that connects to a unix socket."""
    return lambda: asyncio.open_unix_connection(path)


class Proxy:
    """Forwards connections to those that ``connect`` opens; delays each chunk by ``delay_s``."""

    def __init__(self, port: int, connect: Callable[[], Awaitable[Streams]]) -> None:
        self.port = port
        self.delay_s = 0.0
        self._connect = connect
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Accept connections from now on."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def shut(self) -> None:
        """Refuse connections from now on, and cut the open ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Abort the open connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        """Shut the proxy, and end its tasks."""
        self.shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, server_writer}
        self._writers |= pair
        try:
            await asyncio.gather(
                self._copy(reader, server_writer), self._copy(server_reader, writer)
            )
        except OSError:
            pass
        finally:
            for each in pair:
                each.transport.abort()
            self._writers -= pair

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()


@asynccontextmanager
async def proxy_to_postgres(dsn: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Yield an open proxy to the server of this DSN (of a unix socket), and the proxy's DSN."""
    user, socket = await user_and_socket(dsn)
    proxy = Proxy(free_port(), to_socket(socket))
    await proxy.open()
    try:
        yield proxy, f"postgresql://{user}@127.0.0.1:{proxy.port}{urlsplit(dsn).path}"
    finally:
        await proxy.close()


async def user_and_socket(dsn: str) -> tuple[str, str]:
    """Return the user of a DSN, and the path of its unix socket."""
    connection = await asyncpg.connect(dsn)
    try:
        folder = await connection.fetchval("show unix_socket_directories")
        port = await connection.fetchval("show port")
        user: str = await connection.fetchval("select current_user")
        return user, f"{folder}/.s.PGSQL.{port}"
    finally:
        await connection.close()
