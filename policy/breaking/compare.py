"""The comparison of a tool's new code with its old code.

`compare_code` reads both codes into surfaces (`surface.read_module`), compares the names of the two
modules here, and leaves each name that both have to `members`, which leaves functions to
`functions`, classes to `classes` and attributes to `attributes`. Each difference is one `Finding`.
"""

import warnings
from collections.abc import Iterable, Iterator

from policy.breaking.added_removed import added, is_import, removed
from policy.breaking.finding import Finding, Kind, new_finding, one_line
from policy.breaking.members import compare_members
from policy.breaking.surface.elements import Module
from policy.breaking.surface.read_module import read_module, without_byte_order_mark

#: All exceptions that Python raises for a text that it cannot read as code.
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, SystemError, OverflowError)


def compare_code(old: str | None, new: str) -> list[Finding]:
    """Return the differences that callers may notice, in the order of their lines.

    ``old`` is None for the first version of a tool. None of the code is run, and nothing is raised.

    The running Python decides what code is readable. If it cannot compile the new code (because
    the code is wrong, too deeply nested, or written for a later Python), the only finding is
    'unparseable'. If it cannot parse the old code, nothing can be compared, and the only finding is
    the note 'previous_unparseable'.

    10,000 functions take some seconds, during which the GIL is held: in async code use
    `agents.comparer.code_comparer.CodeComparer`.
    """
    if old == new:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python may warn of the style of the code
        return sorted(_compare(old, new), key=lambda finding: finding.line or 0)


def _compare(old: str | None, new: str) -> Iterable[Finding]:
    try:
        new_module = read_module(new)
        compile(without_byte_order_mark(new), "<new>", "exec", dont_inherit=True)
    except _UNREADABLE as error:
        return [_unreadable("unparseable", "The code", error)]
    if old is None:
        return []
    try:
        old_module = read_module(old)
    except _UNREADABLE as error:
        return [_unreadable("previous_unparseable", "The previous code", error)]
    return _compare_modules(old_module, new_module)


def _unreadable(kind: Kind, which_code: str, error: BaseException) -> Finding:
    line = column = None
    cause, position = str(error), ""
    if isinstance(error, SyntaxError):
        line, column, cause = error.lineno or None, error.offset or None, error.msg
        position = f" (line {line}, column {column})" if column else f" (line {line})"
    elif isinstance(error, RecursionError):
        cause = "it is nested too deeply"
    elif isinstance(error, MemoryError):  # Python's parser raises it for nesting, too
        cause = "it is nested too deeply, or takes too much memory"
    error_type = type(error).__name__
    sentence = f"{which_code} does not parse{position}: {error_type}: {one_line(cause)}."
    return new_finding(kind, "", sentence, line, column=column)


def _compare_modules(old: Module, new: Module) -> Iterator[Finding]:
    for name, old_member in old.members.items():
        if not old.is_public(name):
            continue
        new_member = new.members.get(name)
        if new_member is not None:
            yield from compare_members(name, old_member, new_member, old, new)
        elif not is_import(old_member) and name not in old.stand_ins:
            yield _given_otherwise(name, old, new) or removed(name, old_member)
    for name, new_member in new.members.items():
        is_new = new.is_public(name) and name not in old.members
        if is_new and not is_import(new_member):
            yield added(name, new_member)
    yield from _compare_exports(old, new)


def _given_otherwise(name: str, old: Module, new: Module) -> Finding | None:
    """Return the note that the new version may give the name in a way that cannot be read."""
    is_new_hook = "__getattr__" in new.members and "__getattr__" not in old.members
    ways = ["__getattr__"] * is_new_hook + sorted(new.unread - old.unread)
    if not ways:
        return None
    sentence = f"{name} may come from '{one_line(ways[0])}' now; what it is was not looked at."
    return new_finding("became_imported", name, sentence, None)


def _compare_exports(old: Module, new: Module) -> Iterator[Finding]:
    """Find the names that ``from tool import *`` no longer binds.

    The new module may still have a member of such a name. A name whose removal is already a
    finding is left out.
    """
    if new.exports is None and "__all__" in new.members:
        return  # the new __all__ cannot be read
    exported = frozenset(new.exports or ())
    for name in old.exports or ():
        is_exported = name in exported
        if new.exports is None:
            is_exported = not name.startswith("_") and name in new.members
        member = old.members.get(name)
        is_reported = member is not None and not is_import(member) and name not in new.members
        if not is_exported and not is_reported:
            line = member.line if member else None
            sentence = f"{name} is no longer in __all__."
            yield new_finding("name_left_all", name, sentence, line, old=name)
