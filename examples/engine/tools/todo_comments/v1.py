"""Comments that say what is still to be done."""

import re
import tokenize

TAG = re.compile(r"\b(TODO|FIXME|XXX|HACK|BUG)\b")


def execute(path: str) -> list[dict[str, object]]:
    """Each tagged comment with its line; a tag inside a string does not count."""
    found: list[dict[str, object]] = []
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            tag = TAG.search(token.string) if token.type == tokenize.COMMENT else None
            if tag:
                found.append({"line": token.start[0], "tag": tag[1], "text": token.string[1:]})
    return found
