"""Postgres over TLS: certificate and host name are checked, and who is not trusted is named.

The embedded server speaks no TLS: a proxy in front of it does, as Postgres would.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from db.postgres.pool import connect, open_pool
from rollguard.operations.versions import history_of
from schemas.errors import Misconfigured, Rejected
from schemas.settings import load_settings
from tests.support.proxy import user_and_socket
from tests.support.secure_kafka import make_authority, make_certificate

_SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)


@asynccontextmanager
async def tls_door(socket: str, cert: Path, key: Path) -> AsyncIterator[int]:
    """Its port. It takes Postgres' request for TLS, and leads to the server's socket."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["postgresql"])
    tasks: set[asyncio.Task[None]] = set()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(8) != _SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.start_tls(context)
            far_reader, far_writer = await asyncio.open_unix_connection(socket)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(lead(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(enter, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()


@pytest.fixture
async def proxy(database_dsn: str, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """Yield a DSN without TLS that leads to the proxy, and its certificate's authority."""
    user, socket = await user_and_socket(database_dsn)
    ca = make_authority(tmp_path, "authority")
    cert, key = make_certificate(ca, tmp_path, "IP:127.0.0.1")
    database = urlsplit(database_dsn).path
    async with tls_door(socket, cert, key) as at:
        yield f"postgresql://{user}:s3cret@127.0.0.1:{at}{database}", ca


async def test_a_trusted_server_is_used(proxy: tuple[str, Path]) -> None:
    dsn, ca = proxy
    settings = load_settings(postgres_dsn=f"{dsn}?sslmode=verify-full&sslrootcert={ca}")
    with pytest.raises(Rejected, match="has no versions"):
        await history_of(settings, "parser", 1)
    connection = await connect(settings.postgres_dsn.get_secret_value())
    assert connection._transport.get_extra_info("ssl_object") is not None  # type: ignore[union-attr]
    await connection.close()


async def test_another_authority_or_host_is_not_trusted(
    proxy: tuple[str, Path], tmp_path: Path
) -> None:
    dsn, ca = proxy
    other = make_authority(tmp_path, "other")
    by_name = dsn.replace("127.0.0.1", "localhost")
    for wrong, trusted in ((dsn, other), (by_name, ca)):
        for opening in (open_pool, connect):
            with pytest.raises(Misconfigured) as raised:
                await opening(f"{wrong}?sslmode=verify-full&sslrootcert={trusted}")
            assert "is not trusted" in str(raised.value)
            assert "s3cret" not in str(raised.value)


async def test_a_file_that_is_not_there_is_named(proxy: tuple[str, Path], tmp_path: Path) -> None:
    dsn, _ = proxy
    missing = tmp_path / "no.pem"
    with pytest.raises(Misconfigured) as raised:
        await connect(f"{dsn}?sslmode=verify-full&sslrootcert={missing}")
    assert "no.pem" in str(raised.value)
    assert "s3cret" not in str(raised.value)
