"""axe-core (MPL-2.0): what is wrong with a page for people who cannot see or use all of it."""

import subprocess
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.async_api import Page

_VERSION: Final = "4.14.1"
_SHA512: Final = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
_CACHE: Final = Path(__file__).parents[2] / ".cache" / "axe-core"
_RUN: Final = """
async (rules) => {
  const only = rules === null ? {} : {runOnly: {type: "rule", values: rules}};
  const found = await axe.run({...only, resultTypes: ["violations"]});
  return found.violations
    .filter((each) => each.impact === "serious" || each.impact === "critical")
    .map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 200))}`);
}
"""


async def serious_faults(page: Page, rules: list[str] | None = None) -> list[str]:
    """Return what is seriously wrong with a page by all rules of axe, or by these."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_script())
    found: list[str] = await page.evaluate(_RUN, rules)
    return found


def _script() -> str:
    """Return the program of axe, which is fetched from npm once. Raises if it is another one."""
    file = _CACHE / f"axe-{_VERSION}.min.js"
    if not file.exists():
        _fetch(file)
    return file.read_text("utf-8")


def _fetch(file: Path) -> None:
    _CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=_CACHE) as folder:
        command = ["npm", "pack", "--silent", f"axe-core@{_VERSION}", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
        [package] = Path(folder).glob("*.tgz")
        if b64encode(sha512(package.read_bytes()).digest()).decode() != _SHA512:
            raise RuntimeError(f"axe-core {_VERSION} is not what it was")
        with tarfile.open(package) as files:
            script = files.extractfile("package/axe.min.js")
            assert script is not None
            partial = Path(folder) / file.name
            partial.write_bytes(script.read())
        partial.replace(file)  # whole, or not there: several may fetch it at once
