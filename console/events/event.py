"""One event, and how it is sent (Server-Sent Events)."""

import json
from typing import Any, Final, Literal, NamedTuple

from console.events.positions import Place, Source
from schemas.deployment import DeploymentOutcome
from schemas.errors import Rejected
from schemas.rollback import RollbackOutcome

Kind = Literal["rollback", "deployment", "hold", "outage"]
_KINDS: Final[dict[Source, tuple[Kind, type[RollbackOutcome] | type[DeploymentOutcome]]]] = {
    "rollbacks": ("rollback", RollbackOutcome),
    "deployments": ("deployment", DeploymentOutcome),
}
RETRY_MS: Final = 3_000
"""After how long a browser that lost its stream asks again."""


class Event(NamedTuple):
    """An outcome of one of the topics."""

    place: Place
    offset: int
    kind: Kind
    data: bytes
    """JSON on one line."""


def event_of(source: Source, partition: int, offset: int, value: bytes | None) -> Event | None:
    """Return the event that a record is; None if it is no outcome."""
    kind, message = _KINDS[source]
    try:
        outcome = message.from_bytes(value)
    except Rejected:
        return None
    if outcome.status == "held":
        kind = "hold"
    return Event((source, partition), offset, kind, outcome.to_bytes())


def sent(kind: Kind, data: bytes, event_id: str) -> bytes:
    """Return an event as it is sent; its id lets the listener resume after it."""
    return b"event: %b\ndata: %b\nid: %b\n\n" % (kind.encode(), data, event_id.encode())


def outage_sent(outage: dict[str, Any]) -> bytes:
    """Return an outage as it is sent. It has no id: the listener resumes where it was."""
    return b"event: outage\ndata: %b\n\n" % json.dumps(outage).encode()


def beginning(event_id: str) -> bytes:
    """Return how a stream begins: from where it is resumed if it breaks before the first event."""
    return b"retry: %d\nid: %b\n\n" % (RETRY_MS, event_id.encode())


HEARTBEAT: Final = b": still here\n\n"
"""A comment, so that both sides notice that the other one is gone."""
