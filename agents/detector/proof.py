"""How detectors prove to each other who they are, without showing the secret that they share.

The address of another detector comes from the metadata of the consumer group, and whoever may join
the group announces an address of his choice. So a detector sends no token there. It sends a number
that is used once, and a code over this number, the address and the path, which only who has the
token can make. The answer has a code over the code of the question, the status and the body. Who
does not have the token can make no answer, and cannot use the question at another detector.
"""

import hashlib
import hmac
import secrets
from typing import Final, Self

from pydantic import SecretStr

_SCHEME: Final = "Rollguard-Detector"
ANSWER_HEADER: Final = "Rollguard-Proof"
"""The header of an answer that has its code."""


class Proof:
    """Makes and checks the codes with the token of the detectors."""

    def __init__(self, token: SecretStr) -> None:
        self._key = token.get_secret_value().encode()

    @classmethod
    def of(cls, token: SecretStr | None) -> Self | None:
        """Return the proof with this token; None without a token."""
        return None if token is None else cls(token)

    def of_question(self, url: str, raw_path: str) -> str:
        """Return the header ``Authorization`` of a new question to the detector at ``url``."""
        number = secrets.token_hex(16)
        return f"{_SCHEME} {number} {self._code('question', number, url, raw_path)}"

    def is_question(self, authorization: str, url: str, raw_path: str) -> bool:
        """Return whether this header belongs to a detector's question to the one at ``url``."""
        scheme, _, rest = authorization.partition(" ")
        number, _, code = rest.partition(" ")
        expected = self._code("question", number, url, raw_path)
        return scheme == _SCHEME and _is_equal(code, expected)

    def of_answer(self, authorization: str, status: int, body: bytes) -> str:
        """Return the code of the answer to the question with this header."""
        return self._code("answer", authorization, str(status), hashlib.sha256(body).hexdigest())

    def is_answer(self, code: str, authorization: str, status: int, body: bytes) -> bool:
        """Return whether this is the code of the answer to that question."""
        return _is_equal(code, self.of_answer(authorization, status, body))

    def _code(self, *parts: str) -> str:
        text = "\n".join(parts).encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _is_equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
