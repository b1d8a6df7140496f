"""A comparison with griffe: all that it reports for the cases is found, except its false alarms."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import griffe
import pytest

from policy.breaking.compare import compare_code
from tests.support.breaking_cases.case import Case
from tests.support.breaking_cases.every import READABLE

pytestmark = pytest.mark.exhaustive

#: By the name of the case: why griffe reports a breaking change although there is none.
FALSE_ALARMS: Final = {
    "*args renamed": "no caller uses that name",
    "**kwargs renamed": "no caller uses that name",
    "positional-only renamed: no call gave its name": "the case says why",
    "positional-only opened and renamed": "no call gave its name",
    "`self` under another name": "no caller uses that name",
    "annotations deleted (griffe: return)": "calls work as before",
    "lambda to def": "both are functions",
    "renamed, the old name kept": "the name stands for the same function",
    "imported under this name": "it is not known here, so it is a note",
    "__doc__ and __slots__": "no caller reads these",
    "moved into `try`": "griffe takes the definition in the `except`",
    "class under a second name": "it is compared as a class, and no longer has the method",
    "an import of all names binds none": "griffe takes the star for a name",
    "__init__ without self": "a call without arguments works as before",
    "only a script's": "an import does not run it",
    "only a type checker's": "it does not exist at run time",
    "method made static": "called as before",
    "static method made a class method": "called as before",
    "private base removed": "private names do not count",
    "__init__ without parameters removed": "the one of `object` takes as many arguments",
    "self.x set by a method that __init__ may call": "it may be set in time",
    "self.x moved to the class": "`__init__` took no parameters",
    "method that is a function of the module": "called as before",
    "method that is a lambda": "called as before",
    "namedtuple() to NamedTuple": "both make the same class",
}


def surface(code: str) -> griffe.Module:
    known = griffe.ModulesCollection()
    module = griffe.visit("tool", filepath=Path("tool.py"), code=code, modules_collection=known)
    known["tool"] = module
    return module


def unmatched(old: str, new: str) -> Iterator[str]:
    """Yield what griffe reports and `compare_code` finds neither breaking nor risky."""
    found = {each.object for each in compare_code(old, new) if each.severity != "note"}
    for breakage in griffe.find_breaking_changes(surface(old), surface(new)):
        name = breakage.obj.path.removeprefix("tool.").replace("__new__", "__init__")
        if not found & {name, f"{name}.__init__", name.removesuffix(".__init__")}:
            yield f"{breakage.kind.name} {name}"


@pytest.mark.parametrize(
    "case",
    READABLE,
    ids=lambda case: case.name.replace(" ", "-"),
)
def test_all_that_griffe_reports_is_found(case: Case) -> None:
    assert bool(list(unmatched(case.old, case.new))) == (case.name in FALSE_ALARMS)


def test_false_alarms_are_in_the_table() -> None:
    assert FALSE_ALARMS.keys() <= {case.name for case in READABLE}
