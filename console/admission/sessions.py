"""Sessions: who has logged in, in a cookie that every console with the same token can verify.

A cookie is signed with a key that follows from the token by which its owner logged in. So nothing
is stored, and another token ends all sessions. Whoever has a cookie could try tokens until one
gives its signature; the key is slow to compute (scrypt), so that this takes long.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import scrypt
from typing import Final, NamedTuple

from pydantic import SecretStr

from console.admission.visitor import Admission, Role, Visitor
from schemas.settings import Settings

LASTS_S: Final = 12 * 3600
"""How long a session lasts, in seconds: as long as a shift."""
MAX_COOKIE: Final = 4_000
"""Browsers keep no longer cookies."""
_ROLES: Final[tuple[Role, ...]] = ("operator", "viewer")


class Session(NamedTuple):
    """Who has logged in, and until when (seconds since the epoch)."""

    name: str
    role: Role
    expires: int
    nonce: str
    """Makes each session, and so what its forms carry, different."""


class Sessions:
    """Makes and verifies sessions, and what forms carry."""

    def __init__(self, settings: Settings) -> None:
        tokens = {"operator": settings.web_token, "viewer": settings.web_viewer_token}
        self._keys: dict[Role, bytes] = {
            role: _key_of(token, role) for role in _ROLES if (token := tokens[role]) is not None
        }
        if not self._keys:  # then there is one console, for this machine, and it knows only names
            self._keys["operator"] = secrets.token_bytes(32)
        self._own = self._keys["operator"]

    def opened(self, name: str, role: Role, now: float) -> str:
        """Return the cookie of a new session."""
        session = Session(name, role, int(now) + LASTS_S, secrets.token_urlsafe(9))
        body = _encoded(_json(session))
        return f"{body}.{_signature(self._keys[role], 'session', body)}"

    def visitor(self, cookie: str, now: float) -> Visitor | None:
        """Return whose session a cookie is; None if it is none of ours, or is over."""
        if len(cookie) > MAX_COOKIE or not cookie.isascii():
            return None
        body, _, signature = cookie.rpartition(".")
        for role, key in self._keys.items():
            if hmac.compare_digest(_signature(key, "session", body), signature):
                session = Session(*json.loads(_decoded(body)))
                if session.role != role or session.expires <= now:
                    return None
                return Visitor(session.name, role, "session", _signature(key, "form", body))
        return None

    def without_cookie(self, name: str, role: Role, admission: Admission) -> Visitor:
        """Return a visitor who is known without a session, such as by a proxy."""
        about = _json([name, role, admission]).decode()
        return Visitor(name, role, admission, _signature(self._own, "form", about))

    def sealed(self, values: Mapping[str, str], visitor: Visitor) -> str:
        """Return values as a cookie that counts for this visitor alone."""
        body = _encoded(_json(dict(values)))
        return f"{body}.{_signature(self._own, f'sealed {visitor.csrf}', body)}"

    def unsealed(self, cookie: str, visitor: Visitor) -> dict[str, str] | None:
        """Return the values that ``sealed`` was given; None if they are not for this visitor."""
        body, _, signature = cookie.rpartition(".")
        expected = _signature(self._own, f"sealed {visitor.csrf}", body)
        if not cookie.isascii() or not hmac.compare_digest(expected, signature):
            return None
        values: dict[str, str] = json.loads(_decoded(body))
        return values


def _key_of(token: SecretStr, role: Role) -> bytes:
    """Return the key that follows from a token; another role has another key."""
    salt = f"rollguard console session 1 {role}".encode()
    return scrypt(token.get_secret_value().encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def _json(value: object) -> bytes:
    """Return JSON that is short also for other alphabets: a cookie has some 4,000 bytes."""
    return json.dumps(value, ensure_ascii=False).encode()


def _signature(key: bytes, purpose: str, text: str) -> str:
    return _encoded(hmac.digest(key, f"{purpose}\n{text}".encode(), "sha256"))


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
