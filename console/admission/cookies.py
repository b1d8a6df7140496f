"""The cookies of the console: what each is for, and how a browser must treat it."""

from http.cookies import CookieError, SimpleCookie
from typing import Final, Literal

from starlette.datastructures import Headers
from starlette.responses import Response

from schemas.settings import Settings

Cookie = Literal["session", "notice", "theme"]
"""``session``: who has logged in. ``notice``: what came of a change, shown once. ``theme``: light
or dark."""
_MOST_BYTES: Final = 8_192


class Cookies:
    """Reads and sets the cookies.

    They are ``SameSite=Lax``, not ``Strict``: somebody who follows a link in a chat or in a mail
    must not have to log in again. Nothing is changed by following a link. Behind TLS they are
    ``Secure`` and have the prefix ``__Host-``, so that no other host of the domain can set them.
    """

    def __init__(self, settings: Settings) -> None:
        self._is_https = (settings.console_url or "").lower().startswith("https:")

    def read(self, headers: Headers, cookie: Cookie) -> str | None:
        """Return the value of a cookie; None without it."""
        values: SimpleCookie = SimpleCookie()
        name = self._name(headers, cookie)
        for given in headers.getlist("Cookie"):
            for part in given[:_MOST_BYTES].split(";"):
                if part.strip().partition("=")[0] == name:
                    try:
                        values.load(part.strip())
                    except CookieError:
                        continue
        return values[name].value if name in values else None

    def put(
        self, headers: Headers, answer: Response, cookie: Cookie, value: str, lasts_s: int | None
    ) -> None:
        """Let the browser keep a cookie; without ``lasts_s`` until it is closed."""
        answer.set_cookie(
            self._name(headers, cookie),
            value,
            max_age=lasts_s,
            path="/",
            secure=self._is_secure(headers),
            httponly=True,
            samesite="lax",
        )

    def remove(self, headers: Headers, answer: Response, cookie: Cookie) -> None:
        """Let the browser forget a cookie."""
        self.put(headers, answer, cookie, "", 0)

    def _name(self, headers: Headers, cookie: Cookie) -> str:
        return f"{'__Host-' if self._is_secure(headers) else ''}rollguard-{cookie}"

    def _is_secure(self, headers: Headers) -> bool:
        """Return whether the browser reaches the console by TLS.

        Anybody may send this header. It can only lead to other names of the cookies, in the answer
        to whoever sends it.
        """
        return self._is_https or headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
