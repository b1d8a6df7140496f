"""The file of the receivers: who is told what, and where.

It is TOML. Secrets are never in it: it names files or variables of the environment. Pure.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from schemas.configuration.web_address import is_allowed
from schemas.errors import Misconfigured
from schemas.message import explain
from schemas.rollback import Tier

MAX_RECEIVERS: Final = 20
"""Each receiver has a consumer group and connections of its own."""
MAX_FILE_BYTES: Final = 256 * 1024
ToldStatus = Literal["applied", "rejected", "held", "observed", "refused", "outage"]
"""What a route may ask for: the status of a rollback, a refused deployment, or an outage (its
beginning and its end)."""
_NOT_IN_URLS: Final = re.compile(r"[\s\x00-\x1f\\]")


def checked_url(url: str, *, allow_http: bool) -> str:
    """Return an address to which notifications may be sent.

    Raises ValueError that says what is wrong and does not show the address, which may be a secret.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if _NOT_IN_URLS.search(url) or not url.isascii() or parts.scheme not in ("https", "http"):
        raise ValueError("must begin with https://")
    if not parts.hostname:
        raise ValueError("names no host")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user or a password: use token_file or token_env")
    if parts.fragment:
        raise ValueError("must not contain a fragment (#…)")
    if parts.scheme == "http" and not allow_http and not is_allowed(parts.hostname, ()):
        raise ValueError(
            "is not encrypted: use https://, or set allow_http = true if nobody else can read "
            "the network"
        )
    return url


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("is no name of a variable")
    if name.upper().startswith("ROLLGUARD_"):
        raise ValueError("must not begin with ROLLGUARD_, as the settings do")
    return name


Pattern = Annotated[str, Field(min_length=1, max_length=255)]
FileName = Annotated[str, Field(min_length=1, max_length=4096)]
Variable = Annotated[str, AfterValidator(_variable)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Route(_Strict):
    """What a receiver is told: what meets all the conditions that are given."""

    tools: list[Pattern] | None = Field(None, min_length=1)
    """Names of tools, or globs. What is about no tool (an outage) does not meet this."""
    tiers: list[Tier] | None = Field(None, min_length=1)
    """Tiers of rollbacks. What is no rollback does not meet this."""
    statuses: list[ToldStatus] | None = Field(None, min_length=1)


class SecretPlace(_Strict):
    """Where a secret is: in a file or in a variable of the environment."""

    file: FileName | None = None
    env: Variable | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError("give either file or env")
        return self


class _Receiver(_Strict):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    """Lower case letters, digits and hyphens: it is a part of the name of the consumer group."""
    allow_http: bool = False
    """Whether an address without TLS may be another machine's."""
    routes: list[Route] = Field(default_factory=list, max_length=100)
    """It is told what meets one of them; everything if there is none."""


class _WithAddress(_Receiver):
    url: str | None = None
    """The address, if it is no secret; otherwise ``url_from``."""
    url_from: SecretPlace | None = None
    token: SecretPlace | None = None
    """What is sent as ``Authorization: Bearer …``, if the receiver asks for it."""

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_from is None):
            raise ValueError("give either url or url_from")
        if self.url is not None:
            try:
                checked_url(self.url, allow_http=self.allow_http)
            except ValueError as error:
                raise ValueError(f"url {error}") from None
        return self


class WebhookReceiver(_WithAddress):
    """A program that takes CloudEvents, signed as Standard Webhooks say."""

    kind: Literal["webhook"]
    secret: SecretPlace
    """With what each request is signed: ``whsec_`` and base64."""


class AlertmanagerReceiver(_WithAddress):
    """An Alertmanager, by the address before ``/api/v2/alerts``."""

    kind: Literal["alertmanager"]


class SlackReceiver(_Receiver):
    """An incoming webhook of Slack, or of a chat that takes the same. Its address is a secret."""

    kind: Literal["slack"]
    url_from: SecretPlace


AnyReceiver = Annotated[
    WebhookReceiver | AlertmanagerReceiver | SlackReceiver, Field(discriminator="kind")
]


class NotifyFile(_Strict):
    """The content of the file."""

    receivers: list[AnyReceiver] = Field(min_length=1, max_length=MAX_RECEIVERS)

    @model_validator(mode="after")
    def _no_name_twice(self) -> Self:
        names = [each.name for each in self.receivers]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the name {min(twice)!r} is used twice")
        return self

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the file. Raises Misconfigured that names everything that is wrong."""
        try:
            found = tomllib.loads(content.decode())
        except UnicodeDecodeError:
            raise Misconfigured("not UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise Misconfigured(f"not TOML: {error}") from None
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            raise Misconfigured("; ".join(_named(found, error))) from None


def _named(found: dict[str, object], error: ValidationError) -> Iterator[str]:
    """Yield what was wrong; a receiver is called by its name where it has one."""
    receivers = found.get("receivers")
    for text in explain(error).split("; "):
        place = re.match(r"receivers\.(\d+)(?:\.(?:webhook|alertmanager|slack))?[.:] ?", text)
        if place is None or not isinstance(receivers, list):
            yield text
            continue
        given = receivers[int(place[1])]
        name = given.get("name") if isinstance(given, dict) else None
        which = repr(name) if isinstance(name, str) else f"number {int(place[1]) + 1}"
        yield f"receiver {which}: {text[place.end() :]}"
