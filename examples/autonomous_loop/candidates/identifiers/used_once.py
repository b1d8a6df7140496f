"""The names that a file uses most, the words they are made of, and the names it uses only once."""

import keyword
import re
import tokenize
from collections import Counter

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def execute(path: str, *, top: int = 10) -> dict[str, object]:
    """The ``top`` most frequent identifiers and words with their counts, how many there are, and
    those that occur once: where a name is mistyped, it is one of these.
    """
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
        "once": sorted(name for name, count in names.items() if count == 1),
    }
