"""The history of a tool: its activations, and the rollbacks that changed nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from db.rollbacks.records import RollbackRecord
from db.versions.reading import ActivationOfTool
from rollguard.value_texts import version_text


class Event(NamedTuple):
    """Something that happened to a tool, or that was ordered and did not happen."""

    at: datetime
    title: str
    kind: str
    """``deployment``, or the status of a rollback."""
    by: str
    reason: str
    command_id: UUID | None
    """Of a rollback."""
    lasted_until: datetime | None
    """When the version was replaced; None if it is current, or never was."""
    is_current: bool


def timeline(
    activations: Iterable[ActivationOfTool], commands: Iterable[RollbackRecord]
) -> Sequence[Event]:
    """Return what happened, the newest first."""
    events = [_activated(each) for each in activations]
    events += [_ordered(each) for each in commands if each.status != "applied"]
    return sorted(events, key=lambda event: event.at, reverse=True)


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
