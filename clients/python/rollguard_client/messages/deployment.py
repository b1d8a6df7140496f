"""Deployments, their outcomes, and the version of a tool that is current now."""

from hashlib import sha256
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from rollguard_client.errors import Rejected
from rollguard_client.messages.execution import ActivatedBy
from rollguard_client.messages.fields import (
    Count,
    ImprovementType,
    LongText,
    Sha256,
    ShortText,
    Time,
    ToolName,
    VersionId,
    has_line_break,
)
from rollguard_client.messages.message import Message
from rollguard_client.messages.stops import Stop

Author = Literal["human", "autonomous"]
MAX_ACCEPTED_BREAKS = 50
MAX_CHECKS = 50


def code_hash_of(code: str) -> str:
    """Return the SHA-256 of the code in UTF-8, in hexadecimal digits."""
    return sha256(code.encode()).hexdigest()


class AcceptedBreak(Message, frozen=True, kw_only=True):
    """A change that breaks callers and that the author of a deployment accepts.

    It names a ``kind`` of change, an ``object`` that is changed, or both.
    """

    free_text: ClassVar[tuple[str, ...]] = ("kind", "object", "reason")

    kind: ShortText | None = None
    """The kind of the change, such as ``parameter_removed``; None accepts every kind."""
    object: ShortText | None = None
    """The object that is changed, such as ``execute``; None accepts every object."""
    reason: ShortText
    """Why the change is intended."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kind and not self.object:
            raise Rejected("names neither a kind nor an object")

    @property
    def is_of_several_lines(self) -> bool:
        """Whether what it names has a line break, which no request may have."""
        return has_line_break(self.kind or "") or has_line_break(self.object or "")


class Check(Message, frozen=True, kw_only=True):
    """A check that the author or the engine made of the code before it was deployed."""

    free_text: ClassVar[tuple[str, ...]] = ("name", "detail")
    on_one_line: ClassVar[tuple[str, ...]] = ("name",)

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    """What was checked, such as ``smoke``."""
    ok: bool
    """Whether the code passed."""
    detail: Annotated[str, Meta(max_length=1_000)] | None = None
    """What was found, in words."""


class Deployment(Message, frozen=True, kw_only=True):
    """A request to make this code the current version of the tool."""

    free_text: ClassVar[tuple[str, ...]] = (
        *("improvement_reason", "approved_by", "dismissed_by", "dismissal"),
    )
    without_nul: ClassVar[tuple[str, ...]] = ("tool_name", "code", "improvement_type")
    on_one_line: ClassVar[tuple[str, ...]] = (
        *("tool_name", "improvement_type", "approved_by", "dismissed_by"),
    )
    times: ClassVar[tuple[str, ...]] = ("deployed_at",)

    deployment_id: UUID
    tool_name: ToolName
    code: str
    created_by: Author
    improvement_type: ImprovementType
    improvement_reason: LongText | None = None
    deployed_at: Time
    accepted_breaks: Annotated[list[AcceptedBreak], Meta(max_length=MAX_ACCEPTED_BREAKS)] | None = (
        None
    )
    checks: Annotated[list[Check], Meta(max_length=MAX_CHECKS)] | None = None
    """The checks that were made of the code; kept and shown."""
    approved_by: ShortText | None = None
    """The person who decided that this held deployment becomes a version."""
    dismissed_by: ShortText | None = None
    """The person who decided that this held deployment becomes no version."""
    dismissal: LongText | None = None
    """Why it becomes no version."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(each.is_of_several_lines for each in self.accepted_breaks or ()):
            raise Rejected("accepted_breaks: line breaks are not allowed")
        if self.approved_by is not None and self.dismissed_by is not None:
            raise Rejected("approved_by and dismissed_by exclude each other")
        if self.code.startswith("\ufeff"):  # Python skips it in a file
            msgspec.structs.force_setattr(self, "code", self.code[1:])

    @property
    def is_answer(self) -> bool:
        """Whether it carries the answer of a person to a held deployment."""
        return self.approved_by is not None or self.dismissed_by is not None


class RolledBack(Message, frozen=True, kw_only=True):
    """The rollback by which code lost its trust, as the author of that code needs it."""

    command_id: UUID
    tier: str
    reason: str
    rule: str
    """The text of the rule, with its numbers."""
    evidence: str | None = None
    from_version_id: VersionId
    rolled_back_at: Time
    executions: list[UUID]
    """The executions that decided, the newest first."""
    errors: list[str]
    """Errors of these executions: each different one once."""


class DeploymentOutcome(Message, frozen=True, kw_only=True):
    """The answer to a deployment.

    A newer server may use words that this client does not know, so the kinds of words are texts.
    """

    deployment_id: UUID
    tool_name: str
    status: str
    """``created``: there is a new version. ``unchanged``: the code is that of the current version.
    ``held``: it waits for a person, and another outcome of the same deployment follows.
    ``refused``: nothing changed."""
    refusal: str | None = None
    """The fault of a refused deployment, in words."""
    findings: list[str] | None = None
    """What speaks against a deployment that is held or was held, or that the gate refuses: one
    sentence each."""
    rolled_back: RolledBack | None = None
    """The rollback of the same code, if the refusal is ``identical_to_rolled_back``."""
    stopped: Stop | None = None
    """What a person said, if the refusal is ``frozen``, ``waits_for_resume`` or ``rejected``."""
    version_id: VersionId | None = None
    version_number: Count | None = None
    activation: Count | None = None
    is_breaking_change: bool | None = None
    breaking_changes: list[str] | None = None
    applied_at: Time


class ToolVersion(Message, frozen=True, kw_only=True):
    """The version of a tool that is current now, with its code: engines load it."""

    tool_name: ToolName
    version_id: VersionId
    version_number: Count
    code: str
    code_hash: Sha256
    created_by: str
    """``human`` or ``autonomous``."""
    improvement_type: str
    improvement_reason: str | None = None
    previous_version_id: VersionId | None = None
    is_breaking_change: bool
    breaking_changes: list[str]
    accepted_breaks: list[AcceptedBreak] = msgspec.field(default_factory=list)
    deployment_id: UUID
    activation: Count
    activated_at: Time
    activated_by: ActivatedBy
    author: ShortText | None = None
    """The name of the author who has signed the deployment; None if it was not signed."""
