"""What the routes need of whoever lets a request in: cookies, sessions and tokens."""

from typing import NamedTuple

from starlette.requests import HTTPConnection

from console.admission.cookies import Cookies
from console.admission.guesses import Guesses
from console.admission.proxy import Proxy
from console.admission.sessions import Sessions
from console.admission.tokens import Tokens
from schemas.settings import Settings


class Admissions(NamedTuple):
    """How visitors are known."""

    cookies: Cookies
    sessions: Sessions
    tokens: Tokens
    proxy: Proxy

    @classmethod
    def of(cls, settings: Settings) -> "Admissions":
        """Return those of a console."""
        guesses = Guesses()
        tokens, proxy = Tokens(settings, guesses), Proxy(settings.proxy, guesses)
        return cls(Cookies(settings), Sessions(settings), tokens, proxy)


def admissions_of(request: HTTPConnection) -> Admissions:
    """Return those of the console that was asked."""
    found: Admissions = request.state.admissions
    return found


def address_of(request: HTTPConnection) -> str:
    """Return the address that a request comes from; "" if it is not known."""
    return request.client.host if request.client else ""
