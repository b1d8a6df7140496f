"""The address of a console, and the token that is sent to it."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

_ODD: Final = re.compile(r"[^\x21-\x7e]|[\\?#<>\"|^`{}]")


def checked_url(url: str) -> str:
    """Return the address of a console, without a slash at its end.

    It is ``http://`` or ``https://``, a host, and maybe a port and a path. ValueError says what is
    wrong, and shows no password that may be in it.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is no address: give https://HOST") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be https://HOST or http://HOST, maybe with a port and a path")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user or a password: set ROLLGUARD_TOKEN")
    if _ODD.search(url):
        raise ValueError("must have nothing after its path, and no spaces")
    found = url.rstrip("/")
    if found.endswith("/api/v1"):
        raise ValueError("must be the console's own address, without /api/v1")
    return found


def checked_token(token: str) -> str:
    """Return the token. ValueError if it does not fit into a header."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError("must be printable ASCII without spaces, to fit into a header")
    return token


def is_loopback(url: str) -> bool:
    """Return whether an address is one of this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
