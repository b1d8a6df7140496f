"""What the engine has run: each published execution, with its version."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from rollguard_client import Execution, LoadedTool, Rollguard, ToolVersion


@dataclass(frozen=True)
class Run:
    """A call of a tool that was published, and the version that ran."""

    version: ToolVersion
    execution: Execution


def follow_runs(guard: Rollguard, callback: Callable[[Run], None]) -> None:
    """Call a function in the running event loop with each run, from now on."""
    loop, versions = asyncio.get_running_loop(), dict[int, ToolVersion]()

    def note(loaded: LoadedTool) -> None:
        versions[loaded.version.version_id] = loaded.version

    def tell(execution: Execution) -> None:
        version = versions.get(execution.version_id or 0)
        if version is not None and not loop.is_closed():
            loop.call_soon_threadsafe(callback, Run(version, execution))

    guard.registry.on_change.append(note)
    guard.on_published.append(tell)
