"""The four scenarios of the contract, worked out by hand. Times are minutes there, seconds here."""

from uuid import UUID

import pytest

from schemas.execution import Execution
from schemas.rollback import automatic_command_id
from tests.support.policy.contract_cases import JUDGES, Cases, Judge
from tests.support.policy.folding import dumped
from tests.support.policy.generated_logs import TOOL
from tests.support.policy.oracle.log import Entry
from tests.support.policy.written_logs import Script, at, every, with_predecessor

CASES = Cases()
case = CASES.add

# 15 of 20: 75 %. It replaces nothing, so nothing judges it but the immediate and fast rules.
SEVENTY_FIVE = "...F" * 5

# The seed's scenarios. Its times are minutes.

# 1: TypeErrors at 0:01, 0:02, 0:03. Two in `recent` at 120 s: 2 >= 2. Record 0 is the activation.
case(
    "scenario 1: at the second TypeError",
    Script().deploy(0).run("FFF", 60, 120, 180, error="TypeError"),
    (2, "immediate", "signature_change", 2, 2, 1, 120),
)
# 2: failures at 0:01 … 0:04. The newest 3 of `recent` failed at 180 s.
case(
    "scenario 2: at the third failure",
    Script().deploy(0).run("FFFF", 60, 120, 180, 240),
    (3, "immediate", "consecutive_failures", 3, 3, 1, 180),
)
# 3 as printed: five attempts in the first five minutes; the third is at 180 s.
case(
    "scenario 3 as printed: at the third failure",
    Script().deploy(0).run("FFFFFFF", 60, 120, 180, 240, 300, 450, 600),
    (3, "immediate", "consecutive_failures", 3, 3, 1, 180),
)
# 3 with attempts three minutes apart: at 900 s `recent` reaches back to 600 s and holds those at
# 720 and 900; never three. The 1,800 s window holds 5 of 5 failed, at 720 s it held 4.
case(
    "scenario 3 slow: complete failure at the fifth",
    Script().deploy(0).run("FFFFFFF", *every(180, 7, 180)),
    (5, "fast", "complete_failure", 5, 5, 1, 900),
)
# 4: as printed 3+1 by 0:10, 5+2 by 0:20, 8+4 by 0:30, 18+12 by 2:00, against 75 %.
# The drop reaches 0.15 where the rate is at most 0.60, that is failures >= 0.4 n with n >= 10.
# The failures are the executions 4, 7, 9, 11, 13, 16, 18, 21, 23, 26, 28 and 30, and the f-th
# is at n with f < 0.4 n: 1<1.6 2<2.8 3<3.6 4<4.4 5<5.2 6<6.4 7<7.2 8<8.4 9<9.2 10<10.4 11<11.2,
# until at 30: 12 = 0.4 * 30, rate 18/30, 0.75 - 0.60 = 0.15.
# No two failures in a row and none a signature error; a failure rate over any 1,800 s stays
# far below 0.8. So no other rule fires earlier.
SCENARIO_4 = "...F..F.F.F.F..F.F..F.F..F.F.F"
SCENARIO_4_TIMES = (
    every(150, 4, 150) + every(200, 3, 800) + every(120, 5, 1320) + every(300, 18, 2100)
)
assert (SCENARIO_4.count("."), SCENARIO_4.count("F"), SCENARIO_4_TIMES[-1]) == (18, 12, 7200)
assert [SCENARIO_4[:n].count("F") for n in (4, 7, 12)] == [1, 2, 4]
# 20 of the predecessor and 2 activations stand before: the 30th is record 22 + 29 = 51.
case(
    "scenario 4: at exactly 18 of 30",
    with_predecessor(SEVENTY_FIVE).run(SCENARIO_4, *SCENARIO_4_TIMES),
    (51, "standard", "success_rate_drop", 30, 12, 1, 7200),
)
# Better by one: the 30th succeeds, 19/30 = 0.633, the drop is 0.117.
case(
    "scenario 4 with 19 of 30: nothing",
    with_predecessor(SEVENTY_FIVE).run(SCENARIO_4[:-1] + ".", *SCENARIO_4_TIMES),
)
# Without a predecessor there is no baseline.
case(
    "scenario 4 without a baseline: nothing", Script().deploy(0).run(SCENARIO_4, *SCENARIO_4_TIMES)
)


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("name", CASES.names)
def test_a_scenario_by_hand(name: str, judge: Judge) -> None:
    CASES.check(name, judge)


@pytest.mark.parametrize("judge", JUDGES)
def test_every_field_of_a_command(judge: Judge) -> None:
    """Scenario 4's: `recent` are those from 6,900 s on, and 75 % of 20 is the baseline."""
    script, rules, _ = CASES["scenario 4: at exactly 18 of 30"]
    assert dumped(judge(script.log, rules)) == [
        {
            "command_id": automatic_command_id(TOOL, 2, 2, 1),
            "tool_name": TOOL,
            "from_version_id": 2,
            "from_activation": 2,
            "to_version_id": None,
            "tier": "standard",
            "reason": "success_rate_drop",
            "mode": None,
            "details": {
                "recent": [str(UUID(int=50)), str(UUID(int=49))],
                "executions": 30,
                "failures": 12,
                "success_rate": 0.6,
                "baseline": {"executions": 20, "success_rate": 0.75},
                "attempt": 1,
            },
            "issued_by": "detector",
            "issued_at": at(7200),
            "approved_by": None,
            "dismissed_by": None,
            "dismissal": None,
        }
    ]


@pytest.mark.parametrize("judge", JUDGES)
def test_an_execution_without_a_version_is_of_the_current_one(judge: Judge) -> None:
    script, rules, _ = CASES["scenario 2: at the third failure"]
    bare = [
        Entry(each.offset, each.timestamp_ms, each.entry.model_copy(update={"version_id": None}))
        if isinstance(each.entry, Execution)
        else each
        for each in script.log
    ]
    assert dumped(judge(bare, rules)) == dumped(judge(script.log, rules))
    assert judge(bare[1:], rules) == []  # a tool that was never activated
