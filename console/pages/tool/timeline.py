"""The history of a tool: its activations, stops, and the rollbacks that changed nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from db.rollbacks.records import RollbackRecord
from db.versions.reading import ActivationOfTool
from rollguard.value_texts import version_text
from schemas.stops import Stop, StopKind

_SHOWN: Final = 50
_BEGUN: Final[Mapping[StopKind, str]] = {
    "pin": "pinned",
    "freeze": "frozen",
    "rejection": "code{version} rejected",
    "wait": "autonomous deployments wait",
}
_ENDED: Final[Mapping[StopKind, str]] = {
    "pin": "not pinned any more",
    "freeze": "not frozen any more",
    "rejection": "code not rejected any more",
    "wait": "autonomous deployments go on",
}


class Event(NamedTuple):
    """Something that happened to a tool, or that was ordered and did not happen."""

    at: datetime
    title: str
    kind: str
    """``deployment``, ``stop``, or the status of a rollback."""
    by: str
    reason: str
    command_id: UUID | None
    """Of a rollback."""
    lasted_until: datetime | None
    """When the version was replaced; None if it is current, or never was."""
    is_current: bool


def timeline(
    activations: Iterable[ActivationOfTool],
    commands: Iterable[RollbackRecord],
    stops: Iterable[Stop],
) -> Sequence[Event]:
    """Return what happened lately, the newest first."""
    events = [_activated(each) for each in activations]
    events += [_ordered(each) for each in commands if each.status != "applied"]
    for stop in stops:
        events.append(_begun(stop))
        if stop.ended_at is not None and stop.ended_how not in (None, "replaced"):
            events.append(_ended(stop, stop.ended_at))
    return sorted(events, key=lambda event: event.at, reverse=True)[:_SHOWN]


def _activated(activation: ActivationOfTool) -> Event:
    is_rollback = activation.activated_by_kind == "rollback"
    return Event(
        at=activation.began_at,
        title=f"v{activation.version_number} {'current again' if is_rollback else 'deployed'}",
        kind="applied" if is_rollback else "deployment",
        by=activation.activated_by_name or "",
        reason=activation.reason or "",
        command_id=activation.activated_by_id if is_rollback else None,
        lasted_until=activation.ended_at,
        is_current=activation.ended_at is None,
    )


def _ordered(command: RollbackRecord) -> Event:
    to = version_text(command.to_version_number, command.to_version_id)
    why = f" ({command.rejection})" if command.rejection else ""
    return Event(
        at=command.applied_at,
        title=f"rollback to {to} {command.status}{why}",
        kind=command.status,
        by=command.dismissed_by or command.approved_by or command.issued_by,
        reason=command.reason,
        command_id=command.command_id,
        lasted_until=None,
        is_current=False,
    )


def _begun(stop: Stop) -> Event:
    version = "" if stop.version_number is None else f" of v{stop.version_number}"
    of_all = " with all tools" if stop.tool_name is None else ""
    return Event(
        at=stop.began_at,
        title=_BEGUN[stop.kind].format(version=version) + of_all,
        kind="stop",
        by=stop.set_by,
        reason=stop.reason,
        command_id=stop.command_id,
        lasted_until=None,
        is_current=False,
    )


def _ended(stop: Stop, at: datetime) -> Event:
    return _begun(stop)._replace(
        at=at,
        title=_ENDED[stop.kind] + (" with all tools" if stop.tool_name is None else ""),
        by=stop.ended_by or "nobody",
        reason=stop.ended_how or "",
    )
