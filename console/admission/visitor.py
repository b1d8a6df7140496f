"""Who asks the console: a name, and what this visitor may do."""

from contextvars import ContextVar
from typing import Final, Literal, NamedTuple

from starlette.requests import HTTPConnection
from starlette.types import Scope

BY: Final = "console"
"""Who changes something, if nobody says it."""
Role = Literal["operator", "viewer"]
"""An ``operator`` may do everything, a ``viewer`` may read."""
Admission = Literal["open", "token", "session", "proxy"]
"""How somebody was admitted. ``open``: there is no token, so whoever uses this machine is admitted.
``token``: the request carries one. ``session``: by the cookie of somebody who logged in. ``proxy``:
an authenticating proxy says who it is."""


_KNOWN_NAME: Final[ContextVar[str | None]] = ContextVar("_KNOWN_NAME", default=None)
"""The name of who asks, if it is known. So no request can say that somebody else orders it, however
its body is built."""


class Visitor(NamedTuple):
    """Who asks."""

    name: str
    role: Role
    admission: Admission
    csrf: str
    """What a form must carry to change something; no other site knows it."""

    @property
    def may_change(self) -> bool:
        """Whether this visitor may change something."""
        return self.role == "operator"

    @property
    def is_known(self) -> bool:
        """Whether somebody has said who this is: otherwise a request itself names who orders it."""
        return self.admission in ("session", "proxy")


def admit(scope: Scope, visitor: Visitor) -> None:
    """Let the routes know who asks."""
    scope["state"]["visitor"] = visitor
    _KNOWN_NAME.set(visitor.name if visitor.is_known else None)


def visitor_of(request: HTTPConnection) -> Visitor:
    """Return who asks. There is always somebody where ``Access`` has let a request through."""
    visitor: Visitor = request.state.visitor
    return visitor


def known_visitor(request: HTTPConnection) -> Visitor | None:
    """Return who asks; None if nobody was admitted, as on the page on which people log in."""
    return getattr(request.state, "visitor", None)


def person(given: str) -> str:
    """Return who orders something: who is known to ask now, otherwise who is ``given``."""
    return _KNOWN_NAME.get() or given
