"""Cases of code that Python cannot read."""

from typing import Final

from tests.support.breaking_cases.case import Case

UNREADABLE: Final = [
    Case("a mistake in the new code", "def f(): ...", "def f(:", ("breaking unparseable ",)),
    Case("a mistake in the old code", "def f(:", "def f(): ...", ("note previous_unparseable ",)),
    Case("mistakes in both", "def f(:", "def g(:", ("breaking unparseable ",)),
    Case("the same mistake", "def f(:", "def f(:"),
    Case(
        "code that parses and does not compile",
        "X = 1",
        "X = 1\nreturn X",
        ("breaking unparseable ",),
    ),
    Case("one parameter twice", "def f(a): ...", "def f(a, a): ...", ("breaking unparseable ",)),
]
