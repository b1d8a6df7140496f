"""The other detectors of this system, which own the other partitions of the table."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import aiohttp
from yarl import URL

from agents.asking.answer_limit import TooLong, read_limited
from agents.detector.proof import ANSWER_HEADER, Proof
from schemas.configuration.web_address import host_of, is_allowed
from schemas.identity import Identity
from schemas.settings import Settings

FORWARDED: Final = "X-Rollguard-Forwarded"
"""A header of requests that a detector passes on, so that they are passed on only once."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_STATUSES: Final = (HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
"""The statuses of a detector's answers."""


class Answer(NamedTuple):
    """The answer of another detector."""

    status: int
    body: dict[str, Any]


class NoAnswer(Exception):
    """No detector of this system answers at an address; the text says so."""


class OtherDetectors:
    """Asks other detectors, and believes only those of the same system.

    Whoever may join the consumer group chooses the address that is asked. So only the hosts that
    the settings allow are asked, nothing secret is sent, and an answer is believed only with its
    proof.
    """

    def __init__(self, settings: Settings, identity: Identity, url: str) -> None:
        self._identity = identity
        self._allowed = settings.detector_hosts
        self._own_host = host_of(url)
        self._proof = Proof.of(settings.detector_token)
        self._needs_proof = settings.web_token is not None
        self._client = aiohttp.ClientSession(
            timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def ask(self, url: str, raw_path: str) -> Answer:
        """Return the answer of the detector at ``url`` to this path. Raises NoAnswer."""
        host = host_of(url)
        if host is None or not (host == self._own_host or is_allowed(host, self._allowed)):
            raise NoAnswer(f"{url} is not asked: ROLLGUARD_DETECTOR_HOSTS does not allow its host")
        if self._needs_proof and self._proof is None:
            raise NoAnswer(f"{url} is not asked: set ROLLGUARD_DETECTOR_TOKEN on all detectors")
        headers = {FORWARDED: "1", "Accept-Encoding": "identity"}
        if self._proof is not None:
            headers["Authorization"] = self._proof.of_question(url, raw_path)
        try:
            async with self._client.get(
                URL(url + raw_path, encoded=True), headers=headers, allow_redirects=False
            ) as answer:
                return await self._believed(answer, url, headers.get("Authorization"))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(
                f"the worker at {url} does not answer: {type(error).__name__}"
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _believed(
        self, answer: aiohttp.ClientResponse, url: str, authorization: str | None
    ) -> Answer:
        """Return the answer if a detector of this system has given it. Raises NoAnswer."""
        if not self._is_of_our_system(answer.headers) or answer.status not in _STATUSES:
            raise NoAnswer(f"at {url} answers no detector of this system")
        try:
            body = await read_limited(answer)
        except TooLong:
            raise NoAnswer(f"the answer of {url} is too long") from None
        if self._proof is not None and authorization is not None:
            code = answer.headers.get(ANSWER_HEADER, "")
            if not self._proof.is_answer(code, authorization, answer.status, body):
                raise NoAnswer(f"at {url} answers nobody who has our ROLLGUARD_DETECTOR_TOKEN")
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise NoAnswer(f"at {url} answers no detector of this system")
        return Answer(answer.status, content)

    def _is_of_our_system(self, headers: Mapping[str, str]) -> bool:
        """Return whether a detector with our table has sent these headers."""
        theirs, ours = Identity.of_headers(headers), self._identity
        if theirs is None or theirs.role != ours.role:
            return False
        return theirs.is_of_system(ours.cluster_id, ours.topic_prefix)
