"""SQL in separate files, read as named blocks."""

import re
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def blocks(file: str) -> dict[str, str]:
    """Return the SQL blocks of a file in this package (``versions/reading.sql``) by name.

    Raises ValueError if two blocks have the same name.
    """
    return blocks_in((files("db") / file).read_text("utf-8"), file)


def blocks_in(text: str, file: str) -> dict[str, str]:
    """Return the SQL blocks of the text of a file by name, in their order.

    A block begins after a heading ``-- name: x``. Text before the first heading is a comment.
    """
    parts = _NAME.split(text)
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{file}: two blocks have the same name")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}
