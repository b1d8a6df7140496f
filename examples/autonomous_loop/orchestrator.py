"""The engine, with its connections and the record of its runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from examples.autonomous_loop.watch import Watch
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.runs import follow_runs
from rollguard.client import EngineClient, Settings, client_settings
from rollguard_client import Rollguard

FILES: Final = 100
"""The number of files that the tools work on in turn. A test proves that the expected verdicts do
not depend on which file comes first."""


@dataclass(frozen=True)
class Orchestrator:
    """An engine with its connections.

    The engine publishes executions with ``session_id``. ``watch`` gets every run.
    """

    client: EngineClient
    engine: Engine
    session_id: str
    watch: Watch


@asynccontextmanager
async def orchestrated(settings: Settings) -> AsyncIterator[Orchestrator]:
    """Provide an engine that is ready to run; its tool processes end with the block.

    Raises Retryable and Misconfigured.
    """
    session_id = f"autonomous-loop-{uuid4().hex[:8]}"
    guard = Rollguard(client_settings(settings))
    try:
        async with EngineClient(settings) as client:
            engine = Engine(guard, stdlib_files()[:FILES], session_id)
            watch = Watch()
            follow_runs(guard, watch.add_run)
            yield Orchestrator(client, engine, session_id, watch)
    finally:
        await asyncio.to_thread(guard.close)
