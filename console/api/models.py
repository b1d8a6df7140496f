"""What the API takes and gives, as its description (OpenAPI) shows it."""

from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from console.api.parameters import BY, Person
from db.executions.queries import ExecutionRecord
from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from db.versions.listing import LastRollback
from db.versions.reading import VersionRecord
from db.versions.verdicts import VerdictsOnVersion
from policy.decision.health import State
from rollguard.operations.overview.engines import EngineOfTool
from schemas.deployment import MAX_ACCEPTED_BREAKS, MAX_CHECKS, AcceptedBreak, Author, Check
from schemas.fields import ImprovementType, LongText, Time, VersionId, storable
from schemas.rollback import Reason
from schemas.stops import MAX_REASON, Stop

_TIME: Final = "2026-01-31T12:00:00Z"
StateNow = State | Literal["unknown"]
"""The state of a tool; `unknown` if no detector says anything about its current activation."""


class ApiModel(BaseModel):
    """A part of the API: its attributes are documented by the texts below them."""

    model_config = ConfigDict(use_attribute_docstrings=True)


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(use_attribute_docstrings=True, json_schema_extra={"examples": [values]})


class ToolNow(ApiModel):
    """A tool at a glance. What is not known is null."""

    model_config = _example(
        tool_name="parser",
        version_id=7,
        version_number=2,
        activation=3,
        activated_at=_TIME,
        success_rate=0.98,
        total_executions=1200,
        pinned=False,
        frozen=False,
        waits_for_resume=False,
        rejected=False,
        held=False,
        deployment_held=False,
        last_rollback=None,
        state="healthy",
        reason=None,
        as_of=_TIME,
    )

    tool_name: str
    version_id: int | None = None
    """The current version."""
    version_number: int | None = None
    activation: int | None = None
    activated_at: Time | None = None
    success_rate: float | None = None
    """Of the current version; null until it is executed."""
    total_executions: int | None = None
    pinned: bool | None = None
    """Whether a pin of it, or of all tools, is in force."""
    frozen: bool | None = None
    waits_for_resume: bool | None = None
    rejected: bool | None = None
    """Whether a person has rejected the code of the current version."""
    held: bool | None = None
    """Whether a rollback of the current version waits for a person."""
    deployment_held: bool | None = None
    last_rollback: LastRollback | None = None
    """The rollback that was carried out last."""
    state: StateNow
    reason: Reason | None = None
    """Why the version is condemned."""
    as_of: Time | None = None
    """The newest execution that the state rests on."""


class OneTool(ToolNow):
    """A tool, with its current version and what stops it."""

    model_config = ConfigDict(json_schema_extra={})

    version: VersionRecord | None
    """The current version; null if Postgres does not answer."""
    stops: list[Stop] | None
    """Those in force, of the tool and of all tools."""
    notes: list[str]
    """What is not known now, and why."""


class ToolList(ApiModel):
    """Tools by name."""

    tools: list[ToolNow]
    next_cursor: str | None
    """Where the next page begins; null after the last page."""
    notes: list[str]
    """What is not known now, and why."""
    source: Literal["postgres", "stream"]
    """`stream` if Postgres does not answer: then only what the detectors know is listed."""


class VersionList(ApiModel):
    """Versions of a tool, the newest first."""

    versions: list[VersionRecord]
    held: list[HeldDeployment]
    """The newest deployments that wait for a person, or waited."""
    next_cursor: str | None


class ExecutionList(ApiModel):
    """Executions of a tool, the newest first."""

    executions: list[ExecutionRecord]
    next_cursor: str | None
    """Where the next page begins. A page with a filter may have few executions, and another page
    after it."""


class RollbackList(ApiModel):
    """Rollback commands with their outcomes, the newest first."""

    rollbacks: list[RollbackRecord]
    next_cursor: str | None


class EngineList(ApiModel):
    """Engines and the tools that they run, by tool and engine."""

    engines: list[EngineOfTool]
    next_cursor: str | None
    """Where the next page begins. A page with a filter may have few engines, and another page
    after it."""


class Failures(ApiModel):
    """How many executions of a version have failed until now, and whose failures they are."""

    failures: int
    caller: int
    environment: int


class ExplainedRollback(RollbackRecord):
    """A rollback, and why it was decided."""

    rule: str
    """The rule, with the numbers that were in force."""
    evidence: str | None
    executions: list[ExecutionRecord]
    """The executions that decided it, the newest first."""
    unrecorded: list[str]
    """The ids of those that Postgres does not have (yet)."""
    failures: Failures | None
    later_verdicts: VerdictsOnVersion | None


class BadRecordData(ApiModel):
    """A record that was rejected."""

    id: str
    """Its position: topic, partition and offset."""
    topic: str
    partition: int
    offset: int
    role: str
    """Who rejected it."""
    key: str | None
    error: str
    rejected_at: Time
    times: int
    truncated: bool
    unpublished: int
    replayed_at: Time | None
    replayed_to: str | None


class DeadLetterList(ApiModel):
    """Bad records, the last rejected first."""

    dead_letters: list[BadRecordData]
    matching: int
    """How many match, on all pages."""
    next_cursor: str | None
    notes: list[str]


class SystemNow(ApiModel):
    """The state of the whole system; what is null did not answer."""

    software: dict[str, str]
    kafka: dict[str, Any] | None
    postgres: dict[str, Any] | None
    roles: list[dict[str, Any]]
    stuck: list[str]
    """A sentence for each thing that needs an operator; empty if all is well."""


class NewDeployment(ApiModel):
    """Code that is to become the current version."""

    model_config = _example(
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
    deployment_id: UUID | None = None
    """The id of this request, instead of an `Idempotency-Key`."""


class NewRollback(ApiModel):
    """An order to make a version current."""

    model_config = _example(to_version_number=1, reason="v2 is too slow", issued_by="ann")

    to_version_id: VersionId | None = None
    to_version_number: VersionId | None = None
    """The version: either its id or its number."""
    reason: LongText = ""
    issued_by: Person = BY
    command_id: UUID | None = None
    """The id of this request, instead of an `Idempotency-Key`."""

    @model_validator(mode="after")
    def _names_one_version(self) -> Self:
        if (self.to_version_id is None) == (self.to_version_number is None):
            raise ValueError("give either to_version_id or to_version_number")
        return self


class NewPin(ApiModel):
    """A pin: no automatic rollback of the tool."""

    model_config = _example(reason="black Friday", pinned_by="ann", expires_at=None)

    reason: Annotated[str, Field(max_length=MAX_REASON), AfterValidator(storable)] = ""
    pinned_by: Person = BY
    expires_at: Time | None = None
    """Null: until it is removed."""


class Approval(ApiModel):
    """The answer that a held rollback is carried out."""

    model_config = _example(approved_by="ann")

    approved_by: Person = BY


class Dismissal(ApiModel):
    """The answer that a held rollback is not carried out."""

    model_config = _example(dismissed_by="ann", dismissal="the input was wrong")

    dismissed_by: Person = BY
    dismissal: LongText = ""


class RejectedExecution(ApiModel):
    """An execution that was not published."""

    index: int
    """Its place in the request, from 0."""
    error: str


class Accepted(ApiModel):
    """What became of executions."""

    model_config = _example(
        accepted=2, rejected=[{"index": 1, "error": "executed_at: a time needs an offset"}]
    )

    accepted: int
    """How many were published; each counts once, however often it is sent."""
    rejected: list[RejectedExecution]
