"""Questions to a detector over HTTP. Only the answer of a detector of this system is believed."""

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from agents.asking.answer_limit import MAX_ANSWER_BYTES, TooLong, read_limited
from schemas.errors import Misconfigured, Missing, Retryable
from schemas.identity import Identity
from schemas.settings import Settings
from streams.admin import cluster_id_of, kafka_admin

_KAFKA_S: Final = 10.0
"""How long Kafka may take to say which cluster it is."""


async def ask_detector(
    settings: Settings, raw_path: str, unchecked: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Return the JSON with which a detector answers to one question, as ``DetectorClient.ask``."""
    async with DetectorClient(settings) as detector:
        return await detector.ask(raw_path, unchecked)


class DetectorClient:
    """Asks the detector of the settings: ``async with DetectorClient(settings) as detector``.

    It keeps what it knows of our cluster, so that many questions need Kafka only once.
    """

    def __init__(self, settings: Settings, *, wait_s: float | None = None) -> None:
        self._settings = settings
        self._timeout = aiohttp.ClientTimeout(total=wait_s or settings.wait_s)
        self._cluster_id: str | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(
        self, raw_path: str, unchecked: Callable[[str], None] | None = None
    ) -> dict[str, Any]:
        """Return the JSON with which a detector answers; ``raw_path`` is percent-encoded.

        The answer must come from a detector of the cluster and of the topic prefix that the
        settings name. If Kafka cannot be asked for its cluster, that is an error; with
        ``unchecked`` the answer is returned, and ``unchecked`` is called with why. Raises

        * Missing if the detector says that there is no such thing (404),
        * Retryable('detector') if no detector can answer now, Retryable('Kafka') as said above,
        * Misconfigured if somebody else answers at ``detector_url``, or if the detector wants
          another ``web_token`` than ours.
        """
        settings = self._settings
        status, headers, body = await _ask(self._session, settings, raw_path)
        identity = _require_detector(settings, status, headers)
        try:
            self._cluster_id = self._cluster_id or await _cluster_id(settings)
            _require_system(settings, identity, self._cluster_id)
        except Retryable as cause:
            if unchecked is None:
                raise
            _require_system(settings, identity, identity.cluster_id)
            unchecked(f"not checked that {settings.detector_url} belongs to this Kafka: {cause}")
        if status == HTTPStatus.OK and isinstance(body, dict):
            return body
        has_error = isinstance(body, dict) and "error" in body
        error = str(body["error"] if has_error else f"HTTP {status}")
        if status == HTTPStatus.NOT_FOUND:
            raise Missing(error)
        raise Retryable("detector", error)


async def _ask(
    session: aiohttp.ClientSession, settings: Settings, raw_path: str
) -> tuple[int, Mapping[str, str], Any]:
    """Return status, headers and JSON of the answer; no JSON is None."""
    url = URL(settings.detector_url.rstrip("/") + raw_path, encoded=True)
    headers = settings.web_headers() | {"Accept-Encoding": "identity"}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            text = await read_limited(answer)
    except TooLong:
        raise Misconfigured(
            f"{settings.detector_url} answers more than {MAX_ANSWER_BYTES} bytes, which is not "
            "read: is ROLLGUARD_DETECTOR_URL the address of a detector?"
        ) from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Retryable(
            "detector",
            f"{settings.detector_url} does not answer ({type(error).__name__}): is a detector "
            "running, and is ROLLGUARD_DETECTOR_URL its address?",
        ) from error
    try:
        return answer.status, answer.headers, json.loads(text)
    except (ValueError, RecursionError):
        return answer.status, answer.headers, None


def _require_detector(settings: Settings, status: int, headers: Mapping[str, str]) -> Identity:
    """Return which detector answers. Raises if it wants another token, or if it is no detector."""
    if status == HTTPStatus.UNAUTHORIZED:
        raise _token_error(settings)
    identity = Identity.of_headers(headers)
    if identity is None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Retryable("detector", f"{settings.detector_url} answers with HTTP {status}")
    if identity is None or identity.role != "detector":
        who = "another program" if identity is None else f"the {identity}"
        raise Misconfigured(
            f"at {settings.detector_url} answers {who}, not a detector: is ROLLGUARD_DETECTOR_URL "
            "the address of a detector, and of this version?"
        )
    if not identity.cluster_id:
        raise Retryable("detector", f"{settings.detector_url} has not reached Kafka yet")
    return identity


def _require_system(settings: Settings, identity: Identity, cluster_id: str) -> None:
    """Raise Misconfigured if the detector belongs to another system than ``settings`` name."""
    if identity.is_of_system(cluster_id, settings.topic_prefix):
        return
    raise Misconfigured(
        f"at {settings.detector_url} answers the {identity}: it belongs to another system than "
        f"ours (cluster {cluster_id}, prefix {settings.topic_prefix!r}); set ROLLGUARD_DETECTOR_URL"
    )


async def _cluster_id(settings: Settings) -> str:
    """Return the id of the cluster of our brokers. Raises Retryable('Kafka'), Misconfigured."""
    try:
        async with asyncio.timeout(min(_KAFKA_S, settings.wait_s)), kafka_admin(settings) as admin:
            return await cluster_id_of(admin)
    except TimeoutError:
        raise Retryable("Kafka", "no answer") from None


def _token_error(settings: Settings) -> Misconfigured:
    if settings.web_token:
        return Misconfigured(
            f"{settings.detector_url} wants another ROLLGUARD_WEB_TOKEN than is set here"
        )
    return Misconfigured(f"{settings.detector_url} wants a token: set ROLLGUARD_WEB_TOKEN")
