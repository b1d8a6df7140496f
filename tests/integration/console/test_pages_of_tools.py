"""The pages of tools on a running system: what they show, and what is ordered on them."""

from html import escape
from urllib.parse import quote

import aiohttp
import pytest

from rollguard.operations.connection import connection
from rollguard.operations.stops import stops_of
from tests.support.consoles.console import Console, running_console
from tests.support.consoles.pages import TOKEN, VIEWER, hidden_fields
from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)
HOSTILE = "ValueError: </pre><script>alert(1)</script>"
OLD = "def execute(text):\n    return text\n"
NEW = "def execute(text, limit):\n    return text[:limit]\n"


async def test_a_tool_is_listed_and_shown(
    console: Console, shared_system: System, tool: str
) -> None:
    name = f"{tool}/<i>x"
    path = f"/tools/{quote(name, safe='')}"
    for code in (OLD, NEW):
        await shared_system.deploy(name, code)
    await shared_system.run(execution(name, duration_ms=20), execution(name, HOSTILE))
    await shared_system.executions_recorded(name, 2)

    async def judged() -> bool:
        return "50.0 %" in await console.page(f"/tools?q={tool}&state=suspect")

    await until(judged)
    html = await console.page(f"/tools?q={tool}")
    assert f'href="{path}"' in html
    assert escape(name) in html
    assert "% of the way" in html
    assert "<polyline" in html
    assert f'href="{path}"' not in await console.page(f"/tools?q={tool}&pinned=1")
    html = await console.page(path)
    for text in (escape(name), escape(HOSTILE), "v2 deployed", "v1 deployed", "1 failure"):
        assert text in html, text
    assert "execute() needs a new parameter" in html
    assert "<script>alert" not in html
    assert f"{path}/compare?from=" in html
    compared = await console.page(f"{path}/compare?from=v1&to=v2")
    assert '<span class="added">+def execute(text, limit):</span>' in compared
    assert "Calls that worked may fail." in compared
    assert escape(NEW.split("\n", maxsplit=1)[0]) in await console.page(f"{path}/versions/v2")
    failures = await console.page(f"{path}/executions?success=false&version_id=")
    assert failures.count("ValueError</span>") == 1
    for wrong in ("tools/none", f"{path[1:]}/versions/v9", f"{path[1:]}/compare?from=v1&to=v9"):
        assert "There is nothing here" in await console.page(f"/{wrong}"), wrong


async def test_what_is_ordered_on_the_page_of_a_tool(
    console: Console, shared_system: System, tool: str
) -> None:
    path = f"/tools/{tool}"
    for code in (OLD, NEW):
        await shared_system.deploy(tool, code)
    sure = {"confirmed": "yes", "reason": "not <tonight>"}
    unsure = await console.page(f"{path}/pin", {"reason": "x"})
    assert "Nothing was changed: tick the box" in unsure
    unsaid = await console.page(f"{path}/pin", {"confirmed": "yes", "reason": " "})
    assert "Nothing was changed: give a reason." in unsaid
    assert "It is pinned until 2" in await console.page(f"{path}/pin", sure | {"hours": "3"})
    html = await console.page(path)
    assert "not &lt;tonight&gt;" in html
    assert f'action="{path}/unpin"' in html
    assert f'href="{path}"' in await console.page(f"/tools?q={tool}&pinned=1")
    assert "not pinned any more" in await console.page(f"{path}/unpin", sure)
    assert "Nothing was changed" in await console.page(f"{path}/unpin", sure)
    assert "It is frozen:" in await console.page(f"{path}/freeze", sure)
    assert "not frozen any more" in await console.page(f"{path}/unfreeze", sure)
    back = sure | {"version": "v1", "key": "the-key"}
    done = await console.page(f"{path}/rollbacks", back)
    assert "v1 is current again." in done
    assert "v1 current again" in done
    assert "v1 is current again." in await console.page(f"{path}/rollbacks", back)  # the same order
    again = await console.page(f"{path}/rollbacks", back | {"key": "another"})
    assert "is the current one already" in again
    assert "has no version" in await console.page(f"{path}/rollbacks", back | {"version": "v9"})
    orders = (await console.get(f"/rollbacks?tool={tool}")).body["rollbacks"]
    assert [each["status"] for each in orders] == ["rejected", "applied"]


async def test_who_logs_in_orders_in_this_name(shared_system: System, tool: str) -> None:
    await shared_system.deploy(tool, OLD)
    tokens = {"ROLLGUARD_WEB_TOKEN": TOKEN, "ROLLGUARD_WEB_VIEWER_TOKEN": VIEWER}
    async with (
        running_console(shared_system, **tokens) as console,
        aiohttp.ClientSession(
            console.url,
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"Accept": "text/html", "Origin": console.url},
        ) as browser,
    ):

        async def ask(path: str, form: dict[str, str] | None = None) -> str:
            method = "GET" if form is None else "POST"
            async with browser.request(method, path, data=form) as answer:
                return await answer.text()

        page = await ask(f"/tools/{tool}")
        assert 'name="token"' in page
        login = {"name": "vic", "next": f"/tools/{tool}"}
        page = await ask("/login", login | {"token": VIEWER})
        assert f"<h1>{tool}</h1>" in page
        assert f'action="/tools/{tool}/pin"' not in page
        pin = {"csrf": hidden_fields(page)["csrf"], "reason": "x", "confirmed": "yes"}
        assert "You may not do this" in await ask(f"/tools/{tool}/pin", pin)
        page = await ask("/login", login | {"name": "ann", "token": TOKEN})
        assert "older than your session" in await ask(f"/tools/{tool}/pin", pin)
        pin["csrf"] = hidden_fields(page)["csrf"]
        assert "It is pinned" in await ask(f"/tools/{tool}/pin", pin)
        api, header = f"/api/v1/tools/{tool}/pin", {"X-CSRF-Token": pin["csrf"]}
        by_eve = {"reason": "y", "pinned_by": "eve"}
        async with browser.put(api, json=by_eve) as answer:
            assert answer.status == 403
        async with browser.put(api, json=by_eve, headers=header) as answer:
            assert (await answer.json())["pinned_by"] == "ann"
        async with browser.delete(f"{api}?by=eve", headers=header) as answer:
            assert answer.status == 200
        async with browser.put(api, json={"reason": "z"}, headers=header) as answer:
            assert (await answer.json())["pinned_by"] == "ann"
        assert "Log in" in await ask("/logout", {"csrf": pin["csrf"]})
        async with browser.get("/api/v1/tools") as answer:
            assert answer.status == 401
    async with connection(shared_system.settings) as conn:
        found = await stops_of(conn, tool, ended=True)
    assert [(each.reason, each.set_by) for each in found] == [
        *(("z", "ann"), ("y", "ann"), ("x", "ann"))
    ]
    assert [each.ended_by for each in found] == [None, "ann", "ann"]
