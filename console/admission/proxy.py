"""Who has logged in at a proxy before the console (OpenID Connect and others), by its headers.

The headers are believed only of the proxy: a request that has one of them and does not come from it
is refused. So nobody gains anything by sending them.
"""

import hmac
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from starlette.datastructures import Headers

from console.admission.guesses import Guesses
from console.admission.refused import Refused
from console.admission.visitor import Role
from rollguard.person_name import valid_name
from schemas.configuration.proxy_settings import EVERYBODY, ProxySettings
from schemas.errors import Rejected

SECRET_HEADER: Final = "X-Rollguard-Proxy-Secret"  # noqa: S105 - no secret


class ProxyUser(NamedTuple):
    """Who has logged in at the proxy."""

    name: str
    role: Role


class Proxy:
    """Reads the headers of the proxy of the settings, if there is one."""

    def __init__(self, settings: ProxySettings, guesses: Guesses) -> None:
        self._settings = settings
        self._guesses = guesses
        self._networks = [ip_network(each) for each in settings.proxy_addresses]
        secret = settings.proxy_secret
        self._secret = None if secret is None else secret.get_secret_value().encode()

    def user(self, headers: Headers, address: str) -> ProxyUser | None:
        """Return who has logged in; None if the proxy says nobody. Raises Refused."""
        names, groups = self._settings.proxy_user_header, self._settings.proxy_groups_header
        if names is None:
            return None
        given = [each for each in (names, groups, SECRET_HEADER) if each and each in headers]
        if not given:
            return None
        if not self._is_proxy(headers, address):
            raise Refused(403, f"not the proxy, but it sends {given[0]}: only the proxy may")
        for each in given:
            if len(headers.getlist(each)) > 1:
                raise Refused(403, f"the header {each} comes more than once")
        name = _text(headers.get(names, "")).strip()
        if not name:
            return None
        members = set() if groups is None else _split(_text(headers.get(groups, "")))
        return ProxyUser(_valid(name), self._role(name, members))

    def _is_proxy(self, headers: Headers, address: str) -> bool:
        if self._networks and not _is_in(address, self._networks):
            return False
        if self._secret is None:
            return True
        given = headers.getlist(SECRET_HEADER)
        return len(given) == 1 and self._is_secret(given[0], address)

    def _is_secret(self, given: str, address: str) -> bool:
        expected = self._secret
        assert expected is not None
        found = self._guesses.looked_at(
            address, given, lambda: hmac.compare_digest(given.encode(), expected) or None
        )
        return found is not None

    def _role(self, name: str, groups: Collection[str]) -> Role:
        for role, allowed in (
            ("operator", self._settings.proxy_operators),
            ("viewer", self._settings.proxy_viewers),
        ):
            if EVERYBODY in allowed or not set(allowed).isdisjoint(groups):
                return "operator" if role == "operator" else "viewer"
        raise Refused(403, f"{name[:100]!r} is in no group that may read or change something")


def _is_in(address: str, networks: Collection[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in each for each in networks)


def _text(header: str) -> str:
    """Return a header as the text that it is: proxies send UTF-8."""
    try:
        return header.encode("latin-1").decode()
    except ValueError:
        return header


def _split(groups: str) -> set[str]:
    return {each.strip() for each in groups.split(",") if each.strip()}


def _valid(name: str) -> str:
    try:
        return valid_name(name, "the name of the user")
    except Rejected as error:
        raise Refused(403, str(error)) from None
