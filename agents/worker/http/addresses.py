"""Reasons without the addresses of servers, for whoever has no token."""

import os
import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, urlsplit

from schemas.settings import Settings

_HIDDEN: Final = "…"
_ADDRESS: Final = re.compile(
    r"""
      \(\s*'[^']*'\s*,\s*\d+[^()]*\)                  # ('10.0.0.1', 9092), as Python shows it
    | (?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?      # 10.0.0.1:9092
    | (?<![\w.:-])[\w-]+(?:\.[\w-]+)*\.?:\d{2,5}(?![\d:]) # kafka-1.internal:9092
    | (?<![\w/])/(?:[^\s/'",:;)]+/)*\.s\.PGSQL\.\d+   # the socket of a Postgres
    """,
    re.VERBOSE,
)
_MAYBE_IPV6: Final = re.compile(
    r"\[?([0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*)(?:%\w+)?\]?(?::\d+)?"
)


class Addresses:
    """Removes addresses from texts: those that the settings name, and whatever looks like one."""

    def __init__(self, settings: Settings) -> None:
        known = {*settings.kafka_brokers, *_hosts_of(settings.postgres_dsn.get_secret_value())}
        known |= {broker.rpartition(":")[0].strip("[]") for broker in settings.kafka_brokers}
        longest_first = sorted((each for each in known if each), key=len, reverse=True)
        names = "|".join(map(re.escape, longest_first))
        self._known = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])" if names else r"(?!)")

    def removed_from(self, text: str) -> str:
        """Return the text with ``…`` for each address."""
        text = _MAYBE_IPV6.sub(_hide_ipv6, _ADDRESS.sub(_HIDDEN, text))
        return self._known.sub(_HIDDEN, text)


def _hide_ipv6(found: re.Match[str]) -> str:
    try:
        ip_address(found[1])
    except ValueError:
        return found[0]  # such as a time of day
    return _HIDDEN


def _hosts_of(dsn: str) -> set[str]:
    """Return the hosts of a DSN, and those that libpq's variables name."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return set()  # no worker connects to it
    given = [parts.netloc.rpartition("@")[2], *parse_qs(parts.query).get("host", ())]
    given += [os.environ.get(name, "") for name in ("PGHOST", "PGHOSTADDR")]
    each = [host for several in given for host in several.split(",")]
    return {*each, *(host.rpartition(":")[0].strip("[]") for host in each if ":" in host)}
