"""Answers with an entity tag, so that who has asked before may get 304."""

import json
import re
from hashlib import blake2b
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from rollguard.printing import json_text

_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def answered(request: Request, data: Any, status: int = 200) -> Response:
    """Return the answer to a question: this JSON, or 304 if the client has it already."""
    body = json_text(data).encode()
    tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _has(", ".join(request.headers.getlist("If-None-Match")), tag):
        return Response(None, 304, headers)
    return Response(body, status, headers, "application/json")


def done(data: Any, status: int = 200, **headers: str) -> Response:
    """Return the answer to a change."""
    return Response(json_text(data).encode(), status, headers, "application/json")


def plain(data: Any) -> Any:
    """Return what JSON says of the data."""
    return json.loads(json_text(data))


def _has(given: str, tag: str) -> bool:
    """Return whether a header ``If-None-Match`` names this tag."""
    return given.strip() == "*" or tag in _TAG.findall(given)
