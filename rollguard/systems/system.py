"""What operators ask of a system and order from it, however it is reached.

There are two implementations: ``rollguard.systems.direct`` and ``rollguard.systems.remote``. Both
return the same results and raise the same errors: Missing and Rejected if something is wrong with
what was asked, Retryable (with the part) if something does not answer, Misconfigured if an operator
must correct something. What ``note`` is called with is said to the person, and fails nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from uuid import UUID

    from db.replays import RecordPosition
    from db.rollbacks.records import RollbackRecord
    from rollguard.operations.dead_letters.bad_records import DeadLetterFilter
    from rollguard.operations.dead_letters.causes import Causes
    from rollguard.operations.dead_letters.dead_letters import BadRecordInFull, BadRecordList
    from rollguard.operations.dead_letters.replay import Replays
    from rollguard.operations.overview.engines import EngineOfTool
    from rollguard.operations.overview.rollback_costs import CostedRollback
    from rollguard.operations.overview.status import SystemStatus
    from rollguard.operations.overview.tools import ToolAtAGlance
    from rollguard.operations.records import Publish
    from rollguard.operations.rollbacks import RollbackExplanation
    from rollguard.operations.stops import RejectedVersion
    from rollguard.operations.versions import FoundVersion, ToolHistory, VersionName
    from rollguard.operations.waiting import Held, HeldKey
    from schemas.deployment import AcceptedBreak, Author, Check, DeploymentOutcome
    from schemas.later_verdict import LaterVerdict
    from schemas.rollback import RollbackOutcome
    from schemas.stops import Pin, Stop

Note = Callable[[str], None]
"""Says something to the person."""


class NewVersion(NamedTuple):
    """Code that is to become a version."""

    code: str
    created_by: "Author"
    improvement_type: str
    improvement_reason: str | None
    accepted_breaks: "Sequence[AcceptedBreak]" = ()
    checks: "Sequence[Check]" = ()


class NewVerdict(NamedTuple):
    """What somebody says of an execution that has succeeded."""

    execution_id: "UUID"
    bad: bool
    by: str | None
    why: str | None


class Overview(Protocol):
    """Everything at a glance, and the health of one tool."""

    async def tools(self, state: str | None, note: Note) -> "Sequence[ToolAtAGlance]":
        """Return all tools, or those in this state, by name."""
        ...

    async def engines(self, tool: str | None, *, stale: bool = False) -> "Sequence[EngineOfTool]":
        """Return which engine runs which version of each tool; with ``stale`` only old ones."""
        ...

    async def status(self) -> "SystemStatus":
        """Return how brokers, Postgres and the roles do."""
        ...

    async def health(self, tool: str, note: Note) -> dict[str, Any]:
        """Return what the rules say of the current version, and what stops its rollback."""
        ...


class Versions(Protocol):
    """The versions of tools."""

    async def deploy(self, tool: str, new: NewVersion, deployment_id: "UUID") -> "FoundVersion":
        """Deploy code, wait for the outcome, and return the version that is current then.

        Raises DeploymentRefused and DeploymentHeld.
        """
        ...

    async def current(self, tool: str) -> "FoundVersion":
        """Return the current version."""
        ...

    async def named(self, tool: str, name: "VersionName") -> "FoundVersion":
        """Return one version."""
        ...

    async def id_of(self, tool: str, name: "VersionName") -> int:
        """Return the id of a version. One that is named by its id need not exist."""
        ...

    async def number_of(self, tool: str, version_id: int) -> int | None:
        """Return the number of a version; None if it is not known."""
        ...

    async def history(self, tool: str, limit: int) -> "ToolHistory":
        """Return the newest versions and held deployments."""
        ...

    async def compare(
        self, tool: str, before: "VersionName", after: "VersionName"
    ) -> dict[str, Any]:
        """Return what leads from one version to the other."""
        ...


class Executions(Protocol):
    """Executions, and what is said of them later."""

    def publishing(self) -> "AbstractAsyncContextManager[Publish]":
        """Return a block with a function that publishes executions."""
        ...

    async def judge(
        self, tool: str, said: NewVerdict, version: "VersionName | None"
    ) -> "LaterVerdict":
        """Publish a verdict; without ``version`` on the version that the execution was of."""
        ...


class Rollbacks(Protocol):
    """Rollbacks: those that were commanded, and new ones."""

    async def newest(
        self, tool: str | None, since: "datetime | None", limit: int
    ) -> "Sequence[RollbackRecord]":
        """Return the newest commands."""
        ...

    async def costs(
        self, tool: str | None, since: "datetime | None", limit: int
    ) -> "Sequence[CostedRollback]":
        """Return the newest commands with what each cost."""
        ...

    async def explained(self, beginning: str, tool: str | None) -> "RollbackExplanation":
        """Return why the command was decided whose id begins like this."""
        ...

    async def roll_back(
        self, tool: str, version_id: int, reason: str, by: str, command_id: "UUID"
    ) -> "RollbackOutcome":
        """Order a rollback in the name of a person, and return its outcome."""
        ...


class Holds(Protocol):
    """What waits for a person."""

    async def waiting(self, tool: str | None) -> "Sequence[Held]":
        """Return what waits, the newest first."""
        ...

    async def named(self, beginning: str, tool: str | None) -> "HeldKey":
        """Return the rollback or the held deployment whose id begins like this."""
        ...

    async def approve(self, held: "HeldKey", by: str) -> "RollbackOutcome | DeploymentOutcome":
        """Carry out what is held, and return the outcome."""
        ...

    async def dismiss(
        self, held: "HeldKey", reason: str, by: str
    ) -> "RollbackOutcome | DeploymentOutcome":
        """Reject or refuse what is held, and return the outcome."""
        ...


class Stops(Protocol):
    """What persons say against machines. A ``tool`` that is None stands for all tools."""

    async def pin(self, tool: str | None, reason: str, by: str, until: "datetime | None") -> "Pin":
        """Stop automatic rollbacks."""
        ...

    async def unpin(self, tool: str | None, by: str) -> "Pin":
        """Allow them again."""
        ...

    async def pin_of(self, tool: str | None) -> "Pin":
        """Return the pin of the tool, or else that of all tools."""
        ...

    async def pins(self) -> "Sequence[Pin]":
        """Return all pins that are in force, by tool."""
        ...

    async def freeze(
        self, tool: str | None, reason: str, by: str, until: "datetime | None"
    ) -> "Stop":
        """Stop autonomous deployments."""
        ...

    async def unfreeze(self, tool: str | None, by: str) -> "Stop":
        """Allow them again."""
        ...

    async def resume(self, tool: str, by: str) -> "Stop":
        """End the wait after a person's rollback."""
        ...

    async def reject(
        self, tool: str, version: "VersionName", reason: str, by: str
    ) -> "RejectedVersion":
        """Reject the code of a version."""
        ...

    async def all(self, tool: str | None, *, ended: bool, limit: int) -> "Sequence[Stop]":
        """Return the newest stops; with ``ended`` also those that are over."""
        ...


