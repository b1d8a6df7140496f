"""A console as the client asks it: what is sent, and what each answer means."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playing_console import PROBLEM, Server

from rollguard_client import Misconfigured, Missing, Rejected, Retryable, RollguardError
from rollguard_client.http.console import Console, in_path


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    with found.running():
        yield found


def problem(server: Server, status: int, **members: Any) -> None:
    server.status, server.headers = status, {"content-type": PROBLEM}
    server.body = json.dumps({"status": status, "detail": "why", **members}).encode()


def error_of(console: Console, method: str = "GET") -> RollguardError:
    with pytest.raises(RollguardError) as raised:
        console.ask(method, "/tools")
    return raised.value


def test_what_cannot_be_sent_is_named() -> None:
    console = Console("http://127.0.0.1:1")
    with pytest.raises(Rejected, match=r"^reason: Object of type object is not JSON"):
        console.ask("POST", "/tools", body={"a": 1, "reason": object()})
    with pytest.raises(Rejected, match="a request is no JSON"):
        console.ask("POST", "/tools", body=[object()])
    wrong: Any = 5
    with pytest.raises(Misconfigured, match="ROLLGUARD_URL must be a text"):
        Console(wrong)
    with pytest.raises(Misconfigured, match="ROLLGUARD_TOKEN must be a text"):
        Console("http://127.0.0.1:1", wrong)


def test_what_is_sent(server: Server) -> None:
    server.body = b'{"a": "\xc3\xa4"}'
    console = Console(f"{server.url}/below/", "secret")
    path = f"/tools/{in_path('a/b ä?')}/pin"
    answer = console.ask("PUT", path, {"q": "x y", "none": None, "ended": True}, {"reason": "ä"})
    assert answer.data == {"a": "ä"}
    [seen] = server.seen
    assert seen.method == "PUT"
    assert seen.path == "/below/api/v1/tools/a%2Fb%20%C3%A4%3F/pin?q=x+y&ended=true"
    assert seen.headers["Authorization"] == "Bearer secret"
    assert seen.headers["Content-Type"] == "application/json"
    assert json.loads(seen.body) == {"reason": "ä"}
    assert (in_path(".."), in_path("a.b")) == ("%2E%2E", "a.b")
    Console(server.url).ask("GET", "/tools")
    assert "Authorization" not in server.seen[1].headers


@pytest.mark.parametrize(
    ("status", "members", "kind", "text"),
    [
        (404, {}, Missing, "why"),
        (404, {"type": "urn:rollguard:problem:no-such-path"}, Misconfigured, "older version"),
        (405, {}, Misconfigured, "older version"),
        (422, {"errors": [{"field": "body.code", "error": "no"}]}, Rejected, "code: no"),
        (422, {"errors": [{"field": "body", "error": "no"}]}, Rejected, "body: no"),
        (422, {"errors": "?"}, Rejected, "why"),
        (409, {}, Rejected, "why"),
        (401, {}, Misconfigured, "a token: set ROLLGUARD_TOKEN"),
        (403, {}, Misconfigured, "why"),
        (421, {}, Misconfigured, "why"),
        (503, {"part": "Postgres", "detail": "Postgres: gone"}, Retryable, "Postgres: gone"),
        (503, {"type": "urn:rollguard:problem:misconfigured"}, Misconfigured, "why"),
        (429, {}, Retryable, "console: why"),
        (500, {}, Retryable, "console: why"),
    ],
)
def test_problems_are_errors(
    server: Server, status: int, members: dict[str, Any], kind: type[Exception], text: str
) -> None:
    problem(server, status, **members)
    error = error_of(Console(server.url))
    assert type(error) is kind
    assert text in str(error)
    if members.get("part"):
        assert isinstance(error, Retryable)
        assert (error.part, error.cause) == ("Postgres", "gone")


def test_a_wrong_token_is_told_apart_from_none(server: Server) -> None:
    problem(server, 401)
    assert "another ROLLGUARD_TOKEN" in str(error_of(Console(server.url, "secret")))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: Server, status: int) -> None:
    other = Server()
    with other.running():
        server.status, server.headers = status, {"Location": f"{other.url}/api/v1/tools"}
        for method in ("GET", "POST"):
            error = error_of(Console(server.url, "secret"), method)
            assert isinstance(error, Misconfigured)
            assert other.url in str(error)
    assert other.seen == []
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", b"<html>log in</html>"),
        (200, "application/json", b"[1]"),
        (200, "application/json", b"[" * 100_000),
        (404, "text/html", b"<html>"),
        (404, "application/json", b"{}"),
        (500, "text/plain", b"\xff"),
        (418, PROBLEM, b"[]"),
    ],
)
def test_another_program_is_named(server: Server, status: int, kind: str, body: bytes) -> None:
    server.status, server.headers, server.body = status, {"Content-Type": kind}, body
    error = error_of(Console(server.url))
    assert isinstance(error, Misconfigured)
    assert "another program" in str(error)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_proxy_without_a_console_is_worth_another_try(server: Server, status: int) -> None:
    server.status, server.headers, server.body = status, {"Content-Type": "text/html"}, b"<html>"
    error = error_of(Console(server.url))
    assert isinstance(error, Retryable)
    assert f"HTTP {status}" in str(error)


def test_an_answer_that_is_too_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollguard_client.http.console.MAX_ANSWER_BYTES", 10)
    server.body = b'{"a": "' + b"x" * 100 + b'"}'
    assert "more than 10 bytes" in str(error_of(Console(server.url)))


def test_nobody_answers(server: Server) -> None:
    server.is_slow.set()  # it closes the connection without an answer
    error = error_of(Console(server.url))
    assert isinstance(error, Retryable)
    assert "does not answer" in str(error)
    unused = Console("http://127.0.0.1:1", "secret")
    assert "is ROLLGUARD_URL its address?" in str(error_of(unused))
    assert "secret" not in str(error_of(unused))
    assert "does not answer" in str(error_of(Console("http://no-such-host.invalid")))


def test_a_console_that_speaks_no_tls(server: Server) -> None:
    error = error_of(Console(server.url.replace("http://", "https://")))
    assert isinstance(error, Misconfigured)
    assert "TLS" in str(error)


def test_a_proxy_of_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for other hosts, and never for this machine."""
    proxy = Server()
    with proxy.running():
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        Console(server.url).ask("GET", "/tools")
        assert proxy.seen == []
        Console("http://console.invalid:6069", "secret").ask("GET", "/tools")
        [seen] = proxy.seen
    assert seen.path == "http://console.invalid:6069/api/v1/tools"


@pytest.mark.parametrize(
    "url",
    [
        *("", "console:6069", "ftp://a", "https://", "https://u:secret@a", "http://a:b"),
        *("http://a/?b", "http://a/api/v1/", "http://a b", "http://a#b", "http://a\nb"),
    ],
)
def test_wrong_addresses(url: str) -> None:
    with pytest.raises(Misconfigured, match="ROLLGUARD_URL") as raised:
        Console(url)
    assert "secret" not in str(raised.value)


def test_a_token_that_fits_into_no_header() -> None:
    with pytest.raises(Misconfigured, match="ROLLGUARD_TOKEN"):
        Console("http://a", "a\nb")
