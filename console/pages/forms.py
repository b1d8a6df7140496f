"""The common part of the forms of all pages: each is confirmed, and says what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple
from uuid import UUID, uuid4

from fastapi import Depends, Form, Request
from pydantic import AfterValidator
from starlette.responses import Response

from console.admission.visitor import visitor_of
from console.api.parameters import id_of
from console.pages.rendering.answers import back_to
from rollguard.value_texts import time_text
from schemas.errors import Retryable, RollguardError
from schemas.fields import storable
from schemas.stops import MAX_REASON


class Result(NamedTuple):
    """What came of an order, in words, and whether something was changed."""

    text: str
    is_done: bool = True


Key = Annotated[str, Form(max_length=64)]
"""Makes a form that is sent twice count once."""
Reason = Annotated[str, AfterValidator(storable), Form(max_length=MAX_REASON)]
Confirmed = Annotated[str, Form(max_length=10)]
Hours = Annotated[str, Form(max_length=6, pattern=r"^\s*[0-9]{0,5}\s*$")]
"""For how many hours; nothing is until somebody ends it."""
_NOT_CONFIRMED: Final = "Nothing was changed: tick the box that confirms it."
_NO_REASON: Final = "Nothing was changed: give a reason."
_UNCERTAIN: Final = "It may still be carried out: see what happened before you order it again."


@dataclass(frozen=True)
class _StopForm:
    """The fields of the form by which a stop begins."""

    reason: Reason = ""
    hours: Hours = ""
    confirmed: Confirmed = ""


StopForm = Annotated[_StopForm, Depends()]


def new_key() -> str:
    """Return a key for the forms of a page."""
    return uuid4().hex


def command_id_of(key: str, tool: str) -> UUID:
    """Return the id of the command that a form orders; the same form has the same."""
    return id_of(key or None, tool, "rollback") or uuid4()


def end_of(hours: str) -> datetime | None:
    """Return when a stop ends; None if it ends when somebody ends it."""
    number = int(hours) if hours.strip() else 0
    return datetime.now(UTC) + timedelta(hours=number) if number else None


async def begun(
    request: Request,
    path: str,
    form: _StopForm,
    begin: Callable[[str, str, datetime | None], Awaitable[object]],
    done: str,
) -> Response:
    """Begin a stop, for a reason, in the name of who asks, until a time; say that it is done.

    ``{until}`` in ``done`` is until when it lasts.
    """

    async def order() -> Result:
        until = end_of(form.hours)
        await begin(form.reason, visitor_of(request).name, until)
        return Result(done.format(until="" if until is None else f" until {time_text(until)}"))

    return await ordered(request, path, form.confirmed, form.reason, order)


async def ended(
    request: Request,
    path: str,
    confirmed: str,
    end: Callable[[str], Awaitable[object]],
    done: str,
) -> Response:
    """End a stop in the name of who asks, and say that it is done."""

    async def order() -> Result:
        await end(visitor_of(request).name)
        return Result(done)

    return await ordered(request, path, confirmed, None, order)


async def ordered(
    request: Request,
    path: str,
    confirmed: str,
    reason: str | None,
    order: Callable[[], Awaitable[Result]],
) -> Response:
    """Carry out an order, and lead back to the page, which says what came of it.

    Nothing is ordered without the confirmation, or with an empty reason; None is no reason where
    none is needed.
    """
    if not confirmed:
        return back_to(request, path, _NOT_CONFIRMED, "bad")
    if reason is not None and not reason.strip():
        return back_to(request, path, _NO_REASON, "bad")
    try:
        result = await order()
    except Retryable as error:
        return back_to(request, path, f"{error}. {_UNCERTAIN}", "bad")
    except RollguardError as error:
        return back_to(request, path, f"Nothing was changed: {error}", "bad")
    return back_to(request, path, result.text, "good" if result.is_done else "bad")
