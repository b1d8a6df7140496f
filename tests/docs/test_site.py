"""The site is built without a warning, its links resolve, and reading it asks no other host."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest

from rollguard import DeploymentMonitor, ToolVersionManager, blocking
from rollguard.client import EngineClient
from rollguard.registry import ToolRegistry
from tests.docs.pages import DOCS, ROOT, pages

_LOADED: Final = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
}
_NOT_LOADED: Final = frozenset({"canonical", "prev", "next", "alternate"})
_MANAGERS: Final = (
    ToolVersionManager,
    DeploymentMonitor,
    blocking.ToolVersionManager,
    blocking.DeploymentMonitor,
)
_LINK: Final = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")


class _References(HTMLParser):
    """What a page makes the browser load, and the classes of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.classes |= set(values.get("class", "").split())
        if tag in _LOADED and not _NOT_LOADED & set(values.get("rel", "").split()):
            self.loaded.append(values.get(_LOADED[tag], ""))


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.timeout(540)
def test_the_site(site: Path, subtests: pytest.Subtests) -> None:
    for check in (
        _pages_load_nothing_from_another_host,
        _styles_load_nothing_from_another_host,
        _it_has_the_generated_parts_and_not_the_seed,
        _the_reference_has_every_public_name_and_reads_well,
    ):
        with subtests.test(check.__name__):
            check(site)


def _pages_load_nothing_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        found = _References()
        found.feed(page.read_text("utf-8"))
        foreign = [url for url in found.loaded if re.match(r"(?:[a-z]+:)?//", url)]
        assert not foreign, (page, foreign)
        assert "mermaid" not in found.classes, f"{page}: the theme loads mermaid from elsewhere"


def _styles_load_nothing_from_another_host(site: Path) -> None:
    for style in site.rglob("*.css"):
        text = style.read_text("utf-8")
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text), style


def _it_has_the_generated_parts_and_not_the_seed(site: Path) -> None:
    assert not list(site.rglob("seed*.html"))
    for page in site.rglob("*.html"):
        assert "generated:" not in page.read_text("utf-8"), page


def _the_reference_has_every_public_name_and_reads_well(site: Path) -> None:
    html = (site / "reference" / "python.html").read_text("utf-8")
    for module in ("rollguard", "client", "registry", "blocking", "pins", "stops", "holds"):
        for name in _public_names(module):
            assert name in html, (module, name)
    for cls in (EngineClient, ToolRegistry, *_MANAGERS):
        for name, member in vars(cls).items():
            if callable(member) and not name.startswith("_"):
                assert f'id="{cls.__module__}.{cls.__name__}.{name}"' in html, (cls, name)
    assert not re.findall(r":(?:class|func|meth|mod|attr):", html)


def _public_names(module: str) -> list[str]:
    found = import_module("rollguard" if module == "rollguard" else f"rollguard.{module}")
    return getattr(found, "__all__", ["Loader", "LoadedTool", "ToolRegistry"])


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path) -> None:
    """On GitHub, where the site's build checks nothing."""
    for link in _LINK.findall(page.read_text("utf-8")):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if DOCS in page.parents:
            assert DOCS in target.parents, f"{link} is not in the site"
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
    return re.sub(r"\s", "-", kept)
