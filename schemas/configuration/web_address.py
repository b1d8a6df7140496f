"""Addresses ``http://host:port`` at which workers reach each other, and the hosts that are allowed.

An allowed host is given as a name, a name with ``*``, an address or a network.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

_NAME: Final = re.compile(r"[A-Za-z0-9*_-]+(?:\.[A-Za-z0-9*_-]+)*")
_ODD_ADDRESS: Final = re.compile(r"(?:0x[0-9a-f]+|\d{1,10})(?:\.(?:0x[0-9a-f]+|\d{1,10}))*")
"""``2130706433`` and ``0x7f.1`` are 127.0.0.1 for a resolver, and a name for us."""


def host_of(url: str) -> str | None:
    """Return the host in lower case; None if the text is more, or less, than such an address.

    An address without a path, a query or a user: where it leads is decided by its host alone.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return None
    rest = (parts.path.rstrip("/"), parts.query, parts.fragment)
    if parts.scheme not in ("http", "https") or any(rest) or "@" in parts.netloc:
        return None
    if any(each.isspace() or each in "\\?#" for each in url):
        return None
    return parts.hostname or None


def require_console(url: str) -> None:
    """Raise ValueError unless this is the address of a site, maybe with a path."""
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc
        or not url.isascii()
        or any(each.isspace() or each in '\\?#|<>"' for each in url)
    ):
        raise ValueError("must be https://host, maybe with a path, and nothing after it")


def require_host_pattern(text: str) -> None:
    """Raise ValueError if the text can stand for no host."""
    if _NAME.fullmatch(text) is None:
        try:
            ip_network(text)
        except ValueError:
            raise ValueError(f"{text!r} is no name, no address and no network") from None


def is_allowed(host: str, patterns: Collection[str]) -> bool:
    """Return whether a host, in lower case, is this machine itself or is one of these.

    ``*`` stands for any characters but a dot: ``*`` alone is any name without a dot, such as that
    of a container. Names are compared, not resolved; only an address lies in a network.
    """
    try:
        address = ip_address(host)
    except ValueError:
        if _ODD_ADDRESS.fullmatch(host):
            return False
        return host == "localhost" or any(_is_name(host, each) for each in patterns)
    return address.is_loopback or any(address in net for net in _networks(patterns))


def _is_name(host: str, pattern: str) -> bool:
    parts = map(re.escape, pattern.lower().split("*"))
    return re.fullmatch("[^.]*".join(parts), host) is not None


def _networks(patterns: Collection[str]) -> list[IPv4Network | IPv6Network]:
    found = []
    for each in patterns:
        try:
            found.append(ip_network(each))
        except ValueError:
            continue
    return found
