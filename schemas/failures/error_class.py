"""The class of a failure's exception, read from ``error_type`` or from the text of the error.

Texts come from many tools: tracebacks of Python (plain, coloured, of exception groups), of IPython,
Rich and Loguru, reports of pytest, lines of a log, ``str`` and ``repr`` of exceptions. Everything
here is pure, never raises, and takes time proportional to the text.

A row keeps a failure as its *label*: the class, or for an exception group with a signature error
among its leaves ``ExceptionGroup[TypeError]``. So it counts as a signature error, and the class
that is shown is still the group's own. If the settings name other signature errors, a label that
they read otherwise ends with a mark (``OPPOSITE``).
"""

import re
from collections.abc import Collection
from typing import Final

from schemas.failures.error_lines import (
    begins_with_class,
    builtin_in_line,
    class_in_line,
    class_in_report,
    is_report,
    name_and_rest,
)
from schemas.failures.error_repr import leaf_in_repr, may_hold_group
from schemas.failures.error_traceback import (
    begins_with_chain,
    exception_in,
    has_group,
    unescaped,
)

SIGNATURE_ERRORS: Final = frozenset({"TypeError", "AttributeError"})
"""The exceptions that a changed signature raises in its callers."""
OPPOSITE: Final = "\0"
"""Ends the label of a failure that is a signature error although its class is none of
``SIGNATURE_ERRORS``, or that is none although its class is. So a row that was written before a
setting was changed keeps what it counted. No class has a NUL."""
MAX_LABEL: Final = 255
"""How many characters of a failure's label a row keeps, without the mark."""

_LEAF_ENDS: Final = tuple(f"[{name}]" for name in sorted(SIGNATURE_ERRORS))
_MARKS: Final = (*_LEAF_ENDS, OPPOSITE)
_MOST_OF_GROUP: Final = 200
"""How many characters of a group's class a label keeps, so that the leaf is never cut off."""
_COLOURS: Final = re.compile(
    r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))", re.ASCII
)
_DOTS: Final = frozenset(".EFXsx")
"""How pytest shows the outcome of each test."""


def class_of(error_type: str | None, error: str | None) -> str | None:
    """Return the class of a failure's exception, without its module; None if it is not known.

    It is ``error_type`` if that is given, otherwise the class that ``error`` names. A given text
    that names no class is taken as it is.
    """
    if error_type:
        if error_type.isidentifier():
            return error_type
        given = _given(error_type)
        if given:
            return class_in(given)
    return class_named_by(error) if error else None


def label_of(error_type: str | None, error: str | None) -> str:
    """Return what a row keeps of a failure: its label; "" if the class is not known."""
    if error_type in SIGNATURE_ERRORS:
        return error_type
    given = _given(error_type) if error_type else ""
    if not given:
        return _read(error) if error else ""
    if not error or not (has_group(error) or may_hold_group(error)):
        return given
    leaf = _split(_read(error))[1]
    name, known = _split(given)
    return _label(name, leaf) if not known and name.isidentifier() else given


def class_named_by(error: str) -> str | None:
    """Return the exception class that an error text names, without its module; None if none.

    A word inside a message (``KeyError: 'TypeErrorCount'``) names none. Of several tracebacks the
    last one counts; an exception group is named by its own class.
    """
    return class_in(_read(error))


def class_in(label: str) -> str | None:
    """Return the class in a label; None if it is not known."""
    return _split(label.removesuffix(OPPOSITE))[0] or None


def is_signature_error(label: str | None) -> bool:
    """Return whether a label is that of a failure as a changed signature raises it in callers."""
    if label is None:
        return False
    if label in SIGNATURE_ERRORS:
        return True
    if not label.endswith(_MARKS):  # nearly always
        return False
    if label.endswith(OPPOSITE):
        return not is_signature_error(label.removesuffix(OPPOSITE))
    return _split(label)[1] != ""


def leaf_of(error_type: str | None, error: str | None, wanted: Collection[str]) -> str:
    """Return the first of the wanted classes among the leaves of a failure's exception group.

    "" if there is none, or if it failed with no group. ``label_of`` looks for signature errors in
    the same places.
    """
    given = _given(error_type) if error_type else ""
    name, leaf = _split(given)
    if leaf:
        return leaf if leaf in wanted else ""
    if not error:
        return ""
    if given and not (name.isidentifier() and (has_group(error) or may_hold_group(error))):
        return ""
    return _read(error, wanted).partition("[")[2].removesuffix("]")


def _given(error_type: str) -> str:
    """Return the label that a producer's ``error_type`` means; "" if it is blank."""
    if error_type.isidentifier():
        return error_type
    text = error_type.strip()
    name, rest = name_and_rest(text)
    if name and not rest:
        return name
    if name and rest in _LEAF_ENDS:
        return _label(name, rest[1:-1])
    return _read(text) or text


def _split(label: str) -> tuple[str, str]:
    """Return the class in a label, and the signature error among its leaves; "" for no such."""
    if label.endswith(_LEAF_ENDS):
        name, _, leaf = label.rpartition("[")
        if name.isidentifier():
            return name, leaf[:-1]
    return label, ""


def _label(name: str, leaf: str) -> str:
    return f"{name[:_MOST_OF_GROUP]}[{leaf}]" if name and leaf else name


def _with_leaf(name: str, line: str, wanted: Collection[str]) -> str:
    """Return the label of a class that a line names; the line may be the ``repr`` of a group."""
    if not name.endswith("Group") or not may_hold_group(line):
        return name
    return _label(name, leaf_in_repr(line, wanted))


def _read(error: str, wanted: Collection[str] = SIGNATURE_ERRORS) -> str:
    """Return the label of the exception that a text names; "" if it names none.

    ``wanted`` are the classes that a label names among the leaves of a group.
    """
    if "\n" not in error:
        named = builtin_in_line(error)
        if named:
            return _with_leaf(named, error, wanted)
    text = _COLOURS.sub("", error) if "\x1b" in error else error
    text = text.strip("\r\n\ufeff")
    first, newline, _ = text.strip().partition("\n")
    first = first.rstrip()
    if not newline:
        named = class_in_line(first)
        return _with_leaf(named, first, wanted) if named else _read_unescaped(first, wanted)
    if not is_report(text):
        raised = exception_in(text, wanted)
        if raised is not None and raised.name:
            named = begins_with_class(first)
            if named and named != raised.name and not begins_with_chain(text):
                return _with_leaf(named, first, wanted)  # its message has the traceback
            return _label(raised.name, raised.leaf)
        if not set(first) <= _DOTS:
            named = class_in_line(first)
            if named:
                return _with_leaf(named, first, wanted)
    return class_in_report(text) or _read_unescaped(text, wanted)


def _read_unescaped(text: str, wanted: Collection[str]) -> str:
    """Return the label of the exception in which a traceback in JSON ends; "" if there is none."""
    found = unescaped(text)
    return _read(found, wanted) if found else ""
