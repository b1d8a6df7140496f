"""SQL in files of its own: named blocks, read once."""

import re
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def blocks(file: str) -> dict[str, str]:
    """The blocks of a file in this package (``versions.sql``), by the name in their heading
    ``-- name: x``. What stands before the first heading is for people. Raises ValueError if a
    name stands there twice.
    """
    parts = _NAME.split((files("db") / file).read_text("utf-8"))
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{file}: two blocks have the same name")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}
