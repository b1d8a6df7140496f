"""Files of the repository that are also pages of the site: changelog, license, security policy."""

import re
from typing import Final

from documentation.markdown import code_block
from documentation.source import ROOT

_LINK: Final = re.compile(r"\]\(docs/")


def changelog() -> str:
    """Return the changelog without its heading."""
    return _below_the_heading("CHANGELOG.md")


def security_policy() -> str:
    """Return the security policy without its heading."""
    return _below_the_heading("SECURITY.md")


def license_text() -> str:
    """Return the license as it is."""
    return code_block("text", (ROOT / "LICENSE").read_text("utf-8"))


def _below_the_heading(name: str) -> str:
    """Return a Markdown file without its first line, for a page in a folder of ``docs``."""
    _, _, text = (ROOT / name).read_text("utf-8").partition("\n")
    return _LINK.sub("](../", text).strip()
