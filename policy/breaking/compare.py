"""What the new code of a tool breaks for callers of the old: one pure question."""

import warnings
from collections.abc import Iterable, Iterator

from policy.breaking.finding import Finding, Kind, found, shown
from policy.breaking.members import added, compare_members, is_import, removed
from policy.breaking.surface.elements import Module
from policy.breaking.surface.read_module import read

#: All that Python raises for a text that it cannot read.
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, SystemError, OverflowError)


def compare_code(old: str | None, new: str) -> list[Finding]:
    """The differences that callers may notice, in the order of the source. Never raises, and runs
    none of the code. ``old`` is None for the first version of a tool.

    The measure is the running Python: code that it cannot compile (too new, too deep, or wrong)
    is 'unparseable' and nothing else. Where the old code is, nothing can be compared: a note. Takes
    some seconds for 10,000 functions and holds the GIL: see `analyst` for async code.
    """
    if old == new:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python thinks of the code's style
        return sorted(_compared(old, new), key=lambda finding: finding.line or 0)


def _compared(old: str | None, new: str) -> Iterable[Finding]:
    try:
        after = read(new)
        compile(new, "<new>", "exec", dont_inherit=True)
    except _UNREADABLE as error:
        return [_unreadable("unparseable", "The code", error)]
    if old is None:
        return []
    try:
        before = read(old)
    except _UNREADABLE as error:
        return [_unreadable("previous_unparseable", "The previous code", error)]
    return _modules(before, after)


def _unreadable(kind: Kind, what: str, error: BaseException) -> Finding:
    line = column = None
    cause, where = str(error), ""
    if isinstance(error, SyntaxError):
        line, column, cause = error.lineno or None, error.offset or None, error.msg
        where = f" (line {line}, column {column})" if column else f" (line {line})"
    elif isinstance(error, RecursionError | MemoryError):
        cause = "it is nested too deeply"
    sentence = f"{what} does not parse{where}: {type(error).__name__}: {shown(cause)}."
    return found(kind, "", sentence, line, column=column)


def _modules(before: Module, after: Module) -> Iterator[Finding]:
    for name, member in before.members.items():
        if not before.is_public(name):
            continue
        now = after.members.get(name)
        if now is not None:
            yield from compare_members(name, member, now, before, after)
        elif not is_import(member):
            yield removed(name, member)
    for name, member in after.members.items():
        is_new = after.is_public(name) and name not in before.members
        if is_new and not is_import(member):
            yield added(name, member)
    yield from _exports(before, after)


def _exports(before: Module, after: Module) -> Iterator[Finding]:
    """Names that ``from tool import *`` no longer gives, though something of that name may still
    be there.
    """
    if after.exports is None and "__all__" in after.members:
        return  # it cannot be read
    exported = frozenset(after.exports or ())
    for name in before.exports or ():
        is_exported = name in exported
        if after.exports is None:
            is_exported = not name.startswith("_") and name in after.members
        known = before.members.get(name)
        is_told = known is not None and not is_import(known) and name not in after.members
        if not is_exported and not is_told:
            line = known.line if known else None
            sentence = f"{name} is no longer in __all__."
            yield found("name_left_all", name, sentence, line, old=name)
