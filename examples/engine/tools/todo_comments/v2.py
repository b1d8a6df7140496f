"""Comments that say what is still to be done, with fewer lookups for each token."""

import re
import tokenize
from collections.abc import Iterable
from typing import Any

TAG = re.compile(r"\b(TODO|FIXME|XXX|HACK|BUG|NOTE)\b")


def execute(path: str) -> list[dict[str, object]]:
    """Each tagged comment with its line; a tag inside a string does not count."""
    found: list[dict[str, object]] = []
    with tokenize.open(path) as source:
        tokens: Iterable[Any] = tokenize.generate_tokens(source.readline)
        for kind, text, (line, _) in tokens:
            tag = TAG.search(text) if kind == tokenize.COMMENT else None
            if tag:
                found.append({"line": line, "tag": tag[1], "text": text[1:]})
    return found
