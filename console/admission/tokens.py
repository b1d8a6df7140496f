"""The tokens of the console, and how many wrong ones somebody may try."""

from agents.worker.http.access import Token
from console.admission.guesses import Guesses
from console.admission.visitor import Role
from schemas.settings import Settings


class Tokens:
    """Says what a token allows."""

    def __init__(self, settings: Settings, guesses: Guesses) -> None:
        self._tokens: tuple[tuple[Role, Token], ...] = (
            ("operator", Token(settings.web_token)),
            ("viewer", Token(settings.web_viewer_token)),
        )
        self._guesses = guesses
        self.are_set = settings.web_token is not None
        """Whether anything is protected by a token."""

    def role_of(self, authorization: str, address: str) -> Role | None:
        """Return whose token a header ``Authorization`` has; None if it is wrong.

        Refused if too many wrong ones came from this address: then it is not looked at.
        """
        return self._guesses.looked_at(address, authorization, lambda: self._look(authorization))

    def _look(self, authorization: str) -> Role | None:
        rights = [role for role, token in self._tokens if token.is_given(authorization)]
        return rights[0] if rights else None
