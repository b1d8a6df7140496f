"""What people order on the pages: with and without scripts, with a mouse and with keys alone."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import NARROW, visiting
from tests.support.consoles.console import held_command
from tests.support.consoles.scene import HELD, Scene

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(450),
    pytest.mark.asyncio(loop_scope="session"),
]
CODES = ["def execute(text):\n    return text\n", "def execute(text):\n    return text[:9]\n"]


async def order(page: Page, action: str, **fields: str) -> None:
    """Open an action, fill in its form, confirm it, and send it."""
    form = page.locator("details.action").filter(has_text=action).first
    await form.locator("summary").click()
    for label, text in fields.items():
        await form.get_by_label(label).fill(text)
    await form.get_by_role("checkbox").check()
    await form.get_by_role("button", name=action).click()


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_tool_is_pinned_and_rolled_back(
    scene: Scene, browser: Browser, tool: str, scripts: bool
) -> None:
    for code in CODES:
        await scene.system.deploy(tool, code)
    async with visiting(browser, scene.console, java_script_enabled=scripts) as page:
        await page.goto(f"/tools?q={tool}")
        await page.get_by_role("link", name=tool, exact=True).click()
        await order(page, "Pin", Reason="the fair begins tomorrow")
        await expect(page.locator(".notice.good")).to_be_visible()
        stop = (await scene.ask(f"/tools/{tool}"))["stops"][0]
        assert (stop["kind"], stop["reason"], stop["set_by"]) == (
            "pin",
            "the fair begins tomorrow",
            "ann",
        )
        await order(page, "Unpin")
        await expect(page.locator("details.action").filter(has_text="Unpin")).to_have_count(0)
        await order(page, "Roll back", Reason="it cuts too much")
        await expect(page.locator(".notice.good")).to_be_visible()
        found = await scene.ask(f"/tools/{tool}")
        assert (found["version_number"], found["activation"]) == (1, 3)
        [done] = (await scene.ask(f"/rollbacks?tool={tool}"))["rollbacks"]
        assert (done["tier"], done["issued_by"]) == ("manual", "ann")


async def test_a_held_rollback_is_approved_with_keys_alone(
    scene: Scene, browser: Browser, tool: str
) -> None:
    for code in CODES:
        await scene.system.deploy(tool, code)
    held = await held_command(scene.system, scene.console, tool)
    async with visiting(browser, scene.console, size=NARROW) as page:
        await page.goto(f"/rollbacks/{held.command_id}?tool={tool}")
        await page.keyboard.press("Tab")
        assert await focused(page) == "Skip to the content"
        await page.keyboard.press("Enter")
        await until_focused(page, "Approve")
        await page.keyboard.press("Enter")
        await until_focused(page, "checkbox")
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
        assert await focused(page) == "Approve"
        await page.keyboard.press("Enter")
        await expect(page.locator(".notice.good")).to_be_visible()
    assert (await scene.ask(f"/tools/{tool}"))["version_number"] == 1


async def focused(page: Page) -> str:
    """Return the text of what has the focus; of a field its kind."""
    text: str = await page.evaluate(
        "document.activeElement.textContent.trim() || document.activeElement.type || ''"
    )
    return text


async def until_focused(page: Page, text: str) -> None:
    """Press the tabulator until something with this text has the focus, and can be seen to."""
    for _ in range(25):
        await page.keyboard.press("Tab")
        if await focused(page) == text:
            shown = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
            assert await page.evaluate(shown)
            return
    raise AssertionError(f"the tabulator does not reach {text!r}")


async def test_all_tools_are_stopped_at_once_and_go_on(scene: Scene, browser: Browser) -> None:
    """It stops all tools of the scene. No other test runs meanwhile."""

    async def stops() -> list[tuple[str, str, str]]:
        found = (await scene.ask("/stops"))["stops"]
        return [
            (each["kind"], each["reason"], each["set_by"])
            for each in found
            if each["tool_name"] is None
        ]

    async with visiting(browser, scene.console) as page:
        await page.goto("/tools")
        for kind, stop, end in (
            ("pin", "Pin all tools", "Unpin all tools"),
            ("freeze", "Freeze all tools", "End the freeze"),
        ):
            await order(page, stop, Reason="the night is long")
            await expect(page.locator(f'summary:text-is("{end}")')).to_be_visible()
            assert await stops() == [(kind, "the night is long", "ann")]
            await order(page, end)
            await expect(page.locator(f'summary:text-is("{stop}")')).to_be_visible()
            assert await stops() == []


async def test_nobody_else_can_order(scene: Scene, browser: Browser) -> None:
    """A form that was copied to another page has no effect: its mark is that of the session."""
    async with visiting(browser, scene.console) as page:
        path = f"/rollbacks/{scene.held_id}"
        answer = await page.request.post(
            f"{path}/approve", form={"tool": HELD, "confirmed": "yes", "csrf": "x"}
        )
        assert answer.status == 403
        [held] = (await scene.ask(f"/rollbacks?tool={HELD}&status=held"))["rollbacks"]
        assert held["command_id"] == scene.held_id
