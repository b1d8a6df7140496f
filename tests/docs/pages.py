"""The pages of the documentation, their blocks of code, and the built site."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
SEED: Final = DOCS / "seed.md"
_BLOCK: Final = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A fenced block: its language, the file name that it shows (or ""), and its text."""

    language: str
    title: str
    text: str


class Command(NamedTuple):
    """A command of a console block, and the lines that the page shows after it."""

    line: str
    output: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(each["language"], each["title"] or "", each["text"])
        for each in _BLOCK.finditer(page.read_text("utf-8"))
    ]


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block: the lines that begin with ``$``."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, *output = part.splitlines()
        yield Command(line, tuple(output))


def pages() -> list[Path]:
    """Return our own pages: those of the site, README, CONTRIBUTING and SECURITY."""
    own = [page for page in sorted(DOCS.rglob("*.md")) if page != SEED]
    return [*own, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
