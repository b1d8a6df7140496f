"""Rollback commands and their outcomes."""

from typing import Any, ClassVar, Final, Literal
from uuid import UUID

import msgspec

from rollguard_client.errors import Rejected
from rollguard_client.messages.fields import Count, LongText, ShortText, Time, ToolName, VersionId
from rollguard_client.messages.message import Message

MAX_DETAILS_BYTES: Final = 64 * 1024
"""How large the ``details`` of a command may be, in bytes of JSON."""
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
Mode = Literal["hold", "observe"]


class RollbackCommand(Message, frozen=True, kw_only=True):
    """A command to make an earlier version the current one.

    A held command is published again with the answer of a person.
    """

    free_text: ClassVar[tuple[str, ...]] = ("issued_by", "approved_by", "dismissed_by", "dismissal")
    without_nul: ClassVar[tuple[str, ...]] = ("tool_name",)
    on_one_line: ClassVar[tuple[str, ...]] = ("issued_by", "approved_by", "dismissed_by")
    times: ClassVar[tuple[str, ...]] = ("issued_at",)

    command_id: UUID
    tool_name: ToolName
    from_version_id: VersionId | None = None
    from_activation: Count | None = None
    to_version_id: VersionId | None = None
    tier: Tier
    reason: Reason
    mode: Mode | None = None
    details: dict[str, Any] = msgspec.field(default_factory=dict)
    issued_by: ShortText
    issued_at: Time
    approved_by: ShortText | None = None
    """The person who decided that this held command is carried out."""
    dismissed_by: ShortText | None = None
    """The person who decided that this held command is not carried out."""
    dismissal: LongText | None = None
    """Why it is not carried out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            size = len(msgspec.json.encode(self.details))
        except (TypeError, ValueError, RecursionError) as error:
            raise Rejected(f"details: {error}") from None
        if size > MAX_DETAILS_BYTES:
            limit = f"at most {MAX_DETAILS_BYTES} are allowed"
            raise Rejected(f"details: {size} bytes as JSON, {limit}")
        if self.approved_by is not None and self.dismissed_by is not None:
            raise Rejected("approved_by and dismissed_by exclude each other")

    @property
    def is_answer(self) -> bool:
        """Whether it carries the answer of a person to a held command."""
        return self.approved_by is not None or self.dismissed_by is not None


class SeenError(Message, frozen=True, kw_only=True):
    """An error of executions that decided, and how many of them had it."""

    error: str
    executions: Count


class Explanation(Message, frozen=True, kw_only=True):
    """What an automatic rollback rests on, as it was when it was decided."""

    rule: str
    """The text of the rule, with the numbers that were in force."""
    evidence: str | None = None
    thresholds: dict[str, int | float]
    """The settings in that text or that evidence, by name."""
    executions: int | None = None
    failures: int | None = None
    errors: list[SeenError]
    breaking_changes: list[str]
    """What the version that failed changed for its callers."""
    decided_by: list[UUID]
    """The executions that decided, the newest first."""


class RollbackOutcome(Message, frozen=True, kw_only=True):
    """The answer to a rollback command.

    A newer server may use words that this client does not know, so the kinds of words are texts.
    """

    command_id: UUID
    tool_name: ToolName
    status: str
    """``applied``, ``rejected``; ``held``: it waits for a person, and another outcome of the same
    command follows; ``observed``: it was a dry run."""
    hold_reason: str | None = None
    """Why it is or was held; left out if its mode or its target is the reason."""
    rejection: str | None = None
    """Why a rejected command changed nothing, in one word, such as ``pinned``."""
    from_version_id: VersionId | None = None
    to_version_id: VersionId | None = None
    to_version_number: Count | None = None
    target: str | None = None
    """How the version was chosen: ``earned`` or ``nearest``; left out if the command named it."""
    is_breaking_change: bool | None = None
    """Whether the target breaks calls that the version before it allows."""
    breaking_changes: list[str] | None = None
    reason: str
    tier: str
    explanation: Explanation | None = None
    """What an automatic command rests on."""
    applied_at: Time

    @property
    def is_automatic(self) -> bool:
        """Whether the command was issued by the detector."""
        return self.tier != "manual"
