"""The names that a file uses most, and the words they are made of."""

import keyword
import re
import tokenize
from collections import Counter

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def execute(path: str, *, top: int = 10) -> dict[str, object]:
    """The ``top`` most frequent identifiers and words with their counts, and how many there are."""
    with tokenize.open(path) as source:
        names = Counter(
            token.string
            for token in tokenize.generate_tokens(source.readline)
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string)
        )
    words: Counter[str] = Counter()
    for name, count in names.items():
        for word in WORD.findall(name):
            words[word.lower()] += count
    return {
        "identifiers": names.most_common(top),
        "words": words.most_common(top),
        "different": len(names),
    }
