"""Pieces of Markdown that the reference pages share."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; ``|`` and line breaks inside cells are escaped."""
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line([_cell(text) for text in row]) for row in rows]
    return "\n".join(lines)


def code_block(language: str, text: str) -> str:
    """Return a fenced block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def code(text: str) -> str:
    """Return the text as code within a line; nothing for an empty text."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Return a docstring as one paragraph of Markdown: one line, ``code`` as `code`."""
    return " ".join(text.replace("``", "`").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
