"""The exception that a traceback ends in, and the leaves of an exception group.

Reads the tracebacks of Python (also indented, or with a prefix before each line), of IPython, Rich
and Loguru, without colours. Takes time proportional to the text.
"""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from schemas.failures.error_boxes import without_boxes
from schemas.failures.error_lines import (
    MOST_OF_PREFIX,
    begins_with_class,
    class_at,
    without_log_prefix,
)

_HEADER: Final = "Traceback (most recent call last)"
_GROUP_HEADER: Final = f"Exception Group {_HEADER}:"
_MARGIN_HEADER: Final = f"+ {_GROUP_HEADER}"
_DIGITS: Final = str.maketrans(dict.fromkeys("123456789", "0"))
_FIRST_LEAF: Final = "+-+---------------- 1 ----------------"
_FRAMES: Final = ('File "', "File <", "File ~", "Cell In[", "Input In [")
"""How a traceback without a header begins, such as that of a SyntaxError."""
_CHAINS: Final = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
"""What stands between the tracebacks of an exception and of its cause."""
_IGNORED: Final = ("Exception ignored ", "Error in atexit._run_exitfuncs:")
"""How Python begins to tell an exception that stops nothing."""
_ESCAPED: Final = re.compile(re.escape(_HEADER) + r":(?=(?:\\r)?\\n)")
"""A header in a text whose line breaks are written ``\\n``, such as JSON."""


class RaisedException(NamedTuple):
    """The exception that the end of a traceback names."""

    name: str
    """The class without its module; "" if it cannot be read."""
    leaf: str
    """If it is a group: the first of the wanted classes among its leaves. Otherwise ""."""


def has_group(text: str) -> bool:
    """Return whether a text may hold the traceback of an exception group."""
    return _GROUP_HEADER in text or _FIRST_LEAF in text


def unescaped(text: str) -> str:
    """Return the traceback in JSON or in a ``repr``, with line breaks; "" if there is none."""
    header = _ESCAPED.search(text)
    if header is None:
        return ""
    margin = "  + Exception Group "  # that of a group begins so
    begin = margin if text.endswith(margin, 0, header.start()) else ""
    return (begin + text[header.start() :]).replace("\\r\\n", "\n").replace("\\n", "\n")


def begins_with_chain(text: str) -> bool:
    """Return whether the first traceback of a text comes after the end of another one.

    So it does if an exception that was never raised is the cause of the one that was.
    """
    before = text.partition(_HEADER)[0]
    return any(chain in before for chain in _CHAINS)


def exception_in(text: str, wanted: Collection[str]) -> RaisedException | None:
    """Return what the last traceback of a text ends in; None if there is no traceback.

    The exception's line is the first one after the header and the frames that is not indented. What
    follows it belongs to its message or its notes.
    """
    text = without_boxes(text)
    has_margin = has_group(text)
    begins_within = text.lstrip().startswith(_FRAMES) or (
        has_margin and _MARGIN_HEADER not in text and _FIRST_LEAF in text
    )
    if not begins_within and _HEADER not in text and not any(each in text for each in _CHAINS):
        return None
    reader = _Reader(wanted, begins_within)
    lines = _without_prefixes(text.split("\n"), _MARGIN_HEADER if has_margin else _HEADER)
    for number, line in enumerate(lines):
        # Most lines are plain frames or blank, and they say nothing.
        if not line or line.isspace():
            continue
        if line[:2] != "  " or has_margin or reader.prefix or _HEADER in line:
            reader.read(line, is_first=number == 0)
    return reader.ended() if reader.found else None


def _without_prefixes(lines: list[str], begin: str) -> list[str]:
    """Return the lines of a traceback without what was written before each of them, if it was.

    ``begin`` is its header. The prefixes differ at most in their digits: those of the time.
    """
    header = next((n for n, line in enumerate(lines) if begin in line), None)
    if header is None or header + 1 == len(lines):
        return lines
    prefix = lines[header].partition(begin)[0].rstrip().translate(_DIGITS)
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
        self._message: int | None = None
        """Set within a message that may hold a traceback: the characters of the margin."""
        self._skips = False
        """Whether the next traceback is one of an exception that stops nothing."""

    def read(self, given: str, *, is_first: bool) -> None:
        """Read the next line."""
        line = given.removeprefix(self.prefix).rstrip()
        if self._message is not None and not self._ends_message(line):
            return
        body = self._without_margin(line)
        if body is None:
            return
        before = _before_header(body) if _HEADER in body else None
        if before is not None and not (self.in_frames and begins_with_class(body)):
            self._begin(before, given, is_in_margin=body is not line)
        elif body in _CHAINS:
            self.found = self.in_frames = True
        elif self.in_frames and body and not _is_frame(body, is_first=is_first):
            self._sections[-1].raised(class_at(body))
            self.in_frames = False
            if body.endswith(":"):
                self._message = len(line) - len(body)
        elif body.startswith(_IGNORED):
            self._skips = self._sections[0].name != ""

    def _begin(self, before: str, given: str, *, is_in_margin: bool) -> None:
        """Read the header of a traceback, and what stands before it."""
        if self._skips:
            self._skips = False
            return
        name = before.strip()
        self.found, self.in_frames = True, not name.isidentifier()
        if name.isidentifier():
            self._sections[-1].raised(name)  # IPython names the class before its frames
        elif not is_in_margin and not (self.prefix and given.startswith(self.prefix)):
            self.prefix = given.partition(_HEADER)[0] if before else ""

    def ended(self) -> RaisedException:
        """Return the exception in which the text ends."""
        self._close(-1)
        return RaisedException(self._sections[0].name, self._sections[0].leaf)

    def _ends_message(self, line: str) -> bool:
        """Return whether the message before a line has ended; tracebacks in it name nothing."""
        bare = line.lstrip()
        if self._message:
            ended = bare.startswith("+-") or bare.removeprefix("| ") in _CHAINS
        else:
            ended = bare in _CHAINS or without_log_prefix(line) is not None
        if ended:
            self._message = None
        return ended

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
    before, header, end = line.partition(_HEADER)
    text = before.strip()
    if not header or end not in ("", ":"):
        return None
    if not text or text.endswith("|") or (text.isidentifier() and not end):
        return before
    said = text.removesuffix("+ Exception Group").rstrip()
    return "" if said.endswith(":") or without_log_prefix(text) is not None else None


def _is_frame(line: str, *, is_first: bool) -> bool:
    """Return whether a line belongs to the frames of a traceback."""
    return line[0] in " \t" or line.startswith("> File ") or (is_first and line.startswith(_FRAMES))
