"""Cases of the rules whose results were computed by hand, and their check."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules
from tests.support.policy.folding import commands_of_product
from tests.support.policy.generated_logs import START
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.oracle.log import Entry
from tests.support.policy.written_logs import Script

Judge = Callable[[Sequence[Entry], Rules], list[RollbackCommand]]

JUDGES: Sequence[Judge] = (commands_of, commands_of_product)
"""The oracle and the product: both must give the results that were computed by hand."""


class Line(NamedTuple):
    """The main facts of a command."""

    record: int
    """The index, from 0, of the record of the log at which it was decided."""
    tier: str
    reason: str
    executions: int
    failures: int
    attempt: int
    issued_s: float
    """When it was issued, in seconds after ``START``."""


class Case(NamedTuple):
    """A log, the rules, and the commands that must follow."""

    script: Script
    rules: Rules
    expected: list[Line]


class Cases:
    """Cases by name."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}

    @property
    def names(self) -> list[str]:
        """The names of the cases."""
        return list(self._cases)

    def __getitem__(self, name: str) -> Case:
        return self._cases[name]

    def add(
        self,
        name: str,
        script: Script,
        *expected: tuple[int, str, str, int, int, int, float],
        rules: Rules | None = None,
    ) -> None:
        """Add a case. Each of ``expected`` is a ``Line``."""
        assert name not in self._cases
        self._cases[name] = Case(script, rules or Rules(), [Line(*each) for each in expected])

    def check(self, name: str, judge: Judge) -> None:
        """Assert that this judge issues exactly the expected commands."""
        case = self._cases[name]
        assert lines(judge, case.script, case.rules) == case.expected


def lines(judge: Judge, script: Script, rules: Rules) -> list[Line]:
    """Return the commands, each with the last record of the shortest log that demands it."""
    found: list[Line] = []
    for length in range(1, len(script.log) + 1):
        for command in judge(script.log[:length], rules)[len(found) :]:
            details = command.details
            found.append(
                Line(
                    length - 1,
                    command.tier,
                    command.reason,
                    details["executions"],
                    details["failures"],
                    details["attempt"],
                    (command.issued_at - START).total_seconds(),
                )
            )
    return found
