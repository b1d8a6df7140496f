"""A system in which every page has something to show."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rollguard.operations.connection import connection
from schemas.deployment import Check
from schemas.engine_report import EngineReport
from tests.support.consoles.console import Console, running_console
from tests.support.inputs.messages import deployment, execution
from tests.support.inputs.stored import begin_stop
from tests.support.servers.kafka import new_topic_prefix
from tests.support.systems.system import System
from tests.support.waiting import until

OPERATOR: Final = "the-token-of-an-operator"
VIEWER: Final = "the-token-of-a-viewer"
ROLLED_BACK: Final = "invoices"
HELD: Final = "send_email"
HEALTHY: Final = "web_search"
NEAR: Final = "translate"
GATED: Final = "summarise"
_SETTINGS: Final = {
    "ROLLGUARD_TOOLS": json.dumps({HELD: {"hold": "consecutive_failures"}, GATED: {"gate": "hold"}})
}
_INVOICE: Final = '''\
"""Read the total of an invoice."""

CURRENCIES = {"€": "EUR", "$": "USD", "£": "GBP"}


def execute(text, currency="EUR"):
    """Return the total, and its currency."""
    for line in reversed(text.splitlines()):
        if line.lower().startswith("total"):
            return {"total": number_in(line), "currency": currency_in(line, currency)}
    return None


def number_in(line):
    return float("".join(letter for letter in line if letter.isdigit() or letter == "."))


def currency_in(line, default):
    return next((name for sign, name in CURRENCIES.items() if sign in line), default)
'''
_BROKEN_INVOICE: Final = _INVOICE.replace(
    'execute(text, currency="EUR")', "execute(text, pages, currency)"
).replace('"""Return the total, and its currency."""', '"""Return the total of all pages."""')
_TRACEBACK: Final = """\
Traceback (most recent call last):
  File "/srv/engine/run.py", line 88, in call
    result = tool.execute(**arguments)
             ^^^^^^^^^^^^^^^^^^^^^^^^^
