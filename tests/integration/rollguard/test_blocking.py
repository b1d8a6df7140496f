"""Version management without async: from any thread, one loop behind it, and nothing left."""

import asyncio
import os
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest

from rollguard.blocking import DeploymentMonitor, ToolVersionManager
from schemas.errors import Rejected, RollguardError
from tests.support.systems.system import System
from tests.support.systems.workers import Workers


def _loops() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "rollguard"]


async def test_usable_from_any_thread(shared_system: System, tool: str) -> None:
    def work() -> None:
        with (
            ToolVersionManager(shared_system.settings) as manager,
            ThreadPoolExecutor(4) as threads,
        ):
            codes = [f"x = {number}\n" for number in range(8)]
            created = list(threads.map(lambda code: manager.create_version(tool, code), codes))
            history = manager.get_version_history(tool)
            assert sorted(created) == sorted(version["version_id"] for version in history)
            assert manager.rollback_to_version(tool, created[0], "back")["success"]
            assert manager.compare_versions(tool, created[0], created[1])["code_diff"]
            assert manager.check_immediate_rollback_needed(tool) == (False, None, {})
            assert manager.update_version_metrics(tool)["changed"] is False
            asyncio.run(shared_system.activation_judged(tool, len(codes) + 1))  # the rollback's
            monitor = DeploymentMonitor(version_manager=manager)
            assert monitor.check_health(tool)["needs_rollback"] is False
            assert monitor.auto_rollback_if_needed(tool, "s")["rollback_performed"] is False
            assert _loops() == ["rollguard"], "one loop for all"
            with pytest.raises(Rejected, match="tool_name"):
                manager.create_version("", "x")

    await asyncio.to_thread(work)
    assert _loops() == []


async def test_usable_where_a_loop_runs(shared_system: System, tool: str) -> None:
    with ToolVersionManager(shared_system.settings) as manager:
        created = manager.create_version(tool, "x = 1\n")
        current = manager.get_current_version(tool)
        assert current is not None
        assert current["version_id"] == created


async def test_closed_while_another_thread_waits(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    nobody = await Workers.prepared(embedded_broker, database_dsn, topic_prefix, tmp_path)
    manager = ToolVersionManager(nobody.settings)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(manager.create_version, "t", "x = 1\n")
        await asyncio.sleep(1)
        manager.close()
        with pytest.raises((CancelledError, RollguardError)):
            waiting.result(10)
    with pytest.raises(RuntimeError, match="closed"):
        manager.get_current_version("t")


def test_closed_by_itself_when_forgotten() -> None:
    manager = ToolVersionManager()
    assert _loops() == ["rollguard"]
    del manager
    assert _loops() == []


def test_a_manager_from_before_a_fork_raises_at_once() -> None:
    manager = ToolVersionManager()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            manager.get_current_version("t")
        except RuntimeError as error:
            os.write(writer, str(error).encode())
        manager.close()
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        assert "made before a fork" in told.read()
    assert os.waitpid(child, 0)[1] == 0
    assert _loops() == ["rollguard"], "the parent's manager goes on"
    manager.close()
