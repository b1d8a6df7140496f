"""How much of an answer is read."""

from typing import Final

import aiohttp

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""The states of 90,000 tools whose names have 24 characters."""


class TooLong(Exception):
    """An answer does not end within ``MAX_ANSWER_BYTES``."""


async def read_limited(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body of an answer as it was sent. Raises TooLong."""
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise TooLong
    return bytes(body)
