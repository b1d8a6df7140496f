"""Opening connections to Postgres: TLS, encodings, and one line that says what is wrong.

The embedded server speaks no TLS: a proxy in front of it does, as Postgres would.
"""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from db.postgres.pool import acquire, connect, open_pool
from rollguard import ToolVersionManager
from rollguard.embedded.ports import free_port
from rollguard.operations.setup import migrate_database
from rollguard.operations.versions import history_of
from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.settings import load_settings
from tests.support.servers.postgres import PostgresServer, execute
from tests.support.servers.proxy import proxy_to_postgres, user_and_socket
from tests.support.servers.secure_kafka import make_authority, make_certificate
from tests.support.systems.command_line import rollguard

_SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)


@asynccontextmanager
async def tls_door(path: str, cert: Path, key: Path) -> AsyncIterator[int]:
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
            far_reader, far_writer = await asyncio.open_unix_connection(path)
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
    user, path = await user_and_socket(database_dsn)
    ca = make_authority(tmp_path, "authority")
    cert, key = make_certificate(ca, tmp_path, "IP:127.0.0.1")
    database = urlsplit(database_dsn).path
    async with tls_door(path, cert, key) as at:
        yield f"postgresql://{user}:s3cret@127.0.0.1:{at}{database}", ca


async def test_a_trusted_server_is_used(proxy: tuple[str, Path]) -> None:
    dsn, ca = proxy
    settings = load_settings(postgres_dsn=f"{dsn}?sslmode=verify-full&sslrootcert={ca}")
    with pytest.raises(Rejected, match="has no versions"):
        await history_of(settings, "parser", 1)
    connection = await connect(settings.postgres_dsn.get_secret_value())
    assert connection._transport.get_extra_info("ssl_object") is not None  # type: ignore[union-attr]
    await connection.close()


async def _refusal(dsn: str) -> str:
    """Return the one line of every way to connect."""
    said = set()
    settings = load_settings(postgres_dsn=dsn)
    for opening in (
        open_pool(dsn),
        connect(dsn),
        migrate_database(settings),
        history_of(settings, "parser", 1),
        ToolVersionManager(settings=settings).get_current_version("parser"),
    ):
        with pytest.raises(Misconfigured) as raised:
            await opening
        said.add(str(raised.value))
    [line] = said
    assert "s3cret" not in line
    assert "\n" not in line
    return line


async def test_another_authority_or_host_is_not_trusted(
    proxy: tuple[str, Path], tmp_path: Path
) -> None:
    dsn, ca = proxy
    other = make_authority(tmp_path, "other")
    at, database = dsn.rpartition("@")[2].split("/")
    untrusted = "the certificate of the server is not trusted: "
    for mode in ("verify-full", "verify-ca", "require"):
        line = await _refusal(f"{dsn}?sslmode={mode}&sslrootcert={other}")
        assert line == (
            f"Postgres at {at}/{database} (sslmode={mode}): {untrusted}"
            "unable to get local issuer certificate; this is not tried again"
        )
    by_name = dsn.replace("127.0.0.1", "localhost")
    line = await _refusal(f"{by_name}?sslmode=verify-full&sslrootcert={ca}")
    assert f"{untrusted}Hostname mismatch, certificate is not valid for 'localhost'" in line
    assert f"{at.replace('127.0.0.1', 'localhost')}/{database} (sslmode=verify-full)" in line


