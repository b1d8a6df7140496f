"""``rollguard demo``: real tools on the embedded stack, versions of them that break, and the seed's
scenarios. Shows what happens as it happens, then a table; exit code 1 if anything went otherwise
than it must.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from rich.console import Console
from rich.table import Table

from examples.engine.catalogue import TOOLS
from examples.engine.engine import Engine, Run
from examples.engine.files import stdlib_files
from examples.engine.tool_process import ToolProcess, ToolProcessLoader
from rollguard.client import EngineClient
from rollguard.demo.live import LiveView
from rollguard.demo.play import Outcomes, Played, deciding_execution, play
from rollguard.demo.scenarios import SCENARIOS
from rollguard.embedded.local import local_system, until_told_to_stop
from rollguard.registry import LoadedTool, ToolRegistry
from schemas.errors import RollguardError
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings

WARM_UP_RUNS: Final = 12
"""Of each tool before anything is changed: enough for a baseline."""
PROOF_RUNS: Final = 3
"""So many successes of a version in a row prove that the engine runs it."""
WAIT_S: Final = 25.0


@dataclass(frozen=True)
class Change:
    """A version that is deployed, and what must come of it; ``rule`` None: any rule may decide."""

    tool: str
    number: int
    stays: bool
    rule: str | None = None


CHANGES: Final = (
    Change("dependencies", 2, False, "immediate signature_change"),
    Change("todo_comments", 2, False, "immediate consecutive_failures"),
    Change("public_api", 2, False),
    Change("complexity", 2, False),
    Change("docstring_coverage", 2, False),
    Change("longest_functions", 2, True),
)


def run_demo() -> int:
    """Run it; the exit code."""
    return asyncio.run(until_told_to_stop(_demo()))


async def _demo() -> int:
    structlog.configure(processors=[_drop])
    console = Console()
    started = time.monotonic()
    try:
        with LiveView(console) as view:
            async with local_system(0, view.say) as settings:
                view.say(f"ready after {time.monotonic() - started:.1f} s")
                played = await _play_all(settings, view)
    except RollguardError as error:
        console.print(f"the demo did not come to its end: {error}", style="red", markup=False)
        return 1
    _print_summary(console, played)
    console.print(f"{time.monotonic() - started:.0f} s, and nothing is left behind")
    return 0 if all(each.as_expected for each in played) else 1


def _drop(_: object, __: str, ___: object) -> str:
    raise structlog.DropEvent


async def _play_all(settings: Settings, view: LiveView) -> list[Played]:
    async with (
        EngineClient(settings) as client,
        Outcomes.followed(client) as outcomes,
        _engine(settings, client, view) as watch,
    ):
        view.say(f"deploying {len(TOOLS)} tools, and running them over the standard library")
        for tool in TOOLS.values():
            await client.deploy(tool.name, tool.code(1), improvement_reason=tool.does)
        await asyncio.gather(*(watch.runs_of(name, 1, WARM_UP_RUNS) for name in TOOLS))
        view.say(f"all run; now {len(CHANGES)} new versions, most of them broken")
        changed = await asyncio.gather(
            *(_change(each, settings, client, outcomes, watch, view) for each in CHANGES)
        )
        view.say("the four scenarios of the rules, each in its own event time")
        end = datetime.now(UTC) - timedelta(seconds=1)
        scenarios = await asyncio.gather(
            *(play(each, client, outcomes, settings, end) for each in SCENARIOS)
        )
        return [*changed, *scenarios]


class Watch:
    """The runs of the engine, as they come."""

    def __init__(self) -> None:
        self._streaks: dict[tuple[str, int], int] = {}
        self._counts: dict[tuple[str, int], int] = {}
        self._sent: dict[UUID, float] = {}
        self._news = asyncio.Event()

    def add(self, run: Run) -> None:
        """Take in one run."""
        key = (run.version.tool_name, run.version.version_number)
        execution = run.execution
        self._counts[key] = self._counts.get(key, 0) + 1
        self._streaks[key] = self._streaks.get(key, 0) + 1 if execution.success else 0
        self._sent[execution.execution_id] = time.perf_counter()
        self._news.set()
        self._news = asyncio.Event()

    def sent_at(self, execution_id: UUID) -> float | None:
        """When the engine had published the execution, by ``time.perf_counter``."""
        return self._sent.get(execution_id)

    async def runs_of(self, tool: str, number: int, count: int) -> None:
        """Return when the version has run so often."""
        await self._until(lambda: self._counts.get((tool, number), 0) >= count)

    async def works(self, tool: str, number: int) -> bool:
        """Whether the version comes to run without failure, from now on."""
        self._streaks[tool, number] = 0
        try:
            await self._until(lambda: self._streaks.get((tool, number), 0) >= PROOF_RUNS)
        except TimeoutError:
            return False
        return True

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await self._news.wait()


@asynccontextmanager
async def _engine(settings: Settings, client: EngineClient, view: LiveView) -> AsyncIterator[Watch]:
    """The engine, running all tools side by side until the end of the block."""
    watch, stop = Watch(), asyncio.Event()

    def changed(loaded: LoadedTool[ToolProcess]) -> None:
        if loaded.version.tool_name in TOOLS:
            view.loaded(loaded.version)

    async with ToolRegistry(settings, ToolProcessLoader()) as registry:
        registry.on_change.append(changed)
        engine = Engine(client, registry, stdlib_files())
        engine.on_run += [watch.add, view.ran]
        runs = [asyncio.create_task(engine.run([name], 0.05, stop)) for name in TOOLS]
        try:
            yield watch
        finally:
            stop.set()
            await asyncio.gather(*runs, return_exceptions=True)


async def _change(
    change: Change,
    settings: Settings,
    client: EngineClient,
    outcomes: Outcomes,
    watch: Watch,
    view: LiveView,
) -> Played:
    """Deploy one version and see what comes of it, and what the engine runs in the end."""
    tool = TOOLS[change.tool]
    what = tool.changes[change.number - 1]
    view.say(f"{change.tool}: version {change.number}, {what}")
    await client.deploy(
        change.tool,
        tool.code(change.number),
        created_by="autonomous",
        improvement_type="autonomous_improvement",
        improvement_reason=what,
    )
    title = f"{change.tool} {change.number}"
    if change.stays:
        expected = f"stays; version {change.number} runs"
        works = await watch.works(change.tool, change.number)
        return Played(title, expected, expected if works else "does not work", None)
    expected = f"{change.rule or 'rolled back'}; version {change.number - 1} runs again"
    answer = await outcomes.of(change.tool)
    if answer is None:
        return Played(title, expected, "no rollback", None)
    outcome = answer[0]
    view.say(f"{change.tool}: rolled back by {outcome.tier} {outcome.reason}", good=True)
    return await _proved(change, title, expected, answer, settings, watch)


async def _proved(
    change: Change,
    title: str,
    expected: str,
    answer: tuple[RollbackOutcome, float],
    settings: Settings,
    watch: Watch,
) -> Played:
    outcome, read_at = answer
    rule = f"{outcome.tier} {outcome.reason}"
    sent = watch.sent_at(await deciding_execution(settings, outcome))
    latency = None if sent is None else read_at - sent
    again = outcome.to_version_number or 0
    runs = await watch.works(change.tool, again)
    told = (
        rule if change.rule else ("rolled back" if outcome.status == "applied" else outcome.status)
    )
    happened = f"{told}; version {again} {'runs again' if runs else 'does not run'}"
    return Played(title, expected, happened, latency, "" if change.rule else rule)


def _told(played: Played) -> str:
    if not played.as_expected:
        return played.happened
    return f"as expected, by {played.decided_by}" if played.decided_by else "as expected"


def _print_summary(console: Console, played: Sequence[Played]) -> None:
    table = Table(title="What was expected and what happened")
    for column in ("", "expected", "happened"):
        table.add_column(column)
    table.add_column("after", justify="right", no_wrap=True)
    for each in played:
        table.add_row(
            each.title,
            each.expected,
            _told(each),
            "" if each.latency_s is None else f"{1000 * each.latency_s:.0f} ms",
            style=None if each.as_expected else "bold red",
        )
    console.print(table, markup=False)
    console.print(
        "'after': from the send of the deciding execution to the outcome read back, on this "
        "machine, busy with all of this"
    )
