"""Deployments, what came of them, and the version that is current now."""

from hashlib import sha256
from typing import Any, Final, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from schemas.execution import ActivatedBy, Activation
from schemas.fields import (
    Code,
    Count,
    ImprovementType,
    LongText,
    Sha256,
    ShortText,
    Time,
    ToolName,
    VersionId,
)
from schemas.message import Message
from schemas.rollback import Reason, Tier

MAX_ACCEPTED_BREAKS: Final = 50
"""With these, its code and what it breaks a version still fits into one record."""

Author = Literal["human", "autonomous"]


def code_hash_of(code: str) -> str:
    """SHA-256 of the code in UTF-8, in hex."""
    return sha256(code.encode()).hexdigest()


class AcceptedBreak(Message):
    """A change that breaks callers, and that its author means: of this ``kind``, of this
    ``object``, or, where both are named, of this kind on this object. It is kept and shown beside
    what was found; it takes nothing away from ``is_breaking_change``.
    """

    kind: ShortText | None = None
    object: ShortText | None = None
    reason: ShortText

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.kind and not self.object:
            raise ValueError("names neither a kind nor an object")
        return self


class Deployment(Message):
    """A wish that this code be the current version of the tool."""

    cleaned = ("improvement_reason", "accepted_breaks")

    deployment_id: UUID
    tool_name: ToolName
    code: Code
    created_by: Author
    improvement_type: ImprovementType
    improvement_reason: LongText | None = None
    deployed_at: Time
    accepted_breaks: list[AcceptedBreak] | None = Field(None, max_length=MAX_ACCEPTED_BREAKS)


class DeploymentId(Message):
    """As much of a bad deployment as its refusal needs."""

    cleaned = ("tool_name",)

    deployment_id: UUID
    tool_name: Any = None


IDENTICAL_TO_ROLLED_BACK: Final = "identical_to_rolled_back"
"""The refusal of code that a machine deploys again after it was rolled back."""


class RolledBack(Message):
    """The rollback by which code lost its trust, as the author of that code needs it.

    ``rule`` is the rule's text with its numbers, ``evidence`` what was weighed, where it was;
    ``executions`` are those that decided, the newest first, and ``errors`` what some of them came
    to, each once, one line, cut where long, as far as they are recorded.
    """

    command_id: UUID
    tier: Tier
    reason: Reason
    rule: str
    evidence: str | None = None
    from_version_id: VersionId
    rolled_back_at: Time
    executions: list[UUID]
    errors: list[str]


class DeploymentOutcome(Message):
    """What came of a deployment. ``refusal`` says what was wrong with a refused one, and
    ``rolled_back`` by what, where the code itself was (``identical_to_rolled_back``).
    """

    deployment_id: UUID
    tool_name: str
    status: Literal["created", "unchanged", "refused"]
    refusal: str | None = None
    rolled_back: RolledBack | None = None
    version_id: VersionId | None = None
    version_number: Count | None = None
    activation: Count | None = None
    is_breaking_change: bool | None = None
    breaking_changes: list[str] | None = None
    applied_at: Time


class ToolVersion(Message):
    """The version of a tool that is current now, code included: what engines load."""

    tool_name: ToolName
    version_id: VersionId
    version_number: Count
    code: str
    code_hash: Sha256
    created_by: Author
    improvement_type: str
    improvement_reason: str | None = None
    previous_version_id: VersionId | None = None
    is_breaking_change: bool
    breaking_changes: list[str]
    accepted_breaks: list[AcceptedBreak] = Field(default_factory=list)
    deployment_id: UUID
    activation: Count
    activated_at: Time
    activated_by: ActivatedBy

    def as_activation(self) -> Activation:
        """The same fact as the tool's log states it."""
        return Activation(
            tool_name=self.tool_name,
            version_id=self.version_id,
            version_number=self.version_number,
            previous_version_id=self.previous_version_id,
            code_hash=self.code_hash,
            activation=self.activation,
            activated_at=self.activated_at,
            activated_by=self.activated_by,
        )
