"""The receivers with their secrets, as the notify file and what it names say."""

import base64
import binascii
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rollguard_client.files.closed_files import WRITING, content_of, reason_of
from schemas.errors import Misconfigured
from schemas.notify_file import (
    MAX_FILE_BYTES,
    AnyReceiver,
    NotifyFile,
    Route,
    SecretPlace,
    SlackReceiver,
    WebhookReceiver,
    checked_url,
)
from schemas.settings import Settings

ROLE: Final = "notifier"
VARIABLE: Final = "ROLLGUARD_NOTIFY"
_NOT_FOR_OTHERS: Final = WRITING | stat.S_IRWXO
"""A file with a secret: the group may read it, as Kubernetes and Docker hand secrets over."""
_MAX_SECRET_BYTES: Final = 8 * 1024
_BEGINNING: Final = "whsec_"
_SECRET_SIZES: Final = range(24, 65)
"""How many bytes a secret of Standard Webhooks may have."""


@dataclass(frozen=True)
class Receiver:
    """One receiver. What is secret is not shown by ``repr``."""

    name: str
    kind: Literal["webhook", "alertmanager", "slack"]
    url: str = field(repr=False)
    routes: Sequence[Route]
    secret: str | None = field(default=None, repr=False)
    """With what a webhook's requests are signed."""
    token: str | None = field(default=None, repr=False)

    def hidden(self, text: str) -> str:
        """Return a text without this receiver's secrets."""
        for each in (self.url, self.secret, self.token):
            if each:
                text = text.replace(each, "…")
        return text


def receivers_of(
    settings: Settings, environment: Mapping[str, str] | None = None
) -> list[Receiver]:
    """Return the receivers that the settings name. Raises Misconfigured that names all faults."""
    found = _file_of(settings)
    variables = os.environ if environment is None else environment
    receivers, faults = [], []
    for each in found.receivers:
        try:
            receivers.append(_resolved(each, variables))
        except ValueError as error:
            faults.append(f"receiver {each.name!r}: {error}")
    if faults:
        raise Misconfigured(f"{VARIABLE} {settings.notify}: {'; '.join(faults)}")
    return receivers


def groups_of_receivers(settings: Settings) -> list[str]:
    """Return the names of the receivers' consumer groups, as ``named_receivers``."""
    return [group_of_receiver(each.name) for each in named_receivers(settings)]


def named_receivers(settings: Settings) -> Sequence[AnyReceiver]:
    """Return the receivers as the file has them; none if there is no file.

    No secret is read. Raises Misconfigured.
    """
    return [] if settings.notify is None else _file_of(settings).receivers


def group_of_receiver(name: str) -> str:
    """Return the name of a receiver's consumer group, which stands in the place of a role's."""
    return f"{ROLE}-{name}"


def _file_of(settings: Settings) -> NotifyFile:
    path = settings.notify
    if path is None:
        raise Misconfigured(f"{VARIABLE} is not set: it names the file of the receivers")
    try:
        return NotifyFile.from_bytes(content_of(path, WRITING, MAX_FILE_BYTES))
    except (OSError, ValueError, Misconfigured) as error:
        raise Misconfigured(f"{VARIABLE} {path}: {reason_of(error)}") from None


def _resolved(given: AnyReceiver, environment: Mapping[str, str]) -> Receiver:
    """Return the receiver with its secrets. Raises ValueError that does not show them."""
    secret = token = None
    if isinstance(given, SlackReceiver) or given.url is None:
        assert given.url_from is not None, "NotifyFile requires one of them"
        url = _secret("url_from", given.url_from, environment)
        try:
            checked_url(url, allow_http=given.allow_http)
        except ValueError as error:
            raise ValueError(f"url_from: the address {error}") from None
    else:
        url = given.url
    if not isinstance(given, SlackReceiver) and given.token is not None:
        token = _secret("token", given.token, environment)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("token: must be printable ASCII without spaces")
    if isinstance(given, WebhookReceiver):
        secret = _secret("secret", given.secret, environment)
        _require_signing_secret(secret)
    return Receiver(given.name, given.kind, url, given.routes, secret, token)


def _require_signing_secret(secret: str) -> None:
    encoded = secret.removeprefix(_BEGINNING)
    try:
        size = len(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not secret.startswith(_BEGINNING) or size not in _SECRET_SIZES:
        raise ValueError(
            f"secret: must be {_BEGINNING} and 24 to 64 random bytes in base64, such as the "
            'output of: echo "whsec_$(head -c 32 /dev/urandom | base64)"'
        )


def _secret(field_name: str, place: SecretPlace, environment: Mapping[str, str]) -> str:
    """Return what stands in a file or in a variable, without white space around it."""
    if place.env is not None:
        text = environment.get(place.env, "").strip()
        if not text:
            raise ValueError(f"{field_name}: the variable {place.env} is not set")
        return text
    assert place.file is not None, "SecretPlace requires one of them"
    path = Path(place.file)
    try:
        text = content_of(path, _NOT_FOR_OTHERS, _MAX_SECRET_BYTES).decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{field_name}: file {path}: not UTF-8") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{field_name}: file {path}: {reason_of(error)}") from None
    if not text:
        raise ValueError(f"{field_name}: file {path} is empty")
    return text
