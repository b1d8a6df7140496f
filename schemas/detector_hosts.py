"""The hosts on which other detectors may be: names, names with ``*``, addresses and networks."""

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9*_-]+(?:\.[A-Za-z0-9*_-]+)*")
_ODD_ADDRESS: Final = re.compile(r"(?:0x[0-9a-f]+|\d{1,10})(?:\.(?:0x[0-9a-f]+|\d{1,10}))*")
"""``2130706433`` and ``0x7f.1`` are 127.0.0.1 for a resolver, and a name for us."""


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
