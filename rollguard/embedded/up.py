"""``rollguard up``: the whole of Rollguard on this machine, until it is told to stop."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from rich.console import Console

from rollguard.embedded.local import local_system
from schemas.settings import Settings


def run_up(settings: Settings) -> int:
    """Run the stack until SIGINT or SIGTERM, and return the exit code."""
    return asyncio.run(until_told_to_stop(_up(settings)))


async def _up(settings: Settings) -> int:
    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        async with local_system(settings.port_of("detector"), say) as running:
            console = Console(soft_wrap=True, highlight=False)
            console.print("Rollguard is up. In another terminal:\n")
            for name, value in (
                ("ROLLGUARD_KAFKA_BROKERS", ",".join(running.kafka_brokers)),
                ("ROLLGUARD_POSTGRES_DSN", running.postgres_dsn.get_secret_value()),
                ("ROLLGUARD_DETECTOR_URL", running.detector_url),
            ):
                console.print(f"export {name}='{value}'", markup=False)
            console.print("\nCtrl-C stops it.")
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("stopped")
        return 0
    return 0


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
