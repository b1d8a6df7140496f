"""The address of a console, and the token that is sent to it."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

_ODD: Final = re.compile(r"[^\x21-\x7e]|[\\?#<>\"|^`{}]")
_MOST_OF_PORT: Final = 65_535


def checked_url(url: str) -> str:
    """Return the address of a console, without a slash at its end.

    It is ``http://`` or ``https://``, a host, and maybe a port and a path. ValueError says what is
    wrong, and shows no password that may be in it.
    """
    if not isinstance(url, str):
        raise ValueError("must be a text")
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
    if not isinstance(token, str):
        raise ValueError("must be a text")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError("must be printable ASCII without spaces, to fit into a header")
    return token


def require_host_and_port(broker: object) -> None:
    """Raise ValueError if this is no ``host:port``; it shows no password that may be in it."""
    text = str(broker)
    scheme, found, _ = text.partition("://")
    if found:
        raise ValueError(
            f"leave out '{scheme}://' and give host:port; ROLLGUARD_KAFKA_SECURITY says how "
            "connections are protected"
        )
    host, _, port = text.rpartition(":")
    is_port = re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= _MOST_OF_PORT
    if not is_port or not _is_host(host):
        shown = repr(text) if "@" not in text else "what is given"
        raise ValueError(f"{shown} is not host:port")


def _is_host(text: str) -> bool:
    try:
        text.encode("idna")  # as for a connection
    except UnicodeError:
        return False
    return re.fullmatch(r"[^\s@]+", text) is not None


def is_loopback(url: str) -> bool:
    """Return whether an address is one of this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
