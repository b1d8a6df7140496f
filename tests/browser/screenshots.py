"""``make screenshots``: a picture of each page into ``docs/images/console/``, as the tests see it.

They are small: few colours, and only the beginning of what is long.
"""

import asyncio
import os
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image
from playwright.async_api import Page

from rollguard.embedded.stack import EmbeddedStack
from tests.browser.chromium import NARROW, WIDE, running_chromium, visiting
from tests.support.consoles.scene import playing

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images" / "console"
_LONGEST: Final = 1_600
"""So many pixels of a long page are shown."""
_COLOURS: Final = 128


async def take_all(folder: Path) -> None:
    """Take the pictures of all pages: light and dark, wide and narrow."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    async with EmbeddedStack() as stack, running_chromium() as browser:
        with TemporaryDirectory() as data:
            async with (
                playing(stack.kafka_brokers, stack.postgres_dsn, Path(data)) as scene,
                visiting(browser, scene.console) as page,
            ):
                for name, path in scene.paths.items():
                    await page.goto(path)
                    for size in (WIDE, NARROW):
                        for scheme in ("light", "dark"):
                            await page.emulate_media(color_scheme=scheme)
                            picture = await _picture(page, size)
                            file = folder / f"{name}-{size[0]}-{scheme}.png"
                            file.write_bytes(picture)


async def _picture(page: Page, size: tuple[int, int]) -> bytes:
    """Return a picture of the page as PNG."""
    width, height = size
    await page.set_viewport_size({"width": width, "height": height})
    await page.wait_for_timeout(300)  # charts are drawn anew
    whole = await page.evaluate("document.documentElement.scrollHeight")
    shown = {"x": 0, "y": 0, "width": width, "height": min(max(whole, height), _LONGEST)}
    raw = await page.screenshot(full_page=True, clip=shown)  # type: ignore[arg-type]
    made = BytesIO()
    image = Image.open(BytesIO(raw)).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


def main() -> None:
    """Take all pictures on an embedded system."""
    for name in [each for each in os.environ if each.startswith("ROLLGUARD_")]:
        if not name.startswith("ROLLGUARD_TEST_"):
            del os.environ[name]
    asyncio.run(take_all(FOLDER))


if __name__ == "__main__":
    main()
