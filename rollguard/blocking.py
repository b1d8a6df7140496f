"""Version management for engines that are not async: the same methods, blocking.

with ToolVersionManager() as version_manager:
    version_id = version_manager.create_version("parser", code)

Usable from any thread, also from one that runs an event loop of its own (which then waits). The
work is done by one loop in a background thread, ended by ``close`` or at exit. Arguments, results
and errors are those of :mod:`rollguard.management.tool_version_manager` and
:mod:`rollguard.management.deployment_monitor`.
"""

import asyncio
import threading
import weakref
from collections.abc import Coroutine, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from rollguard.management import deployment_monitor, tool_version_manager
from rollguard.management.tool_version_manager import ReloadsTools
from schemas.deployment import AcceptedBreak, Author
from schemas.settings import Settings

__all__ = ["DeploymentMonitor", "ToolVersionManager"]

T = TypeVar("T")

_CLOSE_S: Final = 10.0


class _Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rollguard", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """The result of the work, done in the loop; what interrupts the wait cancels it."""
        if self._is_closed or threading.current_thread() is self._thread:
            work.close()
            if self._is_closed:
                raise RuntimeError("the version manager was closed")
            raise RuntimeError("a blocking method was called by the loop that it would wait for")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def stop(self, last: Coroutine[Any, Any, None]) -> None:
        """Do the last work, for a limited time, and end the thread; who still waits in another
        thread gets a CancelledError.
        """
        try:
            self.run(self._end_with(last), _CLOSE_S)
        finally:
            self._is_closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_S)
            self._loop.close()

    async def _end_with(self, last: Coroutine[Any, Any, None]) -> None:
        self._is_closed = True
        await last
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class ToolVersionManager:
    """The blocking :class:`rollguard.management.tool_version_manager.ToolVersionManager`.

    ``tool_registry`` is called in the background thread.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back all connections and end the background thread; it cannot be used again."""
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
        deployment_id: UUID | None = None,
    ) -> int:
        """Make this code the tool's current version; the version's id."""
        return self.background.run(
            self.wrapped.create_version(
                tool_name,
                code,
                created_by,
                improvement_type,
                improvement_reason,
                previous_version_id,
                accepted_breaks=accepted_breaks,
                deployment_id=deployment_id,
            )
        )

    def get_current_version(self, tool_name: str) -> dict[str, Any] | None:
        """The version that is current now; None for a tool without versions."""
        return self.background.run(self.wrapped.get_current_version(tool_name))

    def get_version_history(self, tool_name: str, limit: int = 50) -> list[dict[str, Any]]:
        """The newest ``limit`` versions, the newest first."""
        return self.background.run(self.wrapped.get_version_history(tool_name, limit))

    def rollback_to_version(
        self,
        tool_name: str,
        version_id: int,
        reason: str,
        *,
        issued_by: str = "human",
        command_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Make any version of the tool current; whether and why not."""
        return self.background.run(
            self.wrapped.rollback_to_version(
                tool_name, version_id, reason, issued_by=issued_by, command_id=command_id
            )
        )

    def compare_versions(
        self, tool_name: str, from_version_id: int, to_version_id: int
    ) -> dict[str, Any]:
        """What leads from one version to the other."""
        return self.background.run(
            self.wrapped.compare_versions(tool_name, from_version_id, to_version_id)
        )

    def check_immediate_rollback_needed(
        self, tool_name: str, at: datetime | str | None = None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """What the immediate rules say of what Postgres holds."""
        return self.background.run(self.wrapped.check_immediate_rollback_needed(tool_name, at))

    def update_version_metrics(
        self, tool_name: str, version_id: int | None = None
    ) -> dict[str, Any]:
        """Count a version's executions anew; what that changed."""
        return self.background.run(self.wrapped.update_version_metrics(tool_name, version_id))


class DeploymentMonitor:
    """The blocking :class:`rollguard.management.deployment_monitor.DeploymentMonitor`. It shares
    the background thread of ``version_manager``, and without one makes its own.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what this monitor has opened itself."""
        if self._own:
            self.version_manager.close()

    def check_health(self, tool_name: str, session_id: str | None = None) -> dict[str, Any]:
        """What all rules say now, from the detector's table."""
        return self.version_manager.background.run(
            self._wrapped.check_health(tool_name, session_id)
        )

    def auto_rollback_if_needed(
        self, tool_name: str, session_id: str | None = None, check_fast_rollback: bool = True
    ) -> dict[str, Any]:
        """Roll the current version back if a rule holds."""
        return self.version_manager.background.run(
            self._wrapped.auto_rollback_if_needed(tool_name, session_id, check_fast_rollback)
        )


def _close(background: _Background, manager: tool_version_manager.ToolVersionManager) -> None:
    background.stop(manager.close())
