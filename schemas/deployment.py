"""Deployments, their outcomes, and the version of a tool that is current now."""

from hashlib import sha256
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, field_validator, model_validator

from schemas.execution import ActivatedBy, Activation
from schemas.fields import (
    Code,
    Count,
    ImprovementType,
    LongText,
    NewToolName,
    Sha256,
    ShortLine,
    ShortText,
    Time,
    ToolName,
    VersionId,
    one_line,
    storable,
)
from schemas.message import Message
from schemas.rollback import Reason, Tier
from schemas.stops import Stop

MAX_ACCEPTED_BREAKS: Final = 50
"""With this many, a version still fits into one record, together with its code and the changes
that break callers."""
MAX_CHECKS: Final = 50
"""With this many, the outcome of a deployment still fits into one record."""
MAX_CHECK_DETAIL: Final = 1_000
"""How long the detail of a check may be, in characters."""

Author = Literal["human", "autonomous"]
StopRefusal = Literal["frozen", "waits_for_resume", "rejected"]
"""The refusals of an autonomous deployment because of what a person said (``schemas.stops``)."""


def _without_byte_order_mark(code: str) -> str:
    """Return the code without a byte order mark at its start, which Python skips in a file."""
    return code.removeprefix("\ufeff")


def code_hash_of(code: str) -> str:
    """Return the SHA-256 of the code in UTF-8, in hexadecimal digits."""
    return sha256(code.encode()).hexdigest()


class AcceptedBreak(Message):
    """A change that breaks callers and that the author of a deployment accepts.

    It names a ``kind`` of change, an ``object`` that is changed, or both: then it accepts this kind
    of change of this object only. It is stored and shown beside the findings, and
    ``is_breaking_change`` stays as it is.
    """

    kind: ShortText | None = None
    """The kind of the change, such as ``parameter_removed``; None accepts every kind."""
    object: ShortText | None = None
    """The object that is changed, such as ``execute``; None accepts every object."""
    reason: ShortText
    """Why the change is intended."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.kind and not self.object:
            raise ValueError("names neither a kind nor an object")
        return self


class Check(Message):
    """A check that the author or the engine made of the code before it was deployed.

    It is kept and shown with the version. One that failed speaks against a machine's deployment if
    the setting `gate` asks for it.
    """

    name: Annotated[ShortLine, Field(min_length=1)]
    """What was checked, such as ``smoke``."""
    ok: bool
    """Whether the code passed."""
    detail: Annotated[str, Field(max_length=MAX_CHECK_DETAIL), AfterValidator(storable)] | None = (
        None
    )
    """What was found, in words."""


class Deployment(Message):
    """A request to make this code the current version of the tool.

    A held deployment is published again with the answer of a person.
    """

    cleaned = (
        *("improvement_reason", "accepted_breaks", "checks"),
        *("approved_by", "dismissed_by", "dismissal"),
    )

    deployment_id: UUID
    tool_name: NewToolName
    code: Annotated[Code, AfterValidator(_without_byte_order_mark)]
    created_by: Author
    improvement_type: ImprovementType
    improvement_reason: LongText | None = None
    deployed_at: Time
    accepted_breaks: list[AcceptedBreak] | None = Field(None, max_length=MAX_ACCEPTED_BREAKS)
    checks: list[Check] | None = Field(None, max_length=MAX_CHECKS)
    """The checks that were made of the code; kept and shown."""
    approved_by: ShortLine | None = None
    """The person who decided that this held deployment becomes a version."""
    dismissed_by: ShortLine | None = None
    """The person who decided that this held deployment becomes no version."""
    dismissal: LongText | None = None
    """Why it becomes no version."""

    @property
    def is_answer(self) -> bool:
        """Whether it carries the answer of a person to a held deployment."""
        return self.approved_by is not None or self.dismissed_by is not None

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.approved_by is not None and self.dismissed_by is not None:
            raise ValueError("approved_by and dismissed_by exclude each other")
        return self

    @field_validator("accepted_breaks")
    @classmethod
    def _named_on_one_line(cls, breaks: list[AcceptedBreak] | None) -> list[AcceptedBreak] | None:
        for each in breaks or ():
            one_line(each.kind or "")
            one_line(each.object or "")
        return breaks


class AuthoredDeployment(Deployment):
    """A deployment whose author is known by a signature. ``created_by`` is what the key says."""

    author: ShortText
    """The name of the author."""
    authorship: str = Field(exclude=True)
    """What the author has signed (``signatures.header.Authorship``), as JSON."""


class DeploymentId(Message):
    """The part of a bad deployment that its refusal needs."""

    cleaned = ("tool_name",)

    deployment_id: UUID
    tool_name: Any = None
    approved_by: Any = None
    dismissed_by: Any = None

    @property
    def is_answer(self) -> bool:
        """Whether it was meant as an answer to a held deployment."""
        return self.approved_by is not None or self.dismissed_by is not None


IDENTICAL_TO_ROLLED_BACK: Final = "identical_to_rolled_back"
"""The refusal of code that a machine deploys again although it was rolled back."""
GATE: Final = "gate"
"""The refusal of a machine's deployment because of findings."""
NOT_HELD: Final = "not_held"
"""The refusal of an answer to a deployment that nobody has sent."""
DISMISSED: Final = "dismissed by "
"""With this begins the refusal of a held deployment that a person dismissed: who, and why."""
EXPIRED: Final = "expired"
"""The refusal of a held deployment that nobody answered in time."""
SUPERSEDED: Final = "superseded"
"""The refusal of a held deployment after which another one of the tool came."""


class RolledBack(Message):
    """The rollback by which code lost its trust, as the author of that code needs it."""

    command_id: UUID
    tier: Tier
    reason: Reason
    rule: str
    """The text of the rule, with the numbers that were in force."""
    evidence: str | None = None
    """The evidence in one sentence, if the decision rests on evidence."""
    from_version_id: VersionId
    rolled_back_at: Time
    executions: list[UUID]
    """The executions that decided, the newest first (``Explanation.decided_by``)."""
    errors: list[str]
    """Errors of these executions, or why they were judged bad, as far as they are known: each
    different one once, on one line, cut if it is long."""


class DeploymentOutcome(Message):
    """The answer to a deployment."""

    deployment_id: UUID
    tool_name: str
    status: Literal["created", "unchanged", "held", "refused"]
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


class ToolVersion(Message):
    """The version of a tool that is current now, with its code: engines load it."""

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
    author: ShortText | None = None
    """The name of the author who has signed the deployment; None if it was not signed."""
    authorship: str | None = Field(None, exclude=True)
    """What the author has signed, as JSON. It is no part of the message: it travels in a header."""

    def as_activation(self) -> Activation:
        """Return the activation that states the same in the tool's log."""
        return Activation(
            tool_name=self.tool_name,
            version_id=self.version_id,
            version_number=self.version_number,
            previous_version_id=self.previous_version_id,
            code_hash=self.code_hash,
            activation=self.activation,
            activated_at=self.activated_at,
            activated_by=self.activated_by,
            author=self.author,
            is_breaking_change=self._breaks_calls_now or None,
        )

    @property
    def _breaks_calls_now(self) -> bool:
        """Whether this activation breaks calls; one by a rollback brings known code back."""
        return self.is_breaking_change and self.activated_by.kind == "deployment"