TypeError: execute() missing 2 required positional arguments: 'pages' and 'currency'"""


@dataclass
class Scene:
    """A running system, its console, and the commands that a page is about."""

    system: System
    console: Console
    """It is asked in the name of an operator."""
    rollback_id: str = ""
    held_id: str = ""

    async def ask(self, path: str) -> Any:
        """Return what the API answers."""
        found = await self.console.get(path)
        assert found.status == 200, found
        return found.body

    async def break_tool(self, tool: str, error: str = _TRACEBACK) -> None:
        """Let the current version of a tool fail until a rule rolls it back."""
        await self.system.run(*(execution(tool, error, session_id=f"chat-{n}") for n in range(3)))

    async def deploy(self, tool: str, code: str, **fields: Any) -> int:
        """Deploy as an agent does, and return the id of the version."""
        given = {"created_by": "autonomous", "improvement_type": "autonomous_improvement"} | fields
        made = await self.system.deploy(tool, code, **given)
        assert made.version_id is not None, made
        return made.version_id

    @property
    def paths(self) -> dict[str, str]:
        """The path of each page that is looked at, by its name."""
        return {
            "login": "/login",
            "tools": "/tools",
            "tool": f"/tools/{ROLLED_BACK}",
            "compare": f"/tools/{ROLLED_BACK}/compare?from=v1&to=v2",
            "executions": f"/tools/{ROLLED_BACK}/executions",
            "rollbacks": "/rollbacks",
            "rollback": f"/rollbacks/{self.rollback_id}?tool={ROLLED_BACK}",
            "held": f"/rollbacks/{self.held_id}?tool={HELD}",
            "holds": "/holds",
            "dead-letters": "/dead-letters",
            "system": "/system",
            "activity": "/activity",
        }


@asynccontextmanager
async def playing(brokers: str, dsn: str, folder: Path, **of_console: str) -> AsyncIterator[Scene]:
    """Run the three roles and a console, let something happen to some tools, and yield that.

    ``of_console`` is added to the environment of the console.
    """
    roles = ("detector", "applier", "recorder")
    tokens = {"ROLLGUARD_WEB_TOKEN": OPERATOR, "ROLLGUARD_WEB_VIEWER_TOKEN": VIEWER}
    async with (
        System.started(brokers, dsn, new_topic_prefix(), folder, roles, 100, **_SETTINGS) as system,
        running_console(system, **_SETTINGS, **tokens, **of_console) as console,
    ):
        console.headers["Authorization"] = f"Bearer {OPERATOR}"
        scene = Scene(system, console)
        await _play(scene)
        yield scene


async def _play(scene: Scene) -> None:
    await asyncio.gather(
        _roll_back(scene), _hold(scene), _work(scene), _hold_deployment(scene), _bad_records(scene)
    )
    await _report_engines(scene)
    async with connection(scene.system.settings) as conn:
        await begin_stop(conn, "pin", HEALTHY, reason="the fair begins tomorrow")

    async def is_known() -> bool:
        rollbacks = (await scene.ask(f"/rollbacks?tool={ROLLED_BACK}"))["rollbacks"]
        held = (await scene.ask(f"/rollbacks?tool={HELD}&status=held"))["rollbacks"]
        if not rollbacks or not held:
            return False
        scene.rollback_id, scene.held_id = (each[0]["command_id"] for each in (rollbacks, held))
        tools = (await scene.ask("/tools"))["tools"]
        states = {each["tool_name"]: each["state"] for each in tools}
        engines = (await scene.ask(f"/engines?tool={HEALTHY}"))["engines"]
        return (
            (len(states), len(engines)) == (5, 3)
            and (states[HELD], states[NEAR]) == ("condemned", "suspect")
            and "unknown" not in states.values()
        )

    await until(is_known)
    await scene.system.executions_recorded(ROLLED_BACK, 24)


async def _roll_back(scene: Scene) -> None:
    """Deploy a version that works, and one that does not."""
    await scene.system.deploy(ROLLED_BACK, _INVOICE, improvement_reason="reads totals")
    await _succeed(scene, ROLLED_BACK, 15)
    await scene.deploy(
        ROLLED_BACK, _BROKEN_INVOICE, improvement_reason="adds up the totals of all pages"
    )
    await scene.break_tool(ROLLED_BACK)
    await scene.system.activation_judged(ROLLED_BACK, 3)
    await _succeed(scene, ROLLED_BACK, 6, every_s=0)


async def _hold(scene: Scene) -> None:
    """Let a tool fail whose rollbacks wait for a person."""
    await scene.system.deploy(HELD, "def execute(to, text):\n    return True\n")
    await _succeed(scene, HELD, 5)
    await scene.deploy(HELD, "def execute(to, text):\n    raise ConnectionError(to)\n")
    await scene.break_tool(HELD, "ConnectionError: smtp.example.org does not answer")


async def _work(scene: Scene) -> None:
    """Let a tool work well, and one fail now and then."""
    await scene.system.deploy(HEALTHY, "def execute(query):\n    return [query]\n")
    await scene.deploy(HEALTHY, "def execute(query, limit=10):\n    return [query][:limit]\n")
    await _succeed(scene, HEALTHY, 60)
    await scene.system.deploy(NEAR, "def execute(text, language):\n    return text\n")
    await _succeed(scene, NEAR, 6)
    now = datetime.now(UTC)
    failed = [
        execution(NEAR, "ValueError: language 'Klingon'", executed_at=now - timedelta(seconds=n))
        for n in (2, 1)
    ]
    await scene.system.run(*failed)


async def _hold_deployment(scene: Scene) -> None:
    """Deploy as an agent does whose own check has failed."""
    tool, code = GATED, "def execute(text):\n    return text[:100]\n"
    await scene.system.deploy(tool, code)
    check = Check(name="smoke", ok=False, detail="an empty text was expected")
    held = deployment(tool, code.replace("100", "80"), created_by="autonomous", checks=[check])
    await scene.system.send(scene.system.topics.deployments, tool, held)
    assert (await scene.system.outcome_of(held)).status == "held"


async def _bad_records(scene: Scene) -> None:
    """Send executions that are none."""
    topic = scene.system.topics.executions
    without_time = {"tool_name": HEALTHY, "success": True}
    await scene.system.send(topic, HEALTHY, json.dumps(without_time).encode(), b"{")


async def _report_engines(scene: Scene) -> None:
    """Let one engine say that it runs what is current, and one that it does not."""
    [current] = await scene.system.query(
        "select version_id, version_number, activation, previous_version_id from tool_versions"
        " where tool_name = $1 and is_current",
        HEALTHY,
    )
    before = (current["previous_version_id"], 1, 1)
    now = tuple(current)[:3]
    for engine, runs in (("engine-1", now), ("engine-2", now), ("engine-3", before)):
        fields = dict(zip(("version_id", "version_number", "activation"), runs, strict=True))
        report = EngineReport(
            engine_id=engine, tool_name=HEALTHY, ok=True, loaded_at=datetime.now(UTC), **fields
        )
        topics = scene.system.topics
        await scene.system.producer.send_and_wait(topics.reports, report.to_bytes(), key=report.key)


async def _succeed(scene: Scene, tool: str, times: int, every_s: float = 50) -> None:
    """Publish so many good executions, the last one now, and one every few seconds before it."""
    now = datetime.now(UTC)
    await scene.system.run(
        *(
            execution(
                tool,
                executed_at=now - timedelta(seconds=(times - 1 - n) * every_s),
                duration_ms=40 + 7 * (n % 9),
                session_id=f"chat-{n % 4}",
            )
            for n in range(times)
        )
    )
