"""The engine with all that it runs on, and the eyes that watch it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from examples.autonomous_loop.watch import Watch
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.tool_process import Child, ChildLoader
from rollguard.client import EngineClient, Settings
from rollguard.registry import ToolRegistry

FILES: Final = 100
"""So many files are worked on in turn. The verdicts expected of the candidates are proved for each
of them as the first."""


@dataclass(frozen=True)
class Orchestrator:
    """``watch`` sees every run of the ``engine``, which runs what ``tool_registry`` has loaded, and
    publishes its executions as those of ``session_id``.
    """

    client: EngineClient
    tool_registry: ToolRegistry[Child]
    engine: Engine
    session_id: str
    watch: Watch


@asynccontextmanager
async def orchestrated(settings: Settings) -> AsyncIterator[Orchestrator]:
    """An engine that is ready to run; its children end with the block. Raises Retryable and
    Misconfigured.
    """
    session_id = f"autonomous-loop-{uuid4().hex[:8]}"
    async with (
        EngineClient(settings) as client,
        ToolRegistry(settings, ChildLoader()) as registry,
    ):
        await registry.caught_up.wait()
        engine = Engine(client, registry, stdlib_files()[:FILES], session_id=session_id)
        watch = Watch()
        engine.on_run.append(watch.ran)
        yield Orchestrator(client, registry, engine, session_id, watch)
