"""The model that checks chaos runs, against the brute-force oracle."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules
from tests.chaos.audit.model import ToolModel
from tests.support.cases import cases
from tests.support.policy.folding import dumped
from tests.support.policy.generated_logs import OTHER_RULES, RULES, logs, undismissed
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.oracle.log import Entry

pytestmark = pytest.mark.exhaustive


def modelled(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    model = ToolModel(rules)
    found = (
        model.read(each.offset, each.timestamp_ms, each.entry)
        for each in log
        if not isinstance(each.entry, LaterVerdict)
    )
    return [command for command in found if command is not None]


@settings(max_examples=cases(300))
@given(logs((*RULES, *(rules for rules in OTHER_RULES if rules.policy == "seed"))))
def test_model_and_oracle_issue_the_same_commands(case: tuple[Rules, list[Entry]]) -> None:
    rules, log = case  # in a chaos run nothing is held, so nothing is dismissed
    rules, log = rules.model_copy(update={"hold": ()}), undismissed(log)
    assert dumped(modelled(log, rules)) == dumped(commands_of(log, rules))
