"""The output of ``config``."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from rollguard.printing import print_json, print_table
from schemas.configuration.settings_report import HIDDEN, SettingInForce
from schemas.settings import Settings

_PASSWORDS: Final = ("password", "sslpassword")
"""The parameters of a DSN that are secret."""


def show_settings(found: Iterable[SettingInForce], settings: Settings, as_json: bool) -> None:
    """Print the settings, with the DSN of Postgres but without its password."""
    dsn = dsn_without_password(settings.postgres_dsn.get_secret_value())
    shown = [replace(each, value=dsn) if each.name == "postgres_dsn" else each for each in found]
    if as_json:
        print_json([asdict(each) for each in shown])
        return
    print_table(
        ("variable", "value", "source"),
        ((each.variable, each.value, each.source) for each in shown),
    )


def dsn_without_password(dsn: str) -> str:
    """Return the DSN with its password hidden.

    The whole DSN is hidden if it is not certain which part of it the password is: if it is no URL,
    or if the password has characters that should have been escaped.
    """
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return HIDDEN
    if not dsn.startswith(f"{parts.scheme}://") or "#" in dsn or "@" in parts.path + parts.query:
        return HIDDEN
    query = [(name, HIDDEN if name in _PASSWORDS else value) for name, value in _query(parts)]
    return parts._replace(netloc=_netloc(parts), query=urlencode(query, safe="/*,:")).geturl()


def _query(parts: SplitResult) -> list[tuple[str, str]]:
    return parse_qsl(parts.query, keep_blank_values=True)


def _netloc(parts: SplitResult) -> str:
    user_and_password, at, host = parts.netloc.rpartition("@")
    user, colon, _ = user_and_password.partition(":")
    return f"{user}{colon}{HIDDEN}{at}{host}" if colon else parts.netloc
