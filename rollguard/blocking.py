"""Version management for engines without asyncio: the same methods, but blocking.

with ToolVersionManager() as version_manager:
    version_id = version_manager.create_version("parser", code)

Every method may be called from any thread. A thread that runs an event loop may call it too; the
loop then waits. The work is done by one event loop in a background thread, which ends at ``close``
or when Python exits. Arguments, results and errors are those of the coroutines of
``rollguard.ToolVersionManager`` and ``rollguard.DeploymentMonitor``.
"""

import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable
from datetime import datetime
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from rollguard.management import deployment_monitor, tool_version_manager
from rollguard.management.tool_version_manager import ReloadsTools
from rollguard_client.publishing.background import Background
from rollguard_client.requests.following import result_of
from schemas.deployment import AcceptedBreak, Author, Check
from schemas.settings import Settings

__all__ = ["DeploymentMonitor", "ToolVersionManager"]

T = TypeVar("T")

_CLOSE_S: Final = 10.0


class _ClosesAtExit(ABC):
    """A context manager that does nothing at the start, and closes itself at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Give back what is open."""


class _Background:
    """The client's background loop, for one version manager."""

    def __init__(self) -> None:
        self._is_closed = False
        self._pid = os.getpid()
        self._background = Background("rollguard", is_plain=True)
        self._background.start()

    @property
    def is_of_parent(self) -> bool:
        """Whether the thread runs in another process, which has forked this one."""
        return os.getpid() != self._pid

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Do the work in the loop, and return its result.

        If the wait is interrupted, the work is cancelled.
        """
        wrong = self._why_not()
        if wrong is not None:
            work.close()
            raise RuntimeError(wrong)
        return result_of(self._background.submit(work), timeout)

    def _why_not(self) -> str | None:
        if self.is_of_parent:
            return (
                "this version manager was made before a fork, and its thread is in the parent; "
                "make a new one in this process"
            )
        if self._is_closed:
            return "the version manager was closed"
        if self._background.is_current_thread:
            return (
                "a blocking method was called in the background thread, which would wait for itself"
            )
        return None

    def stop(self, last: Coroutine[Any, Any, None]) -> None:
        """Do the last work for at most 10 s, and end the thread.

        Calls that still wait in other threads raise CancelledError.
        """
        try:
            self.run(self._end_with(last), _CLOSE_S)
        finally:
            self._is_closed = True
            self._background.stop(_CLOSE_S)

    async def _end_with(self, last: Coroutine[Any, Any, None]) -> None:
        self._is_closed = True
        await last


class ToolVersionManager(_ClosesAtExit):
    """The versions of tools: ``with ToolVersionManager() as version_manager``.

    The arguments are those of ``rollguard.ToolVersionManager``. ``tool_registry`` is called in the
    background thread.
    """

    def __init__(
        self,
        execution_store: object = None,
        tool_registry: ReloadsTools | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        self.wrapped = tool_version_manager.ToolVersionManager(
            execution_store, tool_registry, settings=settings
        )
        self.background = _Background()
        self._end = weakref.finalize(self, _close, self.background, self.wrapped)

    def close(self) -> None:
        """Close all connections and end the background thread. It cannot be used again."""
        self._end()

    def create_version(
        self,
        tool_name: str,
        code: str,
        created_by: Author = "human",
        improvement_type: str = "initial",
        improvement_reason: str | None = None,
        previous_version_id: int | None = None,
        *,
        accepted_breaks: Iterable[AcceptedBreak] = (),
        checks: Iterable[Check] = (),
        deployment_id: UUID | None = None,
    ) -> int:
        """Make this code the tool's current version, and return the version's id.

        Code that is current already makes no new version. ``previous_version_id``, if given, must
        be the id of the current version. To repeat a ``deployment_id`` changes nothing and returns
        the first result. Raises ``Rejected`` (a ``ValueError``) if a field is wrong, and
        ``DeploymentRefused`` or ``DeploymentHeld``, a ``Rejected`` too, if the applier refuses the
        code or holds it for a person.
        """
        return self.background.run(
            self.wrapped.create_version(
                tool_name,
                code,
                created_by,
                improvement_type,
                improvement_reason,
                previous_version_id,
                accepted_breaks=accepted_breaks,
                checks=checks,
                deployment_id=deployment_id,
            )
        )

    def get_current_version(self, tool_name: str) -> dict[str, Any] | None:
        """Return the current version with its code and metrics; None if the tool has no versions.

        ``success_rate`` is from 0 to 1, and NaN until the version was executed.
        """
        return self.background.run(self.wrapped.get_current_version(tool_name))

    def get_version_history(self, tool_name: str, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest ``limit`` versions, the newest first; none if the tool has none."""
        return self.background.run(self.wrapped.get_version_history(tool_name, limit))

    def rollback_to_version(
        self,
        tool_name: str,
        version_id: int,
        reason: str,
        *,
        issued_by: str | None = None,
        command_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Make any version of the tool current, an older or a newer one.

        In the result ``success`` says whether it was done, and ``error`` why not. To repeat a
        ``command_id`` changes nothing and returns the first result.
        """
        return self.background.run(
            self.wrapped.rollback_to_version(
                tool_name, version_id, reason, issued_by=issued_by, command_id=command_id
            )
        )

    def compare_versions(
        self, tool_name: str, from_version_id: int, to_version_id: int
    ) -> dict[str, Any]:
        """Compare two versions of a tool: code, what breaks for callers, and metrics."""
        return self.background.run(
            self.wrapped.compare_versions(tool_name, from_version_id, to_version_id)
        )

    def check_immediate_rollback_needed(
        self, tool_name: str, at: datetime | str | None = None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """Say whether an immediate rule demands a rollback of the current version.

        The rules judge the executions in Postgres. Returns whether a rollback is needed, the reason
        (None if not), and the evidence (empty if not). ``at`` is a time with an offset that counts
        as now.
        """
        return self.background.run(self.wrapped.check_immediate_rollback_needed(tool_name, at))

    def update_version_metrics(
        self, tool_name: str, version_id: int | None = None
    ) -> dict[str, Any]:
        """Count a version's executions again, and correct its metrics if they differ.

        The result has ``changed``, and the metrics ``before`` and ``after``.
        """
        return self.background.run(self.wrapped.update_version_metrics(tool_name, version_id))


class DeploymentMonitor(_ClosesAtExit):
    """The health of current versions: ``with DeploymentMonitor() as monitor``.

    The arguments are those of ``rollguard.DeploymentMonitor``. It uses the background thread of
    ``version_manager``; without one it makes its own.
    """

    def __init__(
        self,
        execution_store: object = None,
        tool_registry: ReloadsTools | None = None,
        version_manager: ToolVersionManager | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        self._own = version_manager is None
        self.version_manager = version_manager or ToolVersionManager(
            execution_store, tool_registry, settings=settings
        )
        self._wrapped = deployment_monitor.DeploymentMonitor(
            version_manager=self.version_manager.wrapped
        )

    def close(self) -> None:
        """Close the version manager if this monitor has made it."""
        if self._own:
            self.version_manager.close()

    def check_health(self, tool_name: str, session_id: str | None = None) -> dict[str, Any]:
        """Ask the detector what all rules say now.

        ``needs_rollback`` says whether a rule demands a rollback; ``success_rate`` is that of the
        widest window. ``session_id`` is only returned.
        """
        return self.version_manager.background.run(
            self._wrapped.check_health(tool_name, session_id)
        )

    def auto_rollback_if_needed(
        self, tool_name: str, session_id: str | None = None, check_fast_rollback: bool = True
    ) -> dict[str, Any]:
        """Roll the current version back if a rule demands it.

        ``rollback_performed`` says whether it was. ``check_fast_rollback=False`` skips the
        immediate rules on the executions in Postgres. ``session_id`` is only returned.
        """
        return self.version_manager.background.run(
            self._wrapped.auto_rollback_if_needed(tool_name, session_id, check_fast_rollback)
        )


def _close(background: _Background, manager: tool_version_manager.ToolVersionManager) -> None:
    if not background.is_of_parent:  # a forked process must leave the parent's connections alone
        background.stop(manager.close())
