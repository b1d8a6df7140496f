"""What the API gives, as its description (OpenAPI) shows it."""

from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from db.executions.queries import ExecutionRecord
from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from db.versions.listing import LastRollback
from db.versions.reading import VersionRecord
from db.versions.verdicts import VerdictsOnVersion
from policy.decision.health import State
from policy.rollbacks.costs import RollbackCost, TotalCost
from rollguard.operations.overview.engines import EngineOfTool
from rollguard.operations.overview.rollback_costs import Affected
from schemas.fields import Time
from schemas.rollback import Reason
from schemas.stops import Stop

_TIME: Final = "2026-01-31T12:00:00Z"
StateNow = State | Literal["unknown"]
"""The state of a tool; `unknown` if no detector says anything about its current activation."""


class ApiModel(BaseModel):
    """A part of the API: its attributes are documented by the texts below them."""

    model_config = ConfigDict(use_attribute_docstrings=True)


def example(**values: Any) -> ConfigDict:
    """Return the configuration of a model with an example of it."""
    return ConfigDict(use_attribute_docstrings=True, json_schema_extra={"examples": [values]})


class ToolNow(ApiModel):
    """A tool at a glance. What is not known is null."""

    model_config = example(
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


class OneVersion(VersionRecord):
    """A version with its code, its metrics, and the rollbacks about it."""

    previous_version_number: int | None
    """The number of the version that it replaced."""


class OneTool(ToolNow):
    """A tool, with its current version and what stops it."""

    model_config = ConfigDict(json_schema_extra={})

    version: OneVersion | None
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


class VersionMetrics(ApiModel):
    """The metrics of a version."""

    success_rate: float | None
    total_executions: int
    successful_executions: int


class Recounted(ApiModel):
    """The metrics of a version before and after they were counted again."""

    tool_name: str
    version_id: int
    changed: bool
    before: VersionMetrics
    after: VersionMetrics


class ImmediateVerdict(ApiModel):
    """Whether an immediate rule demands a rollback."""

    needs_rollback: bool
    reason: str | None
    details: dict[str, Any]


class MonitorResult(ApiModel):
    """Whether the current version was rolled back; null is what no rule demanded."""

    rollback_performed: bool
    type: Literal["fast", "standard"] | None
    success: bool | None = None
    status: str | None = None
    tool_name: str | None = None
    rolled_back_to_version: int | None = None
    """Its number."""
    from_version_id: int | None = None
    to_version_id: int | None = None
    command_id: UUID | None = None
    tier: str | None = None
    reason: str | None = None
    rejection: str | None = None
    error: str | None = None
    """Why it was not carried out, in a sentence."""
    details: dict[str, Any] | None = None


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


class ListedRollback(RollbackRecord):
    """A rollback of a list."""

    cost: RollbackCost | None = None
    """With `costs`; null also if the command names no version of its tool."""


class RollbackList(ApiModel):
    """Rollback commands with their outcomes, the newest first."""

    rollbacks: list[ListedRollback]
    total: TotalCost | None
    """The costs of those that are listed, together; null without `costs`."""
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
    cost: RollbackCost | None
    """Null if the command names no version of the tool."""
    affected: Affected | None


class HeldRollback(RollbackRecord):
    """A rollback that waits for a person, and why it was decided."""

    rule: str
    """The rule, with the numbers that were in force."""
    evidence: str | None


class Hold(ApiModel):
    """What waits for a person: either a rollback or a deployment."""

    kind: Literal["rollback", "deployment"]
    held_id: UUID
    """Its `command_id` or its `deployment_id`."""
    tool_name: str
    held_at: Time
    expires_at: Time | None
    """When it is rejected or refused if nobody answers."""
    rollback: HeldRollback | None = None
    deployment: HeldDeployment | None = None


class OneHold(Hold):
    """What waits for a person, or has waited."""

    waits: bool
    """Whether it can be answered now."""
    code: str | None = None
    """The code of a deployment, while it waits."""


class HoldList(ApiModel):
    """What waits for a person, the newest first."""

    holds: list[Hold]
    next_cursor: str | None


class StopList(ApiModel):
    """Pins, freezes, rejections and waits, the newest first."""

    stops: list[Stop]
    next_cursor: str | None


class RejectedCode(Stop):
    """A rejection, and what to do if its version is current."""

    is_current: bool
    """Whether the version is current, and stays so."""
    way_back: dict[str, Any] | None
    """If it is current: the nearest trusted version back; null if there is none."""


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
    cause: str
    """The error without names, numbers and ids: records with the same cause belong together."""
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
    unpublished: int
    """How many more bad records between them have no dead letter, because too many came at
    once."""
    next_cursor: str | None
    notes: list[str]


class BadRecordInFullData(BadRecordData):
    """A record that was rejected, with its value."""

    first_rejected_at: Time
    key_base64: str | None
    value: str | None
    """The value as text; null if it is none, or not UTF-8. Of a long one the first 64 KiB."""
    value_base64: str | None
    notes: list[str]


class Cause(ApiModel):
    """Why records were rejected, and how many."""

    cause: str
    """The error without names, numbers and ids."""
    topic: str
    role: str
    """Who rejected them."""
    records: int
    unpublished: int
    """How many more have no dead letter, and cannot be replayed."""
    first_rejected_at: Time
    rejected_at: Time
    """When the last one was rejected."""
    tools: list[str]
    """Keys of some of the records."""
    newest: str
    """The id of the record that was rejected last."""
    error: str
    """Its error."""


class CauseList(ApiModel):
    """Causes of bad records, that with the newest record first."""

    causes: list[Cause]
    records: int
    """How many records were rejected, of all causes."""
    notes: list[str]


class ReplayedRecord(ApiModel):
    """A record that was published again."""

    id: str
    to: str
    """Its new position."""
    deployment_id: UUID | None
    """The new id, if it is a deployment."""


class NotReplayedRecord(ApiModel):
    """A record that was not published again."""

    id: str
    reason: str


class ReplayDone(ApiModel):
    """What became of bad records."""

    model_config = example(
        replayed=[
            {"id": "tool-executions:0:17", "to": "tool-executions:0:21", "deployment_id": None}
        ],
        refused=[],
        unpublished=0,
        next_cursor=None,
    )

    replayed: list[ReplayedRecord]
    refused: list[NotReplayedRecord]
    unpublished: int
    """How many bad records between them have no dead letter, and cannot be replayed."""
    next_cursor: str | None
    """Send it back as `cursor` to go on; null if all were tried."""


class SystemNow(ApiModel):
    """The state of the whole system; what is null did not answer."""

    software: dict[str, str]
    as_of: Time
    """When it was asked for."""
    kafka: dict[str, Any] | None
    postgres: dict[str, Any] | None
    roles: list[dict[str, Any]]
    """Each with its workers, its `lag`, and its `trend`: `handled_per_s`, `written_per_s`,
    `direction` of the lag, and for how long at least the oldest record waits (`unread_for_s`). The
    trend is null until two states were asked for within a minute."""
    stuck: list[str]
    """A sentence for each thing that needs an operator; empty if all is well."""
    stuck_since: dict[str, Time]
    """Since when each of these is known; a console knows what it was asked for within a minute."""
    outages: list[dict[str, Any]] | None
    """Those that last, by partition; null if no detector answers."""
    receivers: list[dict[str, Any]]
    """Who is told by a notifier: `name`, `kind`, `routes`, and `lag`."""
    notes: list[str]
    """What is not known now, and why."""


class RejectedExecution(ApiModel):
    """An execution that was not published."""

    index: int
    """Its place in the request, from 0."""
    error: str


class Accepted(ApiModel):
    """What became of executions."""

    model_config = example(
        accepted=2, rejected=[{"index": 1, "error": "executed_at: a time needs an offset"}]
    )

    accepted: int
    """How many were published; each counts once, however often it is sent."""
    rejected: list[RejectedExecution]
