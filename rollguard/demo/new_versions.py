"""The new versions that the demo deploys while the engine runs, most of them broken."""

from dataclasses import dataclass
from typing import Final

from examples.engine.catalogue import TOOLS
from rollguard.client import EngineClient
from rollguard.demo.live_view import LiveView
from rollguard.demo.results import DemoResult
from rollguard.demo.rollback_outcomes import ReadOutcome, RollbackOutcomes, deciding_execution
from rollguard.demo.watched_engine import RunWatch
from schemas.settings import Settings


@dataclass(frozen=True)
class NewVersion:
    """A version that is deployed, and what must happen to it.

    It stays, or it is rolled back by ``rule``; None: any rule may decide.
    """

    tool: str
    number: int
    stays: bool
    rule: str | None = None

    @property
    def title(self) -> str:
        """The title of its row in the table of results."""
        return f"{self.tool} v{self.number}"


NEW_VERSIONS: Final = (
    NewVersion("dependencies", 2, False, "immediate signature_change"),
    NewVersion("todo_comments", 2, False, "immediate consecutive_failures"),
    NewVersion("public_api", 2, False),
    NewVersion("complexity", 2, False),
    NewVersion("docstring_coverage", 2, False),
    NewVersion("longest_functions", 2, True),
)


async def deploy_new_version(
    new: NewVersion,
    settings: Settings,
    client: EngineClient,
    outcomes: RollbackOutcomes,
    watch: RunWatch,
    view: LiveView,
) -> DemoResult:
    """Deploy one version, and say what happened to it and which version the engine runs then."""
    tool = TOOLS[new.tool]
    reason = tool.changes[new.number - 1]
    view.say(f"{new.tool}: v{new.number}, {reason}")
    await client.deploy(
        new.tool,
        tool.code(new.number),
        created_by="autonomous",
        improvement_type="autonomous_improvement",
        improvement_reason=reason,
    )
    if new.stays:
        expected = f"stays; v{new.number} runs"
        works = await watch.works(new.tool, new.number)
        return DemoResult(new.title, expected, expected if works else "does not work", None)
    answer = await outcomes.of(new.tool)
    if answer is None:
        return DemoResult(new.title, _expected(new), "no rollback", None)
    view.say(f"{new.tool}: rolled back by {answer.outcome.tier} {answer.outcome.reason}", good=True)
    return await _result(new, answer, settings, watch)


def _expected(new: NewVersion) -> str:
    return f"{new.rule or 'rolled back'}; v{new.number - 1} runs again"


async def _result(
    new: NewVersion, answer: ReadOutcome, settings: Settings, watch: RunWatch
) -> DemoResult:
    """Say which rule decided, how fast, and whether the engine runs the old version again."""
    outcome = answer.outcome
    rule = f"{outcome.tier} {outcome.reason}"
    sent = watch.sent_at(await deciding_execution(settings, outcome))
    latency = None if sent is None else answer.read_at - sent
    number = outcome.to_version_number or 0
    runs = await watch.works(new.tool, number)
    what = "rolled back" if outcome.status == "applied" else outcome.status
    happened = f"{rule if new.rule else what}; v{number} "
    happened += "runs again" if runs else "does not run"
    return DemoResult(new.title, _expected(new), happened, latency, "" if new.rule else rule)
