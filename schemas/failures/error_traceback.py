"""The exception that a traceback ends in, and the leaves of an exception group.

Reads the tracebacks of Python (also indented, or with a prefix before each line), of IPython, Rich
and Loguru, without colours. Takes time proportional to the text.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from schemas.failures.error_lines import MOST_OF_PREFIX, class_at, without_log_prefix

_HEADER: Final = "Traceback (most recent call last)"
_GROUP_HEADER: Final = f"Exception Group {_HEADER}:"
_MARGIN_HEADER: Final = f"+ {_GROUP_HEADER}"
_DIGITS: Final = str.maketrans(dict.fromkeys("123456789", "0"))
_FIRST_LEAF: Final = "+-+---------------- 1 ----------------"
_FRAMES: Final = ('File "', "Cell In[", "Input In [")
"""How a traceback without a header begins, such as that of a SyntaxError."""


class RaisedException(NamedTuple):
    """The exception that the end of a traceback names."""

    name: str
    """The class without its module; "" if it cannot be read."""
    leaf: str
    """If it is a group: the first of the wanted classes among its leaves. Otherwise ""."""


def has_group(text: str) -> bool:
    """Return whether a text may hold the traceback of an exception group."""
    return _GROUP_HEADER in text or _FIRST_LEAF in text


def exception_in(text: str, wanted: Collection[str]) -> RaisedException | None:
    """Return what the last traceback of a text ends in; None if there is no traceback.

    The exception's line is the first one after the header and the frames that is not indented. What
    follows it belongs to its message or its notes.
    """
    begins_within = text.lstrip().startswith(_FRAMES) or _FIRST_LEAF in text
    if not begins_within and _HEADER not in text:
        return None
    reader = _Reader(wanted, begins_within)
    has_margin = has_group(text)
    lines = text.split("\n")
    if has_margin:
        lines = _without_log_prefixes(lines)
    for number, line in enumerate(lines):
        # Most lines are plain frames, and they say nothing.
        if line[:2] != "  " or has_margin or reader.prefix or _HEADER in line:
            reader.read(line, is_first=number == 0)
    return reader.ended() if reader.found else None


def _without_log_prefixes(lines: list[str]) -> list[str]:
    """Return the lines of a group without what a logger wrote before each of them, if it did.

    The prefixes differ at most in their digits: those of the time.
    """
    header = next((n for n, line in enumerate(lines) if _MARGIN_HEADER in line), None)
    if header is None or header + 1 == len(lines):
        return lines
    prefix = lines[header].partition(_MARGIN_HEADER)[0].rstrip().translate(_DIGITS)
    end = len(prefix)
    if not 0 < end <= MOST_OF_PREFIX or lines[header + 1][:end].translate(_DIGITS) != prefix:
        return lines
    return [line[end:] if line[:end].translate(_DIGITS) == prefix else line for line in lines]


class _Section:
    """One exception of a traceback, with what is below it if it is a group.

    ``column`` is where its margin stands; -1 for the exception that the traceback ends in.
    """

    __slots__ = ("column", "leaf", "name")

    def __init__(self, column: int) -> None:
        self.column = column
        self.name = ""
        self.leaf = ""

    def raised(self, name: str) -> None:
        """Note an exception; one that was noted before is only its cause."""
        self.name, self.leaf = name, ""


class _Reader:
    """Reads a text line by line. ``in_frames``: the next exception's line is still to come."""

    def __init__(self, wanted: Collection[str], begins_within: bool) -> None:
        self.found = self.in_frames = begins_within
        self._wanted = wanted
        self.prefix = ""
        self._sections = [_Section(-1)]

    def read(self, given: str, *, is_first: bool) -> None:
        """Read the next line."""
        line = given.removeprefix(self.prefix).rstrip()
        body = self._without_margin(line)
        if body is None:
            return
        before = _before_header(body) if _HEADER in body else None
        if before is not None:
            name = before.strip()
            self.found, self.in_frames = True, not name.isidentifier()
            if name.isidentifier():
                self._sections[-1].raised(name)  # IPython names the class before its frames
            elif body is line and not line.startswith("╭"):
                self.prefix = given.partition(_HEADER)[0] if before else ""
        elif self.in_frames and body and not _is_frame(body, is_first=is_first):
            self._sections[-1].raised(class_at(body))
            self.in_frames = False

    def ended(self) -> RaisedException:
        """Return the exception in which the text ends."""
        self._close(-1)
        return RaisedException(self._sections[0].name, self._sections[0].leaf)

    def _without_margin(self, line: str) -> str | None:
        """Return a line without the margin of a group; None if there is nothing to read in it."""
        bare = line.lstrip()
        column = len(line) - len(bare)
        if bare.startswith("+-") and self.found:
            self._separate(column, bare)
            return None
        if bare.startswith("+ ") and bare[2:] == _GROUP_HEADER:
            self._close(column)
            self.found = self.in_frames = True
            return None
        if bare.startswith("| ") and self.found:
            self._close(column)
            return bare[2:]
        if bare and bare != "|":
            self._close(-1)
        return line

    def _separate(self, column: int, bare: str) -> None:
        """Read a line between the leaves of a group."""
        self._close(column)
        self.in_frames = " " in bare  # the number of the next leaf; the last line has none
        if bare.startswith("+-+"):
            self._sections.append(_Section(column + 2))
            return
        if self._sections[-1].column == column:
            self._close(column - 1)
        if self.in_frames:
            self._sections.append(_Section(column))

    def _close(self, column: int) -> None:
        """Close the sections to the right of a column: the section before each takes its leaf."""
        sections = self._sections
        while sections[-1].column > column and len(sections) > 1:
            closed = sections.pop()
            leaf = closed.leaf or (closed.name if closed.name in self._wanted else "")
            sections[-1].leaf = sections[-1].leaf or leaf


def _before_header(line: str) -> str | None:
    """Return what stands before the header of a traceback; None if the line is no header."""
    if line.startswith("╭"):
        return ""
    before, header, end = line.partition(_HEADER)
    text = before.strip()
    if not header or end not in ("", ":"):
        return None
    if not text or text.endswith("|") or (text.isidentifier() and not end):
        return before
    return "" if without_log_prefix(text) is not None else None


def _is_frame(line: str, *, is_first: bool) -> bool:
    """Return whether a line belongs to the frames of a traceback (Rich draws a box)."""
    return (
        line[0] in " \t│╭╰" or line.startswith("> File ") or (is_first and line.startswith(_FRAMES))
    )
