"""A console behind TLS: its certificate must be trusted, and be that of its name."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rollguard_client import Misconfigured
from rollguard_client.http import Console
from tests.support.servers.secure_kafka import make_authority, make_certificate


class Handler(BaseHTTPRequestHandler):
    """Answers as a console does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def port(authority: Path) -> Iterator[int]:
    """Serve with a certificate for localhost, and return the port."""
    certificate, key = make_certificate(authority, authority.parent, "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_of_a_named_authority_is_trusted(
    port: int, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match=r"is not trusted.*SSL_CERT_FILE"):
        Console(f"https://localhost:{port}").ask("GET", "/tools")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert Console(f"https://localhost:{port}").ask("GET", "/tools").data == {}
    with pytest.raises(Misconfigured, match=r"is not trusted.*127"):
        Console(f"https://127.0.0.1:{port}", "secret").ask("GET", "/tools")
    with pytest.raises(Exception, match="does not answer"):
        Console(f"http://localhost:{port}").ask("GET", "/tools")
