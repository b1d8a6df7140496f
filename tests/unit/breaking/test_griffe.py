"""Griffe as the yardstick: nothing that it reports for the table is missing, false alarms aside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import griffe
import pytest

from policy.breaking.compare import compare_code
from tests.unit.breaking.test_breaking import CASES, UNREADABLE, Case

#: Where griffe sees a break and there is none, by the name of the case.
FALSE_ALARMS: Final = {
    "*args renamed": "callers do not say that name",
    "**kwargs renamed": "callers do not say that name",
    "positional-only renamed: no call gave its name": "the case says why",
    "positional-only opened and renamed": "no call gave its name",
    "`self` under another name": "callers do not say that name",
    "annotations deleted (griffe: return)": "calls work as before",
    "lambda to def": "both are functions",
    "renamed, the old name kept": "the name stands for the same function",
    "imported under this name": "not known; a note",
    "__doc__ and __slots__": "no caller reads them",
    "moved into `try`": "griffe takes what the `except` defines",
    "only a script's": "an import does not define it",
    "only a type checker's": "it never was there",
    "method made static": "called as before",
    "static method made a class method": "called as before",
    "private base removed": "private names do not count",
    "__init__ without parameters removed": "object's takes as many",
    "self.x set by a method that __init__ may call": "it may be set in time",
    "self.x moved to the class": "`__init__` took no parameters",
    "method that is a function of the module": "called as before",
    "method that is a lambda": "called as before",
    "namedtuple() to NamedTuple": "the same class",
}


def surface(code: str) -> griffe.Module:
    known = griffe.ModulesCollection()
    module = griffe.visit("tool", filepath=Path("tool.py"), code=code, modules_collection=known)
    known["tool"] = module
    return module


def unmatched(old: str, new: str) -> Iterator[str]:
    """The objects of which griffe reports a break and we neither a break nor a risk."""
    told = {each.object for each in compare_code(old, new) if each.severity != "note"}
    for breakage in griffe.find_breaking_changes(surface(old), surface(new)):
        name = breakage.obj.path.removeprefix("tool.").replace("__new__", "__init__")
        if not told & {name, f"{name}.__init__", name.removesuffix(".__init__")}:
            yield f"{breakage.kind.name} {name}"


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case not in UNREADABLE],
    ids=lambda case: case.name.replace(" ", "-"),
)
def test_all_that_griffe_reports_is_told(case: Case) -> None:
    assert bool(list(unmatched(case.old, case.new))) == (case.name in FALSE_ALARMS)


def test_false_alarms_are_in_the_table() -> None:
    assert FALSE_ALARMS.keys() <= {case.name for case in CASES}
