"""Each page as it is read: in light and dark, wide and narrow, without a fault."""

import pytest
from playwright.async_api import Browser, Page

from tests.browser.axe import serious_faults
from tests.browser.chromium import NARROW, WIDE, visiting
from tests.support.consoles.scene import VIEWER, Scene

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(450),
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_each_page_can_be_read_by_everybody(scene: Scene, browser: Browser) -> None:
    found = []
    async with visiting(browser, scene.console) as page:
        for name, path in scene.paths.items():
            await page.goto(path)
            assert await page.locator("h1").count() == 1, name
            found += [f"{name}: {each}" for each in await _faults(page)]
    assert found == []


async def _faults(page: Page) -> list[str]:
    """Return what is wrong with a page as it is now, in all its looks.

    Dark ones differ from light ones by their colours alone.
    """
    found = []
    for width, height in (WIDE, NARROW):
        await page.set_viewport_size({"width": width, "height": height})
        for scheme, rules in (("light", None), ("dark", ["color-contrast"])):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            faults = await serious_faults(page, rules)
            found += [f"{width} px, {scheme}: {each}" for each in faults]
        wider = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if wider > 0:
            found.append(f"{width} px: it scrolls sideways by {wider} px")
    return found


async def test_a_viewer_sees_each_page_without_anything_to_order(
    scene: Scene, browser: Browser
) -> None:
    async with visiting(browser, scene.console, VIEWER) as page:
        for name, path in scene.paths.items():
            if name == "login":
                continue
            answer = await page.goto(path)
            assert answer is not None, name
            assert answer.status == 200, name
            assert await page.locator("details.action").count() == 0, name


async def test_who_has_not_logged_in_is_asked_to(scene: Scene, browser: Browser) -> None:
    async with visiting(browser, scene.console, None) as page:
        await page.goto(scene.paths["rollback"])
        assert "/login?next=" in page.url
        await page.get_by_label("name").fill("ann")
        await page.get_by_label("token").fill(VIEWER)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url(f"**{scene.paths['rollback']}")
