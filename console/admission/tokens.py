"""The tokens of the console, and how many wrong ones somebody may try."""

from typing import Final

from agents.worker.http.access import Token
from console.admission.guesses import Guesses
from console.admission.refused import Refused
from console.admission.visitor import Role
from schemas.settings import Settings

_RETRY_S: Final = 60


class Tokens:
    """Says what a token allows."""

    def __init__(self, settings: Settings) -> None:
        self._tokens: tuple[tuple[Role, Token], ...] = (
            ("operator", Token(settings.web_token)),
            ("viewer", Token(settings.web_viewer_token)),
        )
        self._guesses = Guesses()
        self.are_set = settings.web_token is not None
        """Whether anything is protected by a token."""

    def role_of(self, authorization: str, address: str) -> Role | None:
        """Return whose token a header ``Authorization`` has; None if it is wrong.

        Refused if too many wrong ones came from this address: then it is not looked at.
        """
        if self._guesses.is_known_wrong(address, authorization):
            return None
        if not self._guesses.may_guess(address):
            detail = "too many wrong tokens came from your address; wait a minute"
            raise Refused(429, detail, Retry_After=str(_RETRY_S))
        rights = [role for role, token in self._tokens if token.is_given(authorization)]
        if not rights:
            self._guesses.note_wrong(address, authorization)
            return None
        return rights[0]
