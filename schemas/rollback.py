"""Rollback commands and what came of them."""

from typing import Any, Final, Literal, Self
from uuid import UUID, uuid5

from pydantic import Field, model_validator

from schemas.fields import Count, LongText, ShortText, Time, ToolName, VersionId
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
RollbackLimit = Literal["budget", "cooldown"]
"""The rejections of a tool that is rolled back too often by machine."""
Mode = Literal["hold", "observe"]
"""What becomes of a decision that is not to be carried out at once: a person is asked, or it is
only published."""
Status = Literal["applied", "rejected", "held", "observed"]
TargetChoice = Literal["earned", "nearest"]
"""Why a rollback leads to this version: the nearest one back whose executions show that it does
better than what it replaces, or, where none has shown that, the nearest that is trusted."""

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
    to the applier. One that is held comes again with what a person says of it.
    """

    cleaned = ("details", "issued_by", "approved_by", "dismissed_by", "dismissal")

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
    dismissal: LongText | None = None
    """Why not."""

    @property
    def is_answer(self) -> bool:
        """Whether it says what a person wants to become of a command that is held."""
        return self.approved_by is not None or self.dismissed_by is not None

    @property
    def is_by_machine(self) -> bool:
        """Whether no person stands behind it: none has issued it, and none has approved it."""
        return self.tier != "manual" and self.approved_by is None

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.approved_by is not None and self.dismissed_by is not None:
            raise ValueError("approved_by and dismissed_by exclude each other")
        return self


class RollbackOutcome(Message):
    """What came of a command.

    ``held``: it waits for a person, and another outcome of the same command follows. ``observed``:
    it is not to be carried out. Of both the versions are those that would have been changed.
    ``target``, ``is_breaking_change`` and ``breaking_changes`` are of automatic commands of policy
    `guarded` that are not rejected: how the version was chosen, and what it breaks of the calls
    that the one before allows, as a deployment says it. ``target`` is left out where the command
    named its version.
    """

    command_id: UUID
    tool_name: ToolName
    status: Status
    rejection: Rejection | None = None
    from_version_id: VersionId | None = None
    to_version_id: VersionId | None = None
    to_version_number: Count | None = None
    target: TargetChoice | None = None
    is_breaking_change: bool | None = None
    breaking_changes: list[str] | None = None
    reason: Reason
    tier: Tier
    applied_at: Time