class DeadLetters(Protocol):
    """Records that could not be used."""

    async def matching(self, wanted: "DeadLetterFilter", limit: int) -> "BadRecordList":
        """Return those that match, the last rejected first."""
        ...

    async def causes(self, wanted: "DeadLetterFilter") -> "Causes":
        """Return why those that match were rejected, that with the newest record first."""
        ...

    async def in_full(self, position: "RecordPosition") -> "BadRecordInFull":
        """Return one of them with its value."""
        ...

    async def replay(self, wanted: "DeadLetterFilter", done: "Replays", *, force: bool) -> None:
        """Publish those that match again; the result for each is added to ``done``."""
        ...


class System(Protocol):
    """A system, by what is asked of it. What a part of it needs is imported when it is asked."""

    @property
    def overview(self) -> Overview:
        """Everything at a glance."""
        ...

    @property
    def versions(self) -> Versions:
        """The versions of tools."""
        ...

    @property
    def executions(self) -> Executions:
        """Executions."""
        ...

    @property
    def rollbacks(self) -> Rollbacks:
        """Rollbacks."""
        ...

    @property
    def holds(self) -> Holds:
        """What waits for a person."""
        ...

    @property
    def stops(self) -> Stops:
        """What persons say against machines."""
        ...

    @property
    def dead_letters(self) -> DeadLetters:
        """Records that could not be used."""
        ...
