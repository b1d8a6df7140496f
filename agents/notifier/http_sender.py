"""The sending of a request, with limits on time, on size, and on where it may lead."""

import asyncio
import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import aiohttp
from yarl import URL

from agents.notifier.requests import Request
from policy.notifications.retrying import Answer, answer_of

ANSWER_S: Final = 10.0
"""How long an answer may take, connection included."""
_CONNECT_S: Final = 5.0
_MAX_BODY: Final = 4 * 1024
"""So much of an answer is read, and only for a test."""


class HttpSender:
    """Sends requests to one receiver. It follows no redirect and uses no proxy and no cookie."""

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Answer:
        """Send, and return what the answer means; an error is an answer, too."""
        answer, _ = await self._post(request, with_body=False)
        return answer

    async def send_and_read(self, request: Request) -> tuple[Answer, str]:
        """Send, and return the beginning of the answer's body, too."""
        return await self._post(request, with_body=True)

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, request: Request, *, with_body: bool) -> tuple[Answer, str]:
        url = URL(request.url, encoded=True)
        try:
            async with (
                asyncio.timeout(self._answer_s),
                self._opened().post(
                    url, data=request.body, headers=request.headers, allow_redirects=False
                ) as response,
            ):
                retry_after = response.headers.get("Retry-After")
                answer = answer_of(response.status, retry_after, datetime.now(UTC))
                return answer, await _beginning(response) if with_body else ""
        except TimeoutError:
            return Answer(False, f"no answer within {self._answer_s:g} s"), ""
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(False, _why(error)), ""

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Return the beginning of the body; what does not come in time is left out."""
    body = b""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(1.0):
            while len(body) < _MAX_BODY and (part := await response.content.read(_MAX_BODY)):
                body += part
    return body[:_MAX_BODY].decode(errors="replace")


def _why(error: Exception) -> str:
    """Return why there was no answer, without the address: it may be a secret."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "no TLS connection"
        case aiohttp.ServerTimeoutError():
            return f"no connection within {_CONNECT_S:g} s"
        case aiohttp.ClientConnectorError():
            return f"no connection{_reason(error.os_error)}"
        case OSError():
            return f"the connection broke{_reason(error)}"
    return type(error).__name__


def _reason(error: OSError) -> str:
    """Return the system's reason; its own text may contain the address."""
    return f": {os.strerror(error.errno)}" if error.errno else ""
