"""``rollguard demo``: real tools on the embedded stack, broken versions, and the four scenarios.

It shows what happens as it happens, then a table of what was expected and what happened. The exit
code is 1 if anything went otherwise than expected.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from rich.console import Console

from examples.engine.catalogue import TOOLS
from rollguard.client import EngineClient
from rollguard.demo.live_view import LiveView
from rollguard.demo.new_versions import NEW_VERSIONS, deploy_new_version
from rollguard.demo.play_scenario import play_scenario
from rollguard.demo.results import DemoResult, print_results
from rollguard.demo.rollback_outcomes import RollbackOutcomes
from rollguard.demo.scenarios import SCENARIOS
from rollguard.demo.watched_engine import watched_engine
from rollguard.embedded.local import local_system
from rollguard.embedded.up import run_until_told_to_stop
from schemas.errors import RollguardError
from schemas.printable import printable
from schemas.settings import Settings

_WARM_UP_RUNS: Final = 12
"""How often each tool runs before anything is changed: enough for a baseline."""


def run_demo() -> int:
    """Run the demo, and return the exit code."""
    return run_until_told_to_stop(_demo())


async def _demo() -> int:
    structlog.configure(processors=[_drop])
    console = Console()
    started = time.monotonic()
    try:
        with LiveView(console) as view:
            async with local_system(say=view.say, own_settings=True) as system:
                view.say(f"ready after {time.monotonic() - started:.1f} s")
                results = await _play_all(system.settings, view)
    except RollguardError as error:
        console.print(printable(f"the demo did not finish: {error}"), style="red", markup=False)
        return 1
    print_results(console, results)
    console.print(f"{time.monotonic() - started:.0f} s, and nothing is left behind")
    return 0 if all(each.is_as_expected for each in results) else 1


def _drop(_: object, __: str, ___: object) -> str:
    raise structlog.DropEvent


async def _play_all(settings: Settings, view: LiveView) -> list[DemoResult]:
    """Deploy the tools, then their new versions, then play the scenarios."""
    async with (
        EngineClient(settings) as client,
        RollbackOutcomes.followed(client) as outcomes,
        watched_engine(settings, view) as watch,
    ):
        view.say(f"deploying {len(TOOLS)} tools, and running them over the standard library")
        for tool in TOOLS.values():
            await client.deploy(tool.name, tool.code(1), improvement_reason=tool.does)
        await asyncio.gather(*(watch.wait_for_runs(name, 1, _WARM_UP_RUNS) for name in TOOLS))
        view.say(f"all run; now {len(NEW_VERSIONS)} new versions, most of them broken")
        changed = await asyncio.gather(
            *(
                deploy_new_version(each, settings, client, outcomes, watch, view)
                for each in NEW_VERSIONS
            )
        )
        view.say("the four scenarios of the rules, each in its own event time")
        end = datetime.now(UTC) - timedelta(seconds=1)
        scenarios = await asyncio.gather(
            *(play_scenario(each, client, outcomes, settings, end) for each in SCENARIOS)
        )
        return [*changed, *scenarios]
