"""The other detectors of this system, which own the other partitions of the table."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from schemas.identity import Identity
from schemas.settings import Settings

FORWARDED: Final = "X-Rollguard-Forwarded"
"""A header of requests that a detector passes on, so that they are passed on only once."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


class Answer(NamedTuple):
    """The answer of another detector."""

    status: int
    content_type: str
    body: bytes


class NoAnswer(Exception):
    """No detector of this system answers at an address; the text says so."""


class OtherDetectors:
    """Asks other detectors, and believes only those of the same system."""

    def __init__(self, settings: Settings, identity: Identity) -> None:
        self._identity = identity
        self._client = aiohttp.ClientSession(timeout=_TIMEOUT, headers=settings.web_headers())

    async def ask(self, url: str, raw_path: str) -> Answer:
        """Return the answer of the detector at ``url`` to this path. Raises NoAnswer."""
        try:
            async with self._client.get(
                URL(url + raw_path, encoded=True), headers={FORWARDED: "1"}
            ) as answer:
                if not self._is_of_our_system(answer.headers):
                    raise NoAnswer(f"at {url} answers no detector of this system")
                return Answer(answer.status, answer.content_type, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(
                f"the worker at {url} does not answer: {type(error).__name__}"
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _is_of_our_system(self, headers: Mapping[str, str]) -> bool:
        """Return whether a detector with our table has sent these headers."""
        theirs, ours = Identity.of_headers(headers), self._identity
        if theirs is None or theirs.role != ours.role:
            return False
        return theirs.is_of_system(ours.cluster_id, ours.topic_prefix)
