"""A document as JSON that is not longer than an agent can read."""

import json
from typing import Any, Final, NamedTuple

from rollguard.printing import json_text
from schemas.errors import Rejected

MAX_ANSWER: Final = 65_536
"""How long the JSON of an answer may be, in characters, which are ASCII."""
_STEPS: Final = ((16_384, 100), (4_096, 50), (1_024, 20), (256, 10), (64, 5))
"""To how many characters each text is cut, and to how many entries each list."""


class BoundedJson(NamedTuple):
    """JSON, and a line that says how it was shortened; None if it is whole."""

    text: str
    note: str | None


def bounded_json(document: Any, limit: int = MAX_ANSWER) -> BoundedJson:
    """Return the document as JSON; if it is too long, with shorter texts and lists.

    Its keys stay. Raises Rejected if that does not help.
    """
    text = json_text(document)
    if len(text) <= limit:
        return BoundedJson(text, None)
    size, whole = len(text), json.loads(text)
    for characters, entries in _STEPS:
        text = json_text(_cut(whole, characters, entries))
        if len(text) <= limit:
            return BoundedJson(
                text,
                f"shortened from {size} characters: each text to {characters} characters, and "
                f"each list to {entries} entries; `rollguard` with --json prints all",
            )
    raise Rejected(f"the answer has {size} characters; `rollguard` with --json prints it")


def _cut(value: Any, characters: int, entries: int) -> Any:
    match value:
        case str() if len(value) > characters:
            return f"{value[:characters]}… ({len(value) - characters} characters more)"
        case list():
            return [_cut(each, characters, entries) for each in value[:entries]]
        case dict():
            return {name: _cut(each, characters, entries) for name, each in value.items()}
    return value
