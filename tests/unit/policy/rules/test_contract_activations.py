"""Baselines, activations and duplicates as the contract has them, worked out by hand."""

import pytest

from schemas.rules.rules import Rules
from tests.support.policy.contract_cases import JUDGES, Cases, Judge
from tests.support.policy.written_logs import Script, every, with_predecessor

CASES = Cases()
case = CASES.add

# The predecessor's own window, at its own 'now' (-600 s), however long it was idle before 0.
case(
    "baseline: of 10 executions",
    with_predecessor("." * 10).run("F....F....", *every(600, 10, 0)),
    (21, "standard", "success_rate_drop", 10, 2, 1, 5400),
)
case(
    "baseline: 9 executions and nothing before make none",
    with_predecessor("." * 9).run("F....F....", *every(600, 10, 0)),
)
# Version 2 ran 5 times only: its successor is compared with what version 2 was compared with.
# 10 + 5 executions and 3 activations before.
case(
    "baseline: handed on by a version with too few executions",
    with_predecessor("." * 10)
    .run("F....", *every(600, 5, 0))
    .deploy(3600)
    .run("F....F....", *every(600, 10, 3600)),
    (27, "standard", "success_rate_drop", 10, 2, 1, 9000),
)
# Rolled back to version 1: compared with its own 10 of 10, not with version 2's 0 of 2.
# Records: deploy, 10 runs, deploy, 2 runs, roll back = 15; its tenth is record 24.
case(
    "baseline: a rollback's target has its own",
    with_predecessor("." * 10)
    .run("FF", 0, 600)
    .roll_back(1, 1200)
    .run("F....F....", *every(600, 10, 1200)),
    (24, "standard", "success_rate_drop", 10, 2, 1, 6600),
)
# Of the version that is rolled back to, only its last replacement is remembered, and only of the
# last N versions: with N = 1 that is version 2, which is replaced by the rollback itself.
case(
    "baseline: a target no longer remembered has none",
    with_predecessor("." * 10)
    .run("FF", 0, 600)
    .roll_back(1, 1200)
    .run("F....F....", *every(600, 10, 1200)),
    rules=Rules(remembered_versions=1),
)
# An execution of the replaced version behind the activation changes nothing: of neither the ring
# nor the baseline (10 of 10 is not made 10 of 13).
case(
    "other versions are not judged and not counted",
    with_predecessor("." * 10)
    .run("FFF", 0, 1, 2, version=1)
    .run("F....F....", *every(600, 10, 600)),
    (24, "standard", "success_rate_drop", 10, 2, 1, 6000),
)

# A first activation: what stands behind it counts, though executed before it.
case(
    "deployment: executed before activated_at counts",
    Script().deploy(10).run("FFF", 1, 2, 3),
    (3, "immediate", "consecutive_failures", 3, 3, 1, 3),
)
# Activated again at 10 s: what was executed before 10 s does not count, at 10 s it does.
case(
    "rollback: executed before activated_at does not count",
    Script().deploy(0).deploy(1).roll_back(1, 10).run("FFFF", 9.999999, 10, 11, 12),
    (6, "immediate", "consecutive_failures", 3, 3, 1, 12),
)
# Nothing of the earlier activation is left: two failures before, two behind.
case(
    "rollback: the windows begin anew",
    Script().deploy(0).run("FF", 1, 2).deploy(3).roll_back(1, 4).run("FF", 5, 6),
)
# An activation that came before is ignored, whatever it says: version 1 stays, with its failures.
case(
    "a repeated activation changes nothing",
    Script().deploy(0).run("FF", 1, 2).repeat(0).run("F", 3),
    (4, "immediate", "consecutive_failures", 3, 3, 1, 3),
)

# An id in the ring does not count again, be it with another time.
case(
    "a duplicate in the ring does not count",
    Script().deploy(0).run("FF", 1, 2).run("F", 3, execution_id=1).run("F", 4, execution_id=2),
)
# Outside it the rules cannot tell. The ring holds the ids 2 … 11, so id 1 counts again: as the
# third failure in a row.
case(
    "a duplicate of one that left the ring counts",
    Script().deploy(0).run(".........FF", *every(1, 11, 0)).run("F", 11, execution_id=1),
    (12, "immediate", "consecutive_failures", 10, 3, 1, 11),
)
# Late and older than all of a full ring: in no ring, so each copy counts in the buckets. In the
# 1,800 s: 11 successes (ring: 10 of them), and the same failure 45 times: 45 of 56 is 0.8036 > 0.8,
# 44 of 55 is 0.8 exactly.
case(
    "a late duplicate below a full ring counts each time",
    Script()
    .deploy(0)
    .run("." * 11, *every(1, 11, 10))
    .run("F" * 45, *every(0, 45, 0), execution_id=99),
    (56, "fast", "high_failure_rate", 56, 45, 1, 20),
)


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("name", CASES.names)
def test_an_activation_by_hand(name: str, judge: Judge) -> None:
    CASES.check(name, judge)
