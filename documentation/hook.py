"""The hook of mkdocs that puts the generated parts into the reference pages."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from documentation.pages import fill  # mkdocs loads this file by its path


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the page with its generated parts filled in."""
    return fill(markdown)
