"""The settings of a proxy before the console that knows who has logged in."""

import re
from ipaddress import ip_network
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator

EVERYBODY: Final = "*"
"""Instead of a group: everybody whom the proxy lets in."""
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_SHORTEST_SECRET: Final = 16


class ProxySettings(BaseModel):
    """Which headers a proxy sends, by what it is known, and what its groups may do."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    proxy_user_header: str | None = None
    """Console: the header by which an authenticating proxy says who has logged in, such as
    ``X-Forwarded-User``. It is believed only of the proxy, so it needs ``proxy_addresses``,
    ``proxy_secret`` or both, and a ``web_token``."""
    proxy_groups_header: str | None = None
    """Console: the header with the groups of the user, separated by commas, such as
    ``X-Forwarded-Groups``."""
    proxy_operators: tuple[str, ...] = ()
    """Console: the groups whose members may do everything, separated by commas; ``*`` is everybody
    whom the proxy lets in."""
    proxy_viewers: tuple[str, ...] = ()
    """Console: the groups whose members may read, separated by commas; ``*`` is everybody whom the
    proxy lets in. Who is in no such group is let in by nobody."""
    proxy_addresses: tuple[str, ...] = ()
    """Console: the addresses and networks from which the proxy asks, separated by commas."""
    proxy_secret: SecretStr | None = None
    """Console: a secret that the proxy sends in the header ``X-Rollguard-Proxy-Secret``. The proxy
    must not let a client send this header or the other ones."""

    @field_validator("proxy_user_header", "proxy_groups_header", mode="before")
    @classmethod
    def _header_name(cls, value: object) -> object:
        if value == "":
            return None
        if isinstance(value, str) and not _HEADER.fullmatch(value):
            raise ValueError("not the name of a header")
        return value

    @field_validator("proxy_operators", "proxy_viewers", "proxy_addresses", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("proxy_addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each)
            except ValueError:
                raise ValueError(f"{each!r} is no address and no network") from None
        return value

    @field_validator("proxy_secret")
    @classmethod
    def _long_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces, to fit into a header")
        if len(value.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(f"must have at least {_SHORTEST_SECRET} characters")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.proxy_user_header is None:
            return self
        if not self.proxy_addresses and self.proxy_secret is None:
            raise ValueError(
                "proxy_user_header needs proxy_addresses or proxy_secret: otherwise everybody "
                "could say to be anybody"
            )
        groups = {*self.proxy_operators, *self.proxy_viewers}
        if not groups:
            raise ValueError("proxy_user_header needs proxy_operators or proxy_viewers")
        if groups != {EVERYBODY} and self.proxy_groups_header is None:
            raise ValueError("proxy_operators and proxy_viewers need proxy_groups_header")
        return self
