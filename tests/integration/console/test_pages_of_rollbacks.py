"""The pages about rollbacks and what waits, on a running system."""

from html import escape
from urllib.parse import quote
from uuid import uuid4

import pytest

from rollguard.embedded.ports import free_port
from tests.support.consoles.console import Console, held_command, running_console
from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)
HOSTILE = "Traceback (most recent call last):\nValueError: <script>alert(1)</script>"


async def test_a_rollback_is_shown_and_explained(
    console: Console, shared_system: System, tool: str
) -> None:
    name = f"{tool}/<b>"
    for code in ("one", "two"):
        await shared_system.deploy(name, code)
    failed = [execution(name, HOSTILE, session_id="<i>session</i>") for _ in range(3)]
    await shared_system.run(*failed)

    async def listed() -> bool:
        rollbacks = (await console.get("/rollbacks?limit=500")).body["rollbacks"]
        ours = [each for each in rollbacks if each["tool_name"] == name]
        return [each["status"] for each in ours] == ["applied"]

    await until(listed)
    await shared_system.executions_recorded(name, 3)
    await shared_system.activation_judged(quote(name, safe=""), 3)
    await shared_system.run(execution(name), execution(name))
    await shared_system.executions_recorded(name, 5)
    [applied] = [
        each
        for each in (await console.get("/rollbacks?limit=500")).body["rollbacks"]
        if each["tool_name"] == name
    ]
    html = await console.page("/rollbacks")
    path = f"/rollbacks/{applied['command_id']}"
    assert f'href="{path}?tool=' in html
    assert escape(name) in html
    assert "3 of 3 calls failed" in html
    assert " carried out: " in html
    assert path not in await console.page("/rollbacks?status=rejected&tool=&tier=")
    assert path not in await console.page("/rollbacks?until=2000-01-01T00:00:00Z&period=all")
    html = await console.page(path)
    assert f"{escape(name)}: v2 was rolled back to v1" in html
    assert escape(applied["explanation"]["rule"]) in html
    assert escape(HOSTILE) in html
    assert "<script>alert" not in html
    assert "&lt;i&gt;session&lt;/i&gt;" in html
    assert "<b>" not in html
    assert "about 2 (1 to 2)" in html
    assert "an estimate: had 2 calls after the rollback" in html
    assert "success rate of v2" in html
    for wrong in ("period=2h", "since=today", "status=good", "cursor=x", "tool=%00"):
        assert "is wrong" in await console.page(f"/rollbacks?{wrong}"), wrong
    assert "There is nothing here" in await console.page(f"/rollbacks/{uuid4()}")


async def test_a_held_rollback_is_answered_on_its_page(
    console: Console, shared_system: System, tool: str
) -> None:
    for code in ("one", "two", "three"):
        await shared_system.deploy(tool, code)
    first = await held_command(shared_system, console, tool)
    path = f"/rollbacks/{first.command_id}"
    html = await console.page(path)
    assert "waits for a person" in html
    assert f'action="{path}/approve"' in html
    form = {"tool": tool, "confirmed": "yes"}
    unsaid = await console.page(f"{path}/dismiss", form)
    assert "Nothing was changed: give a reason." in unsaid
    unsure = await console.page(f"{path}/approve", {"tool": tool})
    assert "Nothing was changed: tick the box" in unsure
    done = await console.page(f"{path}/dismiss", form | {"reason": "the input was <wrong>"})
    assert "the rollback is dismissed, and nothing changes" in done
    assert "the input was &lt;wrong&gt;" in done
    assert f'action="{path}/approve"' not in done
    late = await console.page(f"{path}/approve", form)
    assert "It was not carried out: a person dismissed it." in late
    second = await held_command(shared_system, console, tool)
    path = f"/rollbacks/{second.command_id}"
    done = await console.page(f"{path}/approve", form)
    assert f"{tool}: v2 (id " in done
    assert "is current again." in done
    late = await console.page(f"{path}/dismiss", form | {"reason": "no"})
    assert "It was not dismissed: it was carried out already." in late


async def test_without_postgres_the_outcome_is_shown(shared_system: System, tool: str) -> None:
    for code in ("one", "two"):
        await shared_system.deploy(tool, code)
    await shared_system.run(*(execution(tool, "ValueError: no") for _ in range(3)))
    nobody = f"postgresql://me@127.0.0.1:{free_port()}/rollguard"
    async with running_console(shared_system, ROLLGUARD_POSTGRES_DSN=nobody) as console:
        html = ""

        async def told() -> bool:
            nonlocal html
            html = await console.page(f"/rollbacks?tool={tool}")
            return '<a href="/rollbacks/' in html

        await until(told)
        assert "Only what was told lately is listed, and no costs: Postgres" in html
        path = html.partition('<a href="/rollbacks/')[2].partition('"')[0]
        html = await console.page(f"/rollbacks/{path}")
        assert "Only its outcome is known: Postgres" in html
        assert "newest 3 executions all failed" in html
        assert "Postgres" in await console.page(f"/rollbacks/{uuid4()}")
