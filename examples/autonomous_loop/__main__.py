"""The program ``python -m examples.autonomous_loop``: it tries all candidates and prints a report.

It uses the configured Kafka and Postgres and the workers there, or, with ``--embedded``, a stack of
its own. It deploys the first version of each tool of the catalogue, whichever is current. It ends
by itself; the exit code is 1 if any candidate came out otherwise than expected.
"""

import argparse
import asyncio
import logging
import sys
import time

import structlog
from rich.console import Console

from examples.autonomous_loop.loop import run_loop
from examples.autonomous_loop.manifest import load_candidates
from examples.autonomous_loop.report import print_report
from rollguard.client import RollguardError, Settings, load_settings
from rollguard.embedded.local import local_system
from rollguard.embedded.up import until_told_to_stop
from rollguard.value_texts import value_text


async def main(embedded: bool) -> int:
    """Run the loop and return the exit code."""
    console, started = Console(), time.monotonic()

    def say(text: str) -> None:
        line = f"{time.monotonic() - started:5.1f} s  {value_text(text)}"
        console.print(line, markup=False, highlight=False)

    async def run(settings: Settings) -> int:
        result = await run_loop(settings, load_candidates(), say)
        print_report(console, result)
        return 0 if result.as_expected else 1

    try:
        if not embedded:
            return await run(load_settings())
        async with local_system(say=say) as system:
            return await run(system.settings)
    except* (RollguardError, TimeoutError) as group:
        for error in group.exceptions:
            text = value_text(f"the loop did not come to its end: {error}")
            console.print(text, style="red", markup=False)
    return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.autonomous_loop")
    parser.add_argument(
        "--embedded", action="store_true", help="bring up broker, Postgres and workers for it"
    )
    # Tools that do not load and polls that come too early are expected here: log no warnings.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sys.exit(asyncio.run(until_told_to_stop(main(parser.parse_args().embedded))))