async def test_files_that_cannot_be_used_are_named(
    proxy: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, ca = proxy
    monkeypatch.setenv("HOME", str(tmp_path))
    missing, garbage = tmp_path / "no.pem", tmp_path / "garbage.pem"
    garbage.write_text("this is no certificate")
    for query, reason in {
        f"verify-full&sslrootcert={missing}": f"sslrootcert={missing} cannot be read: No such file",
        f"verify-full&sslrootcert={tmp_path}": f"sslrootcert={tmp_path} cannot be read: Is a dir",
        "verify-full": f'root certificate file "{tmp_path}/.postgresql/root.crt" does not exist',
        f"verify-ca&sslrootcert={garbage}": f"TLS failed: no certificate or crl found, "
        f"sslrootcert={garbage}",
        f"require&sslcert={ca}&sslkey={missing}": f"sslkey={missing} cannot be read: No such file",
        f"require&sslcert={ca}&sslkey={garbage}": f"sslkey={garbage}",
        "bogus": "`sslmode` parameter must be one of: disable, allow, prefer",
        "require&ssl_min_protocol_version=TLSv9": "No such TLS version: TLSv9",
    }.items():
        assert reason in await _refusal(f"{dsn}?sslmode={query}"), query
    monkeypatch.setenv("PGSSLROOTCERT", str(missing))
    assert f"PGSSLROOTCERT={missing} cannot be read" in await _refusal(f"{dsn}?sslmode=require")


async def test_a_server_without_tls_is_said(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy_to_postgres(database_dsn) as (_, dsn):
        reason = "the server does not support TLS, which sslmode asks for; this is not tried again"
        assert f"(sslmode=require): {reason}" in await _refusal(f"{dsn}?sslmode=require")
        monkeypatch.setenv("PGSSLMODE", "verify-ca")
        monkeypatch.setenv("PGSSLROOTCERT", ssl.get_default_verify_paths().openssl_cafile)
        if Path(ssl.get_default_verify_paths().openssl_cafile).exists():
            assert f"(sslmode=verify-ca): {reason}" in await _refusal(dsn)


async def test_a_new_connection_of_a_pool_says_it_too(
    proxy: tuple[str, Path], tmp_path: Path
) -> None:
    dsn, ca = proxy
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(ca.read_bytes())
    pool = await open_pool(f"{dsn}?sslmode=verify-full&sslrootcert={trusted}")
    async with acquire(pool):
        trusted.write_bytes(make_authority(tmp_path, "other").read_bytes())
        with pytest.raises(Misconfigured, match=r"\(sslmode=verify-full\): the certificate"):
            await acquire(pool).__aenter__()
    await pool.close()


def _refuse_certificates(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Take connections, and say what is wrong with their certificates, as Postgres does."""
    with suppress(OSError):  # it is closed at the end
        while True:
            connection, _ = listening.accept()
            connection.recv(8)
            connection.sendall(b"S")
            tls = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with tls:
                with suppress(ssl.SSLError):
                    tls.do_handshake()
                while os.read(tls.fileno(), 65_536):
                    pass


async def test_a_certificate_that_the_server_does_not_take_is_said(tmp_path: Path) -> None:
    """With TLS 1.3 the server says so only after the handshake."""
    ca, other = make_authority(tmp_path, "authority"), make_authority(tmp_path, "other")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
    context.load_cert_chain(*make_certificate(ca, tmp_path, "IP:127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(
            target=_refuse_certificates, args=(listening, context), daemon=True
        ).start()
        dsn = f"postgresql://user:s3cret@127.0.0.1:{listening.getsockname()[1]}/x?sslmode=require"
        own = f"sslcert={other}&sslkey={other.with_suffix('.key')}"
        assert "TLS failed: tlsv1 alert unknown ca, sslcert=" in await _refusal(f"{dsn}&{own}")
        assert "TLS failed: tlsv13 alert certificate required" in await _refusal(dsn)
        listening.shutdown(socket.SHUT_RDWR)


async def test_a_server_that_is_away_is_tried_again(tmp_path: Path) -> None:
    port = free_port()
    dsn = f"postgresql://user:s3cret@127.0.0.1:{port}/x"
    for opening in (
        open_pool(dsn),
        connect(dsn),
        history_of(load_settings(postgres_dsn=dsn), "x", 1),
    ):
        with pytest.raises(Retryable, match=f"127.0.0.1:{port}/x .sslmode=prefer.: .*Errno 111"):
            await opening


async def test_a_server_that_ends_within_tls_is_tried_again() -> None:
    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(ends, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Retryable):
        await connect(f"postgresql://user@127.0.0.1:{port}/x?sslmode=require")
    server.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "WIN1252"])
async def test_a_database_that_is_not_utf8_is_refused(
    encoding: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = f"rollguard_test_{uuid4().hex}"
    options = f"encoding '{encoding}' template template0 lc_collate 'C' lc_ctype 'C'"
    await execute(postgres_server.dsn, f"create database {name} {options}")
    try:
        line = await _refusal(postgres_server.dsn_of(name))
        assert f"the encoding of the database is {encoding}, but it must be UTF8" in line
        assert "createdb --encoding=UTF8 --template=template0" in line
        result = await rollguard(
            "migrate", env={"ROLLGUARD_POSTGRES_DSN": postgres_server.dsn_of(name)}, cwd=tmp_path
        )
        assert (result.code, result.err) == (1, f"rollguard: {line}\n")
    finally:
        await execute(postgres_server.dsn, f"drop database {name} with (force)")


async def test_the_encoding_of_the_client_is_utf8_whatever_is_set(
    postgres_server: PostgresServer, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"latin_{uuid4().hex[:8]}"
    user, _ = await user_and_socket(database_dsn)
    await execute(
        postgres_server.dsn,
        f"create role {role} login superuser",
        f"alter role {role} set client_encoding = 'LATIN1'",
    )
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    try:
        for dsn in (
            database_dsn,
            database_dsn.replace(f"{user}:@", f"{role}@"),
            f"{database_dsn}&client_encoding=LATIN1",
        ):
            connection = await connect(dsn)
            assert await connection.fetchval("show client_encoding") == "UTF8"
            assert await connection.fetchval("select $1::text", "漢字 ä") == "漢字 ä"
            await connection.close()
    finally:
        await execute(postgres_server.dsn, f"drop role {role}")
