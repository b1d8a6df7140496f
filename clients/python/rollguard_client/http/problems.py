"""What an answer of a console means if it is no success: the errors of Rollguard."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from rollguard_client.errors import (
    Misconfigured,
    Missing,
    Rejected,
    Retryable,
    RollguardError,
)

MEDIA_TYPE: Final = "application/problem+json"
NO_SUCH_PATH: Final = "urn:rollguard:problem:no-such-path"
_MISCONFIGURED: Final = "urn:rollguard:problem:misconfigured"
_MOST_DETAIL: Final = 4_000


class Said(NamedTuple):
    """An answer: its status, its headers by their names in lower case, and its JSON (or None)."""

    status: int
    headers: Mapping[str, str]
    data: Any


def error_of(url: str, path: str, answer: Said, has_token: bool) -> RollguardError:
    """Return the error that an answer stands for. ``url`` is the address of the console."""
    if 300 <= answer.status < 400:
        to = answer.headers.get("location", "")[:200]
        return Misconfigured(
            f"{url} answers with a redirect to {to!r}, which is not followed, so that nobody else "
            "gets the token: set ROLLGUARD_URL to the console's own address"
        )
    problem = _problem_of(answer)
    if problem is None:
        return _of_no_console(url, answer.status)
    detail = str(problem.get("detail", ""))[:_MOST_DETAIL]
    kind = problem.get("type")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        wants = "another ROLLGUARD_TOKEN" if has_token else "a token: set ROLLGUARD_TOKEN"
        return Misconfigured(f"{url} wants {wants}")
    if kind == NO_SUCH_PATH or answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Misconfigured(
            f"{url} does not know {path}: is the console of an older version than this program?"
        )
    if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST):
        return Misconfigured(f"{url}: {detail}")
    if answer.status == HTTPStatus.NOT_FOUND:
        return Missing(detail)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retryable("console", detail)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _of_server(kind, problem.get("part"), detail)
    return Rejected(_faults(problem) or detail)


def _of_server(kind: object, part: object, detail: str) -> RollguardError:
    if kind == _MISCONFIGURED:
        return Misconfigured(detail)
    if isinstance(part, str):
        return Retryable(part, detail.removeprefix(f"{part}: "))
    return Retryable("console", detail)


def _problem_of(answer: Said) -> Mapping[str, Any] | None:
    """Return the problem details; None if the answer has none."""
    is_problem = answer.headers.get("content-type", "").startswith(MEDIA_TYPE)
    return answer.data if is_problem and isinstance(answer.data, dict) else None


def _of_no_console(url: str, status: int) -> RollguardError:
    if status in (
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    ):
        return Retryable("console", f"what stands before {url} answers with HTTP {status}")
    return no_console(url, f"HTTP {status}")


def no_console(url: str, what: str) -> Misconfigured:
    """Return the error for an answer that no console has given."""
    return Misconfigured(
        f"at {url} answers another program ({what}), not a console: is ROLLGUARD_URL its address, "
        "and does a proxy ask for a login?"
    )


def other_version(url: str, why: str) -> Misconfigured:
    """Return the error for an answer of a console that this program does not understand."""
    return Misconfigured(
        f"{url} answers what this program does not understand ({why[:300]}): is the console of "
        "another version?"
    )


def _faults(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with each field, as the command line says it."""
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return ""
    parts = []
    for each in errors:
        if not isinstance(each, dict):
            return ""
        place, _, field = str(each.get("field")).partition(".")
        parts.append(f"{field or place}: {each.get('error')}")
    return "; ".join(parts)[:_MOST_DETAIL]
