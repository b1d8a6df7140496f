"""A page as an answer; and the answer to a form: back to a page, which says what came of it."""

from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.admission.admissions import admissions_of
from console.admission.visitor import Visitor, known_visitor, visitor_of
from console.pages.rendering.environment import TEMPLATES

Kind = Literal["good", "bad"]
NAVIGATION: Final = (
    ("/tools", "Tools"),
    ("/rollbacks", "Rollbacks"),
    ("/holds", "What waits"),
    ("/dead-letters", "Dead letters"),
    ("/system", "System"),
    ("/activity", "Activity"),
)
THEMES: Final = ("light", "dark")
_NOTICE_S: Final = 60
_MAX_NOTICE_BYTES: Final = 2_000


class Notice(NamedTuple):
    """What came of a change; a page shows it once."""

    kind: Kind
    text: str


class Frame(NamedTuple):
    """What the layout of each page shows around it."""

    visitor: Visitor | None
    here: str
    """The path and the query of the page."""
    section: str
    """The path of the part of the navigation that the page belongs to."""
    theme: str
    """``light``, ``dark``, or ``""`` as the browser likes it."""
    notice: Notice | None
    now: datetime
    navigation: tuple[tuple[str, str], ...] = NAVIGATION


def page(request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    """Return the page of a template. Its values are ``frame``, and those that are given."""
    is_whole = "HX-Request" not in request.headers
    notice = _notice(request) if is_whole else None
    frame = _frame(request, notice)
    html = TEMPLATES.get_template(template).render(frame=frame, now=frame.now, **values)
    answer = Response(html, status, {"Cache-Control": "no-store"}, "text/html; charset=utf-8")
    if notice is not None:
        admissions_of(request).cookies.remove(request.headers, answer, "notice")
    return answer


def back_to(request: Request, path: str, text: str, kind: Kind = "good") -> Response:
    """Return the answer to a form: the browser goes to a page, which shows the text once."""
    answer = RedirectResponse(path, 303, {"Cache-Control": "no-store"})
    values = {"kind": kind, "text": _cut(text)}
    sealed = admissions_of(request).sessions.sealed(values, visitor_of(request))
    admissions_of(request).cookies.put(request.headers, answer, "notice", sealed, _NOTICE_S)
    return answer


def _frame(request: Request, notice: Notice | None) -> Frame:
    theme = admissions_of(request).cookies.read(request.headers, "theme") or ""
    return Frame(
        visitor=known_visitor(request),
        here=_here(request),
        section="/" + str(request.scope["path"]).split("/")[1],
        theme=theme if theme in THEMES else "",
        notice=notice,
        now=datetime.now(UTC),
    )


def _here(request: Request) -> str:
    """Return the address that shows this page again; ``/`` for the answer to a form."""
    path, query = str(request.scope["path"]), request.url.query
    if request.method != "GET":
        return "/"
    return f"{path}?{query}" if query else path


def _notice(request: Request) -> Notice | None:
    visitor = known_visitor(request)
    sealed = admissions_of(request).cookies.read(request.headers, "notice")
    if visitor is None or sealed is None:
        return None
    values = admissions_of(request).sessions.unsealed(sealed, visitor)
    if values is None:
        return None
    return Notice("good" if values["kind"] == "good" else "bad", values["text"])


def _cut(text: str) -> str:
    """Return a text that fits into a cookie."""
    data = text.encode("utf-8", "replace")
    if len(data) <= _MAX_NOTICE_BYTES:
        return data.decode()
    return data[:_MAX_NOTICE_BYTES].decode(errors="ignore") + "…"
