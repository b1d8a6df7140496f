"""Who asks the console: a name, and what this visitor may do."""

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
    def is_person(self) -> bool:
        """Whether the name is that of a person; a request with a token names who orders it."""
        return self.admission != "token"


def admit(scope: Scope, visitor: Visitor) -> None:
    """Let the routes know who asks."""
    scope["state"]["visitor"] = visitor


def visitor_of(request: HTTPConnection) -> Visitor:
    """Return who asks. There is always somebody where ``Access`` has let a request through."""
    visitor: Visitor = request.state.visitor
    return visitor


def known_visitor(request: HTTPConnection) -> Visitor | None:
    """Return who asks; None if nobody was admitted, as on the page on which people log in."""
    return getattr(request.state, "visitor", None)
