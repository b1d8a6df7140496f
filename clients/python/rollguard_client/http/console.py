"""A console, and how it is asked: with a token, by a proxy if there is one, and with limits."""

import json
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from rollguard_client.errors import Misconfigured, Rejected, Retryable
from rollguard_client.http.problems import Said, error_of, no_console
from rollguard_client.settings.address import checked_token, checked_url, is_loopback
from rollguard_client.threads import in_thread
from rollguard_client.traces.current import current_trace_headers

PREFIX: Final = "/api/v1"
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
MARGIN_S: Final = 15.0
"""How much longer than the console waits for an outcome it is waited for."""
_DONE: Final = (200, 201, 202)
_PART: Final = 65_536


class Console:
    """A console, asked over HTTP. Each question has a connection of its own; any thread may ask.

    Redirects are not followed: the token is sent to this address alone. The variables
    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` hold, but not for an address of this machine;
    ``SSL_CERT_FILE`` names the authorities that are trusted instead of the system's.
    """

    def __init__(self, url: str, token: str | None = None, *, wait_s: float = 30.0) -> None:
        try:
            self.url = checked_url(url)
        except ValueError as error:
            raise Misconfigured(f"ROLLGUARD_URL {error}") from None
        try:
            self._token = checked_token(token) if token else None
        except ValueError as error:
            raise Misconfigured(f"ROLLGUARD_TOKEN {error}") from None
        self._wait_s = wait_s + MARGIN_S
        self._opener: OpenerDirector | None = None

    async def get(self, path: str, **query: Any) -> Any:
        """Return what ``GET`` answers; see ``ask``."""
        return (await in_thread(self.ask, "GET", path, query)).data

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        also: Sequence[int] = (),
        wait_s: float | None = None,
    ) -> Said:
        """Send an order, and return the answer; see ``ask``."""
        return await in_thread(self.ask, method, path, query, body, also, wait_s)

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        also: Sequence[int] = (),
        wait_s: float | None = None,
    ) -> Said:
        """Return the answer to one request below ``/api/v1``.

        Parameters of ``query`` that are None are left out; ``body`` is sent as JSON. An answer that
        is no success is raised as the error that it stands for, but not one with a status that
        ``also`` lists. Raises Missing, Rejected, Retryable and Misconfigured.
        """
        data = None if body is None else _json(body)
        request = self._request(method, path, query, data)
        until = time.monotonic() + (wait_s or self._wait_s)
        with closing(self._opened(request, wait_s or self._wait_s)) as response:
            answer = self._read(response, until)
        if isinstance(answer.data, dict) and answer.status in (*_DONE, *also):
            return answer
        if answer.status in _DONE:
            raise no_console(self.url, "no JSON")
        raise error_of(self.url, path, answer, self._token is not None)

    def opened(self, path: str, headers: Mapping[str, str], silence_s: float) -> HTTPResponse:
        """Return the answer to a question whose answer has no end; the caller closes it.

        ``silence_s``: after so long without a byte, reading raises TimeoutError.
        """
        request = self._request("GET", path, None, None, headers)
        response = self._opened(request, silence_s)
        if response.status == 200:
            return response
        with closing(response):
            answer = self._read(response, time.monotonic() + silence_s)
        raise error_of(self.url, path, answer, self._token is not None)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        data: bytes | None,
        more: Mapping[str, str] | None = None,
    ) -> Request:
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        address = self.url + PREFIX + path + (f"?{urlencode(given)}" if given else "")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"} | dict(more or {})
        if data is not None:
            headers["Content-Type"] = "application/json"
            headers |= {name: value.decode() for name, value in current_trace_headers()}
        request = Request(address, data, headers, method=method)  # noqa: S310 - it was checked
        request.add_unredirected_header("User-Agent", "rollguard-client")
        if self._token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        return request

    def _opened(self, request: Request, wait_s: float) -> HTTPResponse:
        if self._opener is None:
            self._opener = _opener(self.url)
        try:
            response: HTTPResponse = self._opener.open(request, timeout=wait_s)
        except HTTPError as error:
            return error  # type: ignore[return-value]  # it is a response, too
        except (OSError, HTTPException, ValueError) as error:
            raise self._not_answered(error, wait_s) from error
        return response

    def _read(self, response: HTTPResponse, until: float) -> Said:
        parts, size = [], 0
        try:
            while part := response.read(_PART):
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise no_console(self.url, f"more than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > until:
                    raise TimeoutError
        except (OSError, HTTPException) as error:
            raise self._not_answered(error, self._wait_s) from error
        try:
            data = json.loads(b"".join(parts)) if parts else None
        except (ValueError, RecursionError):
            data = None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Said(response.status, headers, data)

    def _not_answered(self, error: Exception, wait_s: float) -> Exception:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Misconfigured(
                f"the certificate of {self.url} is not trusted ({cause.verify_message}): "
                "SSL_CERT_FILE names other authorities"
            )
        if isinstance(cause, ssl.SSLError):
            return Misconfigured(f"{self.url} does not speak TLS ({cause.reason}): http://?")
        if isinstance(cause, TimeoutError):
            return Retryable(
                "console",
                f"{self.url} does not answer within {wait_s:g} s; an order may still be done",
            )
        text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return Retryable(
            "console",
            f"{self.url} does not answer ({text}): does a console run, and is ROLLGUARD_URL its "
            "address?",
        )


def in_path(text: str) -> str:
    """Return a text, such as the name of a tool, as a part of a path."""
    quoted = quote(text, safe="", errors="surrogatepass")
    return quoted.replace(".", "%2E") if set(text) == {"."} else quoted


def _opener(url: str) -> OpenerDirector:
    proxies = ProxyHandler({}) if is_loopback(url) else ProxyHandler()
    try:
        context = ssl.create_default_context()
    except OSError as error:
        raise Misconfigured(f"SSL_CERT_FILE: {error.strerror or error}") from None
    return build_opener(proxies, _NoRedirects(), HTTPSHandler(context=context))


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: it is an answer like any other."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _json(body: Any) -> bytes:
    """Return the body of a request. Rejected that names a field which is not JSON."""
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(body, Mapping):
            for name, value in body.items():
                _json_of(name, value)
        raise Rejected(f"a request is no JSON: {error}") from None


def _json_of(name: str, value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Rejected(f"{name}: {error}") from None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
