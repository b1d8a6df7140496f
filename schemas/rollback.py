"""Rollback commands and what came of them."""

from typing import Any, Final, Literal
from uuid import UUID, uuid5

from pydantic import Field

from schemas.fields import Count, ShortText, Time, ToolName, VersionId
from schemas.message import Message

Tier = Literal["immediate", "fast", "standard", "manual"]
Reason = Literal[
    "consecutive_failures",
    "signature_change",
    "complete_failure",
    "high_failure_rate",
    "success_rate_drop",
    "regression",
    "manual",
]
Rejection = Literal[
    "unknown_version",
    "not_current",
    "already_current",
    "pinned",
    "no_previous_version",
    "budget",
    "cooldown",
    "expired",
    "dismissed",
]
Mode = Literal["hold", "observe"]
"""What becomes of a decision that is not to be carried out at once: a person is asked, or it is
only published."""
Status = Literal["applied", "rejected", "held", "observed"]

_COMMANDS: Final = UUID("8e0c3f0a-6d0b-5b0e-9d2e-6f1f5b7a9c11")


def automatic_command_id(tool_name: str, version_id: int, activation: int, attempt: int) -> UUID:
    """The id of the detector's command: the same decision has the same id, whoever makes it.

    ``attempt`` counts from 1 within an activation.
    """
    return uuid5(_COMMANDS, f"{version_id}/{activation}/{attempt}/{tool_name}")


def observed_command_id(tool_name: str, version_id: int, activation: int, reason: Reason) -> UUID:
    """The same of a decision that is only published: once for each reason within an activation."""
    return uuid5(_COMMANDS, f"{version_id}/{activation}/{reason}/{tool_name}")


class RollbackCommand(Message):
    """An order to put another version in the place of the current one.

    An automatic one names the version and the activation that it is about, and leaves the target
    to the applier.
    """

    cleaned = ("details", "issued_by", "approved_by", "dismissed_by")

    command_id: UUID
    tool_name: ToolName
    from_version_id: VersionId | None = None
    from_activation: Count | None = None
    to_version_id: VersionId | None = None
    tier: Tier
    reason: Reason
    mode: Mode | None = None
    details: dict[str, Any] = Field(default_factory=dict)
    issued_by: ShortText
    issued_at: Time
    approved_by: ShortText | None = None
    """Who says that this command, which is held, is to be carried out."""
    dismissed_by: ShortText | None = None
    """Who says that it is not."""


class RollbackOutcome(Message):
    """What came of a command."""

    command_id: UUID
    tool_name: ToolName
    status: Status
    rejection: Rejection | None = None
    from_version_id: VersionId | None = None
    to_version_id: VersionId | None = None
    to_version_number: Count | None = None
    reason: Reason
    tier: Tier
    applied_at: Time
