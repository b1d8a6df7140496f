"""Logging in with a token, logging out, and light or dark."""

from time import time
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from console.admission.admissions import address_of, admissions_of
from console.admission.paths import LOGIN, own_path
from console.admission.sessions import LASTS_S
from console.admission.visitor import Role, known_visitor
from console.pages.rendering.answers import THEMES, page
from rollguard.person_name import valid_name
from schemas.errors import Rejected

log = structlog.get_logger()

router: Final = APIRouter()
_MAX_TOKEN: Final = 4_096
_THEME_LASTS_S: Final = 365 * 86_400


@router.get(LOGIN)
async def login_page(
    request: Request, following: Annotated[str | None, Query(alias="next")] = None
) -> Response:
    """Show the form that takes a name, and a token if there is one."""
    return _form(request, own_path(following))


@router.post(LOGIN)
async def login(
    request: Request,
    name: Annotated[str, Form()] = "",
    token: Annotated[str, Form(max_length=_MAX_TOKEN)] = "",
    following: Annotated[str | None, Form(alias="next")] = None,
) -> Response:
    """Begin a session, and lead to the page that was wanted."""
    known, wanted = admissions_of(request), own_path(following)
    try:
        name = valid_name(name.strip(), "name")
    except Rejected as error:
        return _form(request, wanted, name, str(error))
    if not name:
        return _form(request, wanted, name, "Say your name: what you change will have it.")
    role: Role | None = "operator"
    if known.tokens.are_set:
        role = known.tokens.role_of(f"Bearer {token.strip()}", address_of(request))
    if role is None:
        log.warning("login_refused", name=name, address=address_of(request))
        return _form(request, wanted, name, "This token is wrong.")
    log.info("logged_in", name=name, may=role, address=address_of(request))
    answer = _to(wanted)
    cookie = known.sessions.opened(name, role, time())
    known.cookies.put(request.headers, answer, "session", cookie, LASTS_S)
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    known = admissions_of(request)
    answer = _to(LOGIN)
    for cookie in ("session", "notice"):
        known.cookies.remove(request.headers, answer, cookie)
    return answer


@router.post("/theme")
async def theme(
    request: Request,
    theme: Annotated[str, Form()] = "",
    following: Annotated[str | None, Form(alias="next")] = None,
) -> Response:
    """Choose light, dark, or what the browser likes."""
    known, answer = admissions_of(request), _to(own_path(following))
    if theme in THEMES:
        known.cookies.put(request.headers, answer, "theme", theme, _THEME_LASTS_S)
    else:
        known.cookies.remove(request.headers, answer, "theme")
    return answer


def _form(request: Request, wanted: str, name: str = "", wrong: str | None = None) -> Response:
    """Return the form; with ``wrong``, what is wrong with what was sent."""
    return page(
        request,
        "login.html",
        200 if wrong is None else 422,
        wanted=wanted,
        name=name or _name_of(request),
        needs_token=admissions_of(request).tokens.are_set,
        wrong=wrong,
    )


def _name_of(request: Request) -> str:
    """Return the name by which somebody is known already."""
    visitor = known_visitor(request)
    return "" if visitor is None else visitor.name


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})
