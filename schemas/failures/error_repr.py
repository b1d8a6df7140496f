"""The leaves of an exception group that is written as ``repr`` writes it.

``ExceptionGroup('text', [TypeError('x'), …])``: takes time proportional to the text.
"""

import re
from collections.abc import Collection
from typing import Final

_GROUP: Final = re.compile(r"\b\w*Group\(", re.ASCII)
_TOKEN: Final = re.compile(
    r"""'(?:[^'\\]|\\.)*+(?:'|\\?\Z)"""  # a string, maybe cut off; its words name nothing
    r"""|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)"""
    r"""|(?<![\w.])([\w.]*)([(\[{])"""  # from the beginning of a name on, so that each is read once
    r"""|[)\]}]""",
    re.ASCII | re.DOTALL,
)

_CLOSING: Final = frozenset(")]}")


def may_hold_group(text: str) -> bool:
    """Return whether a text may hold the ``repr`` of an exception group."""
    return "Group(" in text


def is_one_call(text: str) -> bool:
    """Return whether a text that begins with a bracket ends with the one that closes it."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token.group(2) is not None:
            depth += 1
        elif token.group() in _CLOSING:
            depth -= 1
            if not depth:
                return token.end() == len(text)
    return False


def leaf_in_repr(text: str, wanted: Collection[str]) -> str:
    """Return the first wanted class among the leaves of the first group; "" if there is none.

    Only what stands in a group's list is a leaf: not an argument of a leaf, nor a word in a text.
    """
    begin = _GROUP.search(text)
    if begin is None:
        return ""
    open_brackets: list[str] = []
    for token in _TOKEN.finditer(text[begin.start() :]):
        name, bracket = token.group(1), token.group(2)
        if bracket is None:
            if token.group() in _CLOSING and open_brackets:
                open_brackets.pop()
                if not open_brackets:
                    break
            continue
        last = name.rpartition(".")[2]
        if last in wanted and _is_in_groups(open_brackets):
            return last
        open_brackets.append(last or bracket)
    return ""


def _is_in_groups(open_brackets: list[str]) -> bool:
    """Return whether a place is directly in the list of a group, which may be in a group's list."""
    calls, lists = open_brackets[::2], open_brackets[1::2]
    return (
        len(calls) == len(lists)
        and all(each.endswith("Group") for each in calls)
        and all(each in ("[", "(") for each in lists)
    )
