"""``rollguard up``: the whole of Rollguard on this machine, until it is told to stop."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from rich.console import Console

from rollguard.ctrl_c import end_at_once
from rollguard.embedded.environment import forget_other_servers
from rollguard.embedded.local import LocalSystem, local_system
from rollguard.embedded.ports import is_free
from schemas.errors import Misconfigured
from schemas.settings import Settings


def run_up(settings: Settings) -> int:
    """Run the stack until SIGINT or SIGTERM, and return the exit code."""
    return run_until_told_to_stop(_up(settings))


def run_until_told_to_stop(work: Coroutine[Any, Any, int]) -> int:
    """Run a program on a stack of its own, and return its exit code.

    On SIGINT or SIGTERM ``work`` is cancelled so that it cleans up, and the code is 130.
    """
    forget_other_servers()
    try:
        return asyncio.run(until_told_to_stop(work))
    finally:
        end_at_once()


async def _up(settings: Settings) -> int:
    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        _require_free(settings.web_port)
        async with local_system(settings.web_port or 0, say, with_console=True) as system:
            _print_addresses(system)
            await system.until_given_up
    except asyncio.CancelledError:
        say("stopped")
    return 0


def _require_free(port: int | None) -> None:
    """Raise Misconfigured if another process listens on the port that was set."""
    if port and not is_free(port):
        raise Misconfigured(f"ROLLGUARD_WEB_PORT {port} is taken: leave it out to take a free port")


def _print_addresses(system: LocalSystem) -> None:
    """Print how the system is reached, in lines for a shell, and where each role logs."""
    settings = system.settings
    console = Console(soft_wrap=True, highlight=False)
    pages = next(each.url for each in system.workers if each.role == "console")
    console.print(f"Rollguard is up: {pages}\n\nIn another terminal:\n", markup=False)
    for name, value in (
        ("ROLLGUARD_KAFKA_BROKERS", ",".join(settings.kafka_brokers)),
        ("ROLLGUARD_POSTGRES_DSN", settings.postgres_dsn.get_secret_value()),
        ("ROLLGUARD_DETECTOR_URL", settings.detector_url),
    ):
        console.print(f"export {name}='{value}'", markup=False)
    console.print()
    for worker in system.workers:
        console.print(f"{worker.role}: {worker.url}, log {worker.log}", markup=False)
    console.print("\nCtrl-C stops it.")


async def until_told_to_stop(work: Coroutine[Any, Any, int]) -> int:
    """Return the result of ``work``.

    On SIGINT or SIGTERM ``work`` is cancelled so that it cleans up, and the result is 130.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 130
