"""Texts of two kinds of parts: our own words, and quotations of what comes from outside.

Each receiver shows a quotation in a way that cannot be obeyed: a name or an error may be written
by a program that is hostile.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.printable import printable

MAX_QUOTE: Final = 300
"""The longest quotation, in characters."""


class Quote(NamedTuple):
    """A part of a text that comes from outside."""

    text: str

    @property
    def shown(self) -> str:
        """The quotation on one line, cut if it is long; a dash if it is empty."""
        return cut(printable(self.text[: MAX_QUOTE + 1]), MAX_QUOTE).strip() or "-"


Text = Sequence[str | Quote]


class Line(NamedTuple):
    """One line of the details: what it is about, and what is said."""

    name: str
    text: Text


def cut(text: str, most: int) -> str:
    """Return the text, with … at its end if it had to be cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plain(text: Text) -> str:
    """Return a text as one line without any marks."""
    return "".join(each.shown if isinstance(each, Quote) else each for each in text)
