"""News: one thing that happened and is told, whoever is told it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal
from urllib.parse import quote
from uuid import UUID, uuid5

from policy.notifications.texts import Line, Text
from schemas.notify_file import ToldStatus
from schemas.rollback import Tier

EventType = Literal[
    "rollguard.rollback.applied",
    "rollguard.rollback.rejected",
    "rollguard.rollback.held",
    "rollguard.rollback.observed",
    "rollguard.deployment.refused",
    "rollguard.deployment.held",
    "rollguard.outage.began",
    "rollguard.outage.over",
    "rollguard.test",
]
MAX_NAME: Final = 255
_IDS: Final = UUID("3c9e3b0a-6a55-5c6e-8d57-6b8f3f6a2d19")


@dataclass(frozen=True)
class News:
    """Something that happened. Times are in UTC."""

    type: EventType
    id: UUID
    """The same for the same thing, however often it is told."""
    incident: UUID
    """What belongs together: all that is said of one version of a tool, of an outage, of a held
    deployment, or of the refused deployments of a tool with the same refusal."""
    at: datetime
    status: ToldStatus | None
    """By what routes choose; None for a test, which no route chooses."""
    title: Text
    lines: Sequence[Line]
    data: Mapping[str, Any]
    """The fields for programs: JSON."""
    says: tuple[str | None, ...]
    """If this is the same for two news of one incident, the second one says nothing new."""
    tool_name: str | None = None
    version_id: int | None = None
    tier: Tier | None = None
    partition: int | None = None
    """The partition of an outage."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Pages about it, by what they show."""
    ends_incident: bool = False
    """Whether the next news of this incident begin a new story."""
    waits_until: datetime | None = None
    """Until when a person is waited for, if one is."""


def id_of(*parts: object) -> UUID:
    """Return an id that follows from these parts."""
    return uuid5(_IDS, sha256(repr(parts).encode(errors="surrogatepass")).hexdigest())


class Links:
    """The addresses of the console's pages. ``base`` is the console's own; None: no links."""

    def __init__(self, base: str | None) -> None:
        self._base = None if base is None else base.rstrip("/")

    def tool(self, tool_name: str) -> dict[str, str]:
        """Return the link to a tool's page."""
        return self._link("tool", f"/tools/{_escaped(tool_name)}")

    def rollback(self, tool_name: str, command_id: UUID) -> dict[str, str]:
        """Return the links to a rollback's page and to its tool's."""
        page = f"/rollbacks/{command_id}?tool={_escaped(tool_name)}"
        return self._link("rollback", page) | self.tool(tool_name)

    def holds(self) -> dict[str, str]:
        """Return the link to the page about what waits for a person."""
        return self._link("holds", "/holds")

    def system(self) -> dict[str, str]:
        """Return the link to the page about the whole system."""
        return self._link("system", "/system")

    def _link(self, name: str, page: str) -> dict[str, str]:
        return {} if self._base is None else {name: f"{self._base}{page}"}


def _escaped(name: str) -> str:
    return quote(name[:MAX_NAME], safe="", errors="replace")
