"""The program ``python -m examples.engine``: it runs against the configured Kafka until Ctrl-C.

It deploys the first version of each tool that has not been deployed yet. If Kafka is away, it
starts with the versions that it used last.
"""

import asyncio
import contextlib
import signal
import sys

import structlog

from examples.engine.catalogue import TOOLS
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.runs import Run, follow_runs
from rollguard_client import Retryable, Rollguard, RollguardError

INTERVAL_S = 0.1

log = structlog.get_logger()


async def main() -> None:
    """Deploy the tools that have no version, then run all tools in turn."""
    _cancel_on_signals()
    with Rollguard() as guard:
        engine = Engine(guard, stdlib_files())
        follow_runs(guard, _log_run)
        for tool in TOOLS.values():
            try:
                await guard.registry.load(tool.name)
            except Retryable as error:
                if error.part != "registry":
                    raise
                await guard.deploy(tool.name, tool.code(1))
        await engine.run(TOOLS, INTERVAL_S, asyncio.Event())


def _cancel_on_signals() -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _log_run(run: Run) -> None:
    log.info(
        "run",
        tool=run.version.tool_name,
        version=run.version.version_number,
        error=run.execution.error,
        duration_ms=round(run.execution.duration_ms or 0, 1),
    )


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        try:
            asyncio.run(main())
        except RollguardError as error:
            sys.exit(str(error))
