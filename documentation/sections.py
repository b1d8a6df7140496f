"""A document of which each part is measured by itself, and has a section."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)


class MeasuredDocument(NamedTuple):
    """A Markdown file whose sections are replaced one by one."""

    path: Path
    header: str
    """All text before the first section."""
    order: Sequence[str]
    """The names of the parts. Sections of other parts are left out."""

    def replaced(self, document: str, part: str, text: str) -> str:
        """Return the document with ``text`` as the section of this part, and all others unchanged.

        The sections are in the order of the parts.
        """
        pieces = _SECTION.split(document)
        sections = {
            name: f"## {name}{body}".rstrip() + "\n"
            for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
        }
        sections[part] = text
        return "\n".join(
            [self.header, *(sections[each] for each in self.order if each in sections)]
        )

    def write(self, part: str, text: str) -> None:
        """Put the section of a part into the file."""
        document = self.path.read_text() if self.path.exists() else ""
        self.path.write_text(self.replaced(document, part, text))
