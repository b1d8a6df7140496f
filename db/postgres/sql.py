"""SQL in separate files, read as named blocks, and the names of the queries that run."""

import re
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_TRANSACTION: Final = re.compile(r"(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b")
"""What the driver sends by itself."""
_OTHER: Final = "other"
_names: Final[dict[str, str]] = {}
"""The name of each query, by its SQL."""


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
    found = {name: body.strip() for name, body in zip(names, bodies, strict=True)}
    subject = file.removesuffix(".sql").replace("/", ".")
    for name, sql in found.items():
        named(f"{subject}.{name}", sql)
    return found


def named(name: str, sql: str) -> str:
    """Return the SQL, and remember its name for ``name_of``."""
    _names[sql] = name
    return sql


def name_of(sql: str) -> str:
    """Return the name of a query of ours (``executions.recording.insert``), or `begin`, `commit`.

    Whatever else is run is `other`, so there are no more names than there are blocks.
    """
    known = _names.get(sql)
    if known is not None:
        return known
    transaction = _TRANSACTION.match(sql)
    return _OTHER if transaction is None else transaction[1].lower()
