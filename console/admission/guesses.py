"""How many tokens somebody may try: a token that can be guessed in time is no token."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from secrets import token_bytes
from time import monotonic
from typing import Final, TypeVar

from console.admission.refused import Refused

_MOST: Final = 20
"""So many different wrong tokens may come from one address at once …"""
_EACH_S: Final = 6.0
"""… and after that one more in so many seconds."""
_ADDRESSES: Final = 4_096
_REMEMBERED: Final = 64
_RETRY_S: Final = 60
T = TypeVar("T")


class Guesses:
    """Counts the wrong tokens of each address.

    The same wrong token again tells nothing new, so it does not count: otherwise one program with
    an old token would lock out all others behind the same proxy.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._key = token_bytes(16)
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

    def looked_at(self, address: str, token: str, look: Callable[[], T | None]) -> T | None:
        """Return what ``look`` finds out about a token from this address: None if it is wrong.

        Refused if too many wrong ones came from there: then nobody looks at it.
        """
        network = _network(address)
        found = self._addresses.get(network)
        if found is not None and self._digest(token) in found.wrong:
            return None
        if found is not None and found.left(self._now()) < 1:
            detail = "too many wrong tokens came from your address; wait a minute"
            raise Refused(429, detail, Retry_After=str(_RETRY_S))
        result = look()
        if result is None:
            self._note_wrong(network, token)
        return result

    def _note_wrong(self, network: str, token: str) -> None:
        found = self._addresses.pop(network, None) or _Address(self._now())
        self._addresses[network] = found
        while len(self._addresses) > _ADDRESSES:
            self._addresses.popitem(last=False)
        found.take(self._now())
        found.wrong[self._digest(token)] = None
        while len(found.wrong) > _REMEMBERED:
            found.wrong.popitem(last=False)

    def _digest(self, token: str) -> bytes:
        data = token.encode("utf-8", "surrogateescape")
        return blake2b(data, digest_size=16, key=self._key).digest()


class _Address:
    """What is left of the guesses of one address."""

    def __init__(self, now: float) -> None:
        self._left = float(_MOST)
        self._counted_at = now
        self.wrong: OrderedDict[bytes, None] = OrderedDict()

    def left(self, now: float) -> float:
        return min(_MOST, self._left + (now - self._counted_at) / _EACH_S)

    def take(self, now: float) -> None:
        self._left = self.left(now) - 1
        self._counted_at = now


def _network(address: str) -> str:
    """Return what one attacker has: an IPv4 address, or a network /64 of IPv6."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return found.packed[:8].hex()
    return str(found)
