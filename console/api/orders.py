"""What the API takes: the bodies of requests, as its description (OpenAPI) shows them."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from console.admission.visitor import BY
from console.api.models import ApiModel, example
from console.api.parameters import Person, no_nul
from schemas.deployment import MAX_ACCEPTED_BREAKS, MAX_CHECKS, AcceptedBreak, Author, Check
from schemas.fields import ImprovementType, LongText, Time, VersionId, storable
from schemas.stops import MAX_REASON

_Reason = Annotated[str, Field(max_length=MAX_REASON), AfterValidator(storable)]
_Id = Annotated[UUID, Field(strict=False)]
"""JSON has ids as texts."""


class Order(ApiModel):
    """An order of somebody. Types are strict, as in messages: ``true`` is no number."""

    model_config = ConfigDict(strict=True)


class NewDeployment(Order):
    """Code that is to become the current version."""

    model_config = example(
        code="def execute(text):\n    return text.split()\n",
        created_by="autonomous",
        improvement_type="bug_fix",
        improvement_reason="it failed for empty texts",
    )

    code: str
    """The source text."""
    created_by: Author = "human"
    improvement_type: Annotated[ImprovementType, AfterValidator(storable)] = "initial"
    improvement_reason: LongText | None = None
    accepted_breaks: list[AcceptedBreak] = Field([], max_length=MAX_ACCEPTED_BREAKS)
    """Changes that break callers and that are intended."""
    checks: list[Check] = Field([], max_length=MAX_CHECKS)
    """Checks that were made of the code."""
    previous_version_id: VersionId | None = None
    """The version that is current now: 422 if another one is."""
    deployment_id: _Id | None = None
    """The id of this request, instead of an `Idempotency-Key`."""


class NewRollback(Order):
    """An order to make a version current."""

    model_config = example(to_version_number=1, reason="v2 is too slow", issued_by="ann")

    to_version_id: VersionId | None = None
    to_version_number: VersionId | None = None
    """The version: either its id or its number."""
    reason: LongText = ""
    issued_by: Person = BY
    by_rule: bool = False
    """If the rule that `reason` names holds now, issue its automatic command, to this version: the
    code that is replaced then loses its trust."""
    command_id: _Id | None = None
    """The id of this request, instead of an `Idempotency-Key`."""

    @model_validator(mode="after")
    def _names_one_version(self) -> Self:
        if (self.to_version_id is None) == (self.to_version_number is None):
            raise ValueError("give either to_version_id or to_version_number")
        return self


class AutomaticRollback(Order):
    """The question whether a rule demands a rollback, which is then ordered."""

    model_config = example(check_fast_rollback=True)

    check_fast_rollback: bool = True
    """Whether the immediate rules first judge the executions in Postgres."""


class NewPin(Order):
    """A pin: no automatic rollback of the tool."""

    model_config = example(reason="black Friday", pinned_by="ann", expires_at=None)

    reason: _Reason = ""
    pinned_by: Person = BY
    expires_at: Time | None = None
    """Null: until it is removed."""


class NewFreeze(Order):
    """A freeze: no machine deploys the tool."""

    model_config = example(reason="the audit", set_by="ann", expires_at=None)

    reason: _Reason = ""
    set_by: Person = BY
    expires_at: Time | None = None
    """Null: until it is removed."""


class NewRejection(Order):
    """The rejection of a version's code."""

    model_config = example(reason="it leaks passwords", set_by="ann")

    reason: _Reason = ""
    set_by: Person = BY


class Resumption(Order):
    """The end of a wait: machines may deploy the tool again."""

    model_config = example(resumed_by="ann")

    resumed_by: Person = BY


class NewVerdict(Order):
    """What somebody says of an execution that has succeeded."""

    model_config = example(bad=True, why="the total is wrong", by="ann")

    bad: bool
    """Whether its result was wrong."""
    by: Person = BY
    why: LongText | None = None
    version_id: VersionId | None = None
    """The version that ran; by default the one that Postgres has for the execution."""


class NewReplay(Order):
    """Which bad records are published again: one by its `id`, or all that match."""

    model_config = example(cause="executed_at: a time needs an offset", topic="tool-executions")

    id: Annotated[str, Field(max_length=300), AfterValidator(no_nul)] | None = None
    """One record: its position, as the list has it."""
    topic: Annotated[str, Field(max_length=249), AfterValidator(no_nul)] | None = None
    tool: Annotated[str, Field(max_length=255), AfterValidator(no_nul)] | None = None
    error: Annotated[str, Field(max_length=1_000), AfterValidator(no_nul)] | None = None
    """A part of the error."""
    cause: Annotated[str, Field(max_length=2_000), AfterValidator(no_nul)] | None = None
    """The cause, as the list of causes has it."""
    since: Time | None = None
    all: Literal[True] | None = None
    """Needed if nothing else says which records."""
    force: bool = False
    """Also publish records that would be rejected again, or that a later change overtook; but none
    a second time."""
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    """Try at most this many, the oldest dead letters first."""
    cursor: Annotated[str, Field(max_length=2_000)] | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        selects = (self.topic, self.tool, self.error, self.cause, self.since)
        has_one, has_some = self.id is not None, any(each is not None for each in selects)
        if has_one and (has_some or self.all):
            raise ValueError("give either id, or what selects records")
        if not (has_one or has_some or self.all):
            raise ValueError("say which records: id, what selects some, or all")
        return self


class Approval(Order):
    """The answer that what is held is carried out."""

    model_config = example(approved_by="ann")

    approved_by: Person = BY


class Dismissal(Order):
    """The answer that what is held is not carried out."""

    model_config = example(dismissed_by="ann", dismissal="the input was wrong")

    dismissed_by: Person = BY
    dismissal: LongText = ""
