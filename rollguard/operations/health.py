"""The health of a tool's current version, asked of the detector over HTTP."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.settings import Settings


async def health_of(settings: Settings, tool: str) -> dict[str, Any]:
    """Return the windows of the tool's current version, and what the rules say of them.

    Any detector can be asked: it passes the question on to the one that owns the tool. Raises

    * Rejected if the tool was never activated,
    * Retryable('detector') if no detector can answer now,
    * Misconfigured if the detector wants another ``web_token`` than ours.
    """
    if not tool:
        raise Rejected("tool: an empty name is not the name of a tool")
    url = f"{settings.detector_url.rstrip('/')}/tools/{quote(tool, safe='')}/health"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=settings.wait_s)) as session,
            session.get(URL(url, encoded=True), headers=settings.web_headers()) as answer,
        ):
            status = answer.status
            if status == HTTPStatus.UNAUTHORIZED:
                raise _token_error(settings)
            body: dict[str, Any] = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Retryable(
            "detector",
            f"{settings.detector_url} does not answer ({type(error).__name__}): is a detector "
            "running, and is ROLLGUARD_DETECTOR_URL its address?",
        ) from error
    if status == HTTPStatus.NOT_FOUND:
        raise Rejected(body["error"])
    if status != HTTPStatus.OK:
        raise Retryable("detector", body.get("error", f"HTTP {status}"))
    return body


def _token_error(settings: Settings) -> Misconfigured:
    if settings.web_token:
        return Misconfigured(
            f"{settings.detector_url} wants another ROLLGUARD_WEB_TOKEN than is set here"
        )
    return Misconfigured(f"{settings.detector_url} wants a token: set ROLLGUARD_WEB_TOKEN")
