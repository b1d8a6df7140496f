"""The engine, with its connections and the record of its runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from examples.autonomous_loop.watch import Watch
from examples.engine.catalogue import TOOLS
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.tool_process import ToolProcess, ToolProcessLoader
from rollguard.client import EngineClient, Settings
from rollguard.registry import ToolRegistry

FILES: Final = 100
"""The number of files that the tools work on in turn. A test proves that the expected verdicts do
not depend on which file comes first."""


@dataclass(frozen=True)
class Orchestrator:
    """An engine with its connections.

    The engine runs what ``tool_registry`` has loaded, and publishes executions with ``session_id``.
    ``watch`` gets every run.
    """

    client: EngineClient
    tool_registry: ToolRegistry[ToolProcess]
    engine: Engine
    session_id: str
    watch: Watch


@asynccontextmanager
async def orchestrated(settings: Settings) -> AsyncIterator[Orchestrator]:
    """Provide an engine that is ready to run; its tool processes end with the block.

    Raises Retryable and Misconfigured.
    """
    session_id = f"autonomous-loop-{uuid4().hex[:8]}"
    async with (
        EngineClient(settings) as client,
        ToolRegistry(settings, ToolProcessLoader(), tools=TOOLS) as registry,
    ):
        await registry.caught_up.wait()
        engine = Engine(client, registry, stdlib_files()[:FILES], session_id=session_id)
        watch = Watch()
        engine.on_run.append(watch.add_run)
        yield Orchestrator(client, registry, engine, session_id, watch)
