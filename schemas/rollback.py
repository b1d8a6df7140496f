"""Rollback commands and their outcomes."""

import json
from typing import Annotated, Any, Final, Literal, NamedTuple, Self
from uuid import UUID, uuid5

from pydantic import BeforeValidator, Field, field_validator, model_validator

from schemas.explanation import Explanation
from schemas.fields import Count, LongText, ShortLine, Time, ToolName, VersionId
from schemas.message import Message

Tier = Literal["immediate", "fast", "standard", "manual"]
Reason = Literal[
    "consecutive_failures",
    "signature_change",
    "complete_failure",
    "high_failure_rate",
    "success_rate_drop",
    "regression",
    "judged_bad",
    "slower",
    "costlier",
    "manual",
]
QualityReason = Literal["judged_bad", "slower", "costlier"]
"""The reasons that quality tests give (policy `guarded`)."""
DryRunReason = Literal["slower", "costlier"]
"""The reasons that are dry runs unless a setting says otherwise."""
Rejection = Literal[
    "unknown_version",
    "not_current",
    "already_current",
    "pinned",
    "no_previous_version",
    "outage",
    "budget",
    "cooldown",
    "expired",
    "dismissed",
]
RollbackLimit = Literal["budget", "cooldown"]
"""The rejections of an automatic rollback of a tool that had too many of them."""
Mode = Literal["hold", "observe"]
"""How a decision is treated that is not carried out at once. ``hold``: a person decides.
``observe``: a dry run, it is only published."""
Status = Literal["applied", "rejected", "held", "observed"]
HoldReason = Literal["fleet_budget"]
"""Why a command is held that would be carried out by its mode and its target. ``fleet_budget``: so
many tools were rolled back in a short time that a fault is likely that is none of their versions'.
"""
TargetChoice = Literal["earned", "nearest"]
"""How the target of a rollback was chosen. ``earned``: the nearest earlier version whose executions
show that it does better than the version that it replaces. ``nearest``: the nearest trusted one,
because no version has shown that."""

MAX_DETAILS_BYTES: Final = 64 * 1024
"""How large the ``details`` of a command may be, in bytes of JSON."""

_COMMANDS: Final = UUID("8e0c3f0a-6d0b-5b0e-9d2e-6f1f5b7a9c11")


def _without_null(details: object) -> object:
    """Return the details; none if they are null, which says the same as nothing."""
    return {} if details is None else details


_Details = Annotated[
    dict[str, Any], BeforeValidator(_without_null, json_schema_input_type=dict[str, Any] | None)
]


def automatic_command_id(tool_name: str, version_id: int, activation: int, attempt: int) -> UUID:
    """Return the id of an automatic command. The same decision has the same id, whoever makes it.

    ``attempt`` counts from 1 within an activation.
    """
    return uuid5(_COMMANDS, f"{version_id}/{activation}/{attempt}/{tool_name}")


def observed_command_id(tool_name: str, version_id: int, activation: int, reason: Reason) -> UUID:
    """Return the id of a dry run: one for each reason within an activation."""
    return uuid5(_COMMANDS, f"{version_id}/{activation}/{reason}/{tool_name}")


class CommandKey(NamedTuple):
    """The identity of a command: the use of its id for another one changes nothing for it.

    An id counts within its tool. The id of an automatic command can be known before it is issued,
    so within a tool it counts for automatic commands alone, and a person's for those of persons.
    """

    tool_name: str
    command_id: UUID
    is_automatic: bool

    @property
    def held_id(self) -> UUID:
        """The id by which a person answers it if it is held."""
        return self.command_id

    @classmethod
    def of(cls, tool_name: str, command_id: UUID, tier: Tier) -> Self:
        """Return the key of a command of this tier."""
        return cls(tool_name, command_id, tier != "manual")


class RollbackCommand(Message):
    """A command to make an earlier version the current one.

    An automatic command names the version and the activation that it is about, and leaves the
    choice of the target to the applier. A held command is published again with the answer of a
    person.
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
    details: _Details = Field(default_factory=dict)
    issued_by: ShortLine
    issued_at: Time
    approved_by: ShortLine | None = None
    """The person who decided that this held command is carried out."""
    dismissed_by: ShortLine | None = None
    """The person who decided that this held command is not carried out."""
    dismissal: LongText | None = None
    """Why it is not carried out."""

    @property
    def key(self) -> CommandKey:
        """The identity of the command."""
        return CommandKey.of(self.tool_name, self.command_id, self.tier)

    @property
    def is_answer(self) -> bool:
        """Whether it carries the answer of a person to a held command."""
        return self.approved_by is not None or self.dismissed_by is not None

    @property
    def is_by_machine(self) -> bool:
        """Whether no person has issued or approved it."""
        return self.tier != "manual" and self.approved_by is None

    @field_validator("details")
    @classmethod
    def _small_details(cls, value: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
        size = len(text.encode(errors="surrogatepass"))
        if size > MAX_DETAILS_BYTES:
            raise ValueError(f"{size} bytes as JSON, at most {MAX_DETAILS_BYTES} are allowed")
        return value

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.approved_by is not None and self.dismissed_by is not None:
            raise ValueError("approved_by and dismissed_by exclude each other")
        return self


class RollbackOutcome(Message):
    """The answer to a rollback command.

    ``target``, ``is_breaking_change`` and ``breaking_changes`` are given for automatic commands of
    policy `guarded` that are not rejected.
    """

    command_id: UUID
    tool_name: ToolName
    status: Status
    """``held``: it waits for a person, and another outcome of the same command follows.
    ``observed``: it was a dry run. In both cases the versions are those that would be changed."""
    hold_reason: HoldReason | None = None
    """Why it is or was held; left out if its mode or its target is the reason."""
    rejection: Rejection | None = None
    """Why a rejected command changed nothing."""
    from_version_id: VersionId | None = None
    to_version_id: VersionId | None = None
    to_version_number: Count | None = None
    target: TargetChoice | None = None
    """How the version was chosen; left out if the command named it."""
    is_breaking_change: bool | None = None
    """Whether the target breaks calls that the version before it allows."""
    breaking_changes: list[str] | None = None
    """The changes that break such calls or may break them, in the words of a deployment."""
    reason: Reason
    tier: Tier
    explanation: Explanation | None = None
    """What an automatic command rests on; left out of the outcome of a person's command."""
    applied_at: Time

    @property
    def key(self) -> CommandKey:
        """The key of the command that it answers."""
        return CommandKey.of(self.tool_name, self.command_id, self.tier)
