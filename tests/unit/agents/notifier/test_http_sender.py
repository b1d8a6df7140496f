"""The sending of a request to servers that are wrong, hostile, or not what they should be."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agents.notifier.http_sender import HttpSender
from agents.notifier.requests import Request

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def _server(handle: Handle, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def close_after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(close_after, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _post(url: str) -> tuple[bool, str, str]:
    sender = HttpSender(answer_s=5.0)
    try:
        answer, body = await sender.send_and_read(Request(url, b"{}", {}))
    finally:
        await sender.close()
    return answer.is_delivered, answer.text, body


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def _say_ssh(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH\r\n")
    await writer.drain()


async def test_a_server_that_hangs_up() -> None:
    async with _server(_say_nothing) as port:
        found = await _post(f"http://127.0.0.1:{port}/secret")
    assert found == (False, "ServerDisconnectedError", "")


async def test_what_is_no_http() -> None:
    async with _server(_say_ssh) as port:
        is_delivered, text, _ = await _post(f"http://127.0.0.1:{port}/secret")
    assert not is_delivered
    assert "127.0.0.1" not in text
    assert "secret" not in text


async def test_a_server_without_tls_and_one_that_nobody_vouches_for(tmp_path: Path) -> None:
    async with _server(_say_ssh) as port:
        assert (await _post(f"https://127.0.0.1:{port}/"))[1] == "no TLS connection"
    async with _server(_say_nothing, _self_signed(tmp_path)) as port:
        assert (await _post(f"https://127.0.0.1:{port}/"))[1] == "its certificate is not trusted"


async def test_of_an_endless_answer_only_the_beginning_is_read() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1_024 + b"\r\n")
            await writer.drain()

    async with _server(flood) as port:
        is_delivered, text, body = await _post(f"http://127.0.0.1:{port}/")
    assert (is_delivered, text, len(body)) == (True, "HTTP 200", 4_096)


async def test_a_body_that_comes_byte_by_byte_is_not_waited_for() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with _server(drip) as port:
        is_delivered, _, body = await _post(f"http://127.0.0.1:{port}/")
    assert is_delivered
    assert 0 < len(body) < 100


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
