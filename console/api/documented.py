"""The answers that the description of the API names for each route."""

from collections.abc import Mapping
from typing import Any, Final

from console.api.problems import MEDIA_TYPE, Problem

_ETAG: Final = {
    "ETag": {
        "description": "Send it back as `If-None-Match`: the answer is 304 if nothing changed.",
        "schema": {"type": "string"},
    }
}
_RETRY: Final = {
    "Retry-After": {"description": "Ask again after so many seconds.", "schema": {"type": "string"}}
}
_MEANINGS: Final[Mapping[int, str]] = {
    400: "The request is not HTTP, or its body is not JSON.",
    401: "A token is needed.",
    403: "The token may only read, or a page of somebody else asks.",
    404: "There is no such thing.",
    405: "The path does not allow this method.",
    408: "The body did not arrive in time.",
    409: "Nothing changed: `outcome` says why.",
    413: "The body is too large.",
    415: "The body has another content type than the route takes.",
    421: "The header `Host` is no name of the console.",
    422: "A parameter or the body is wrong: `errors` names each fault.",
    429: "Too many wrong tokens came from this address.",
    500: "A fault of the console.",
    503: "A part does not answer: `part` names it. What was ordered may still be carried out.",
}
_ALWAYS: Final = (400, 401, 403, 404, 405, 421, 422, 429, 500, 503)

Responses = dict[int | str, dict[str, Any]]


def asked(*more: int) -> Responses:
    """Return the answers of a route that reads; ``more`` are problems of its own."""
    return {
        200: {"headers": _ETAG},
        304: {"description": "Nothing changed since the `ETag` that was sent.", "headers": _ETAG},
        **_problems((*_ALWAYS, *more)),
    }


def changed(*more: int) -> Responses:
    """Return the answers of a route that changes something; ``more`` are problems of its own."""
    return _problems((*_ALWAYS, 408, 413, 415, *more))


def _problems(statuses: tuple[int, ...]) -> Responses:
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
            },
        }
        | ({"headers": _RETRY} if status in (429, 503) else {})
        for status in sorted(statuses)
    }
