"""What happens is seen without asking again: a real rollback, while somebody looks on."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chromium import visiting
from tests.support.consoles.scene import Scene

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(450),
    pytest.mark.asyncio(loop_scope="session"),
]
SOON_MS = 90_000


async def test_a_rollback_is_seen_while_it_happens(
    scene: Scene, browser: Browser, tool: str
) -> None:
    await scene.system.deploy(tool, "def execute(text):\n    return text\n")
    await scene.deploy(tool, "def execute(text):\n    return text + 1\n")
    async with (
        visiting(browser, scene.console) as list_,
        visiting(browser, scene.console) as own,
        visiting(browser, scene.console) as news,
    ):
        await list_.goto(f"/tools?q={tool}")
        row = list_.get_by_role("row").filter(has_text=tool)
        await expect(row).to_contain_text("v2")
        await own.goto(f"/tools/{tool}")
        await expect(own.get_by_text("v1 current again")).to_have_count(0)
        await news.goto("/activity")
        await scene.break_tool(tool)
        line = news.get_by_role("main").get_by_text(tool)
        await expect(line.first).to_be_visible(timeout=SOON_MS)
        await expect(row).to_contain_text("v1", timeout=SOON_MS)
        await expect(row).to_contain_text("signature_change")
        await expect(own.get_by_text("v1 current again")).to_be_visible(timeout=SOON_MS)
        await own.get_by_role("link", name="why").first.click()
        await expect(own.get_by_role("heading", level=1)).to_have_text(
            f"{tool}: v2 was rolled back to v1"
        )
        error = own.get_by_role("listitem").filter(has_text="missing 2 required positional")
        await expect(error).to_be_visible()
