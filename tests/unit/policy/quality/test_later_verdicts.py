"""Which later verdicts count: late ones, repeated ones, and those on what nobody knows."""

from typing import NamedTuple
from uuid import UUID

import pytest

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.quality.later_verdicts import REMEMBERED, LaterVerdicts
from policy.state.row import decode, encode
from schemas.later_verdict import LaterVerdict
from schemas.rules.rules import Rules
from tests.support.policy.folding import log_record
from tests.support.policy.generated_logs import TOOL
from tests.support.policy.written_logs import Script, at, every

SECOND_ACTIVATED, BROUGHT_BACK = 1_000, 2_000
"""When version 2 was deployed, and when a rollback brought version 1 back."""


class Case(NamedTuple):
    """Verdicts after that, as (id, version, when it was judged), and how many of them count."""

    name: str
    verdicts: tuple[tuple[int, int, float], ...]
    counted: int
    is_brought_back: bool = False


CASES = [
    Case("one", ((1, 2, 1_010),), 1),
    Case("two judges", ((1, 2, 1_010), (2, 2, 1_010)), 2),
    Case("repeated at once", ((1, 2, 1_010), (1, 2, 1_010)), 1),
    Case(
        "repeated after as many as are remembered",
        tuple((number, 2, 1_010) for number in (*range(REMEMBERED), 0)),
        REMEMBERED,
    ),
    Case(
        "repeated after one more: it is forgotten",
        tuple((number, 2, 1_010) for number in (*range(REMEMBERED + 1), 0)),
        REMEMBERED + 2,
    ),
    Case("judged before the version was deployed", ((1, 2, 10),), 1),
    Case("on the version before", ((1, 1, 1_010),), 0),
    Case("on a version that nobody knows", ((1, 77, 1_010),), 0),
    Case("on a version that is current again", ((1, 1, 2_010),), 1, True),
    Case("late: judged before it was brought back", ((1, 1, 1_999),), 0, True),
    Case("judged when it was brought back", ((1, 1, 2_000),), 1, True),
]


def script_of(case: Case) -> Script:
    script = Script().deploy(0).run("." * 5, *every(10, 5, 1)).deploy(SECOND_ACTIVATED)
    if case.is_brought_back:
        script.roll_back(1, BROUGHT_BACK)
    for verdict_id, version_id, judged in case.verdicts:
        verdict = LaterVerdict(
            verdict_id=UUID(int=verdict_id + 1),
            execution_id=UUID(int=999),  # of no known execution
            tool_name=TOOL,
            version_id=version_id,
            bad=True,
            by="judge",
            judged_at=at(judged),
        )
        script.append(verdict, judged)
    return script


def counted(script: Script, rules: Rules) -> LaterVerdicts | None:
    row, commands = fold_all(None, [log_record(each) for each in script.log], policy_for(rules))
    assert row is not None
    assert commands == []
    row = decode(encode(row))
    return row.quality.verdicts if row.quality else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_counts(case: Case) -> None:
    verdicts = counted(script_of(case), Rules(policy="guarded"))
    found = (0, 0) if verdicts is None else (verdicts.judged, verdicts.bad)
    assert found == (case.counted, case.counted)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rules_look_at_none(case: Case) -> None:
    assert counted(script_of(case), Rules()) is None
