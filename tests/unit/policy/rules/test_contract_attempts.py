"""When a command is issued again, worked out by hand."""

import pytest

from schemas.rules.rules import Rules
from tests.support.policy.contract_cases import JUDGES, Cases, Judge
from tests.support.policy.written_logs import Script

CASES = Cases()
case = CASES.add

# Attempts: at 2 s; then 600 s, 1,200 s, 2,400 s of 'now' after the one before: 602, 1802, 4202.
# Each needs a rule that holds, so each is the third of three failures or of the windows.
case(
    "attempts: 600 s, then doubled",
    Script()
    .deploy(0)
    .run("FFF", 0, 1, 2)
    .run("FF", 601.999999, 602)
    .run("FF", 1801.999999, 1802)
    .run("FF", 4201.999999, 4202),
    # at 602: `recent` holds two; 1,800 s hold 5 of 5
    (3, "immediate", "consecutive_failures", 3, 3, 1, 2),
    (5, "fast", "complete_failure", 5, 5, 2, 602),
    # at 1802 the bucket [0, 60) counts still: 7 of 7
    (7, "fast", "complete_failure", 7, 7, 3, 1802),
    # at 4202 buckets count from 2402 - 60 on: only the two; no rule holds
)
case(
    "attempts: when no rule holds none is made",
    Script().deploy(0).run("FFF", 0, 1, 2).run("...", 602, 603, 700).run("FFF", 701, 702, 703),
    (3, "immediate", "consecutive_failures", 3, 3, 1, 2),
    (9, "immediate", "consecutive_failures", 6, 3, 2, 703),
)
# Not doubled beyond the most: at 2 s, 602 s, 1202 s.
case(
    "attempts: capped",
    Script().deploy(0).run("FFF", 0, 1, 2).run("FFF", 600, 601, 602).run("FFF", 1200, 1201, 1202),
    (3, "immediate", "consecutive_failures", 3, 3, 1, 2),
    (6, "immediate", "consecutive_failures", 3, 3, 2, 602),
    (9, "immediate", "consecutive_failures", 3, 3, 3, 1202),
    rules=Rules(attempt_interval_max_s=600),
)
# A new activation begins with attempt 1 and does not wait.
case(
    "attempts: counted by activation",
    Script().deploy(0).run("FFF", 0, 1, 2).deploy(3).run("FFF", 4, 5, 6),
    (3, "immediate", "consecutive_failures", 3, 3, 1, 2),
    (7, "immediate", "consecutive_failures", 3, 3, 1, 6),
)
# issued_at is 'now', or the record's Kafka timestamp where that is earlier (a clock 50 s ahead).
# The interval runs from 'now': the next is due at 652 s, not at 602 s.
case(
    "issued at the Kafka timestamp where that is earlier",
    Script()
    .deploy(0)
    .run("FFF", 50, 51, 52, timestamp=2)
    .run("FFF", 649, 650, 651.999999)
    .run("F", 652),
    (3, "immediate", "consecutive_failures", 3, 3, 1, 2),
    (7, "immediate", "consecutive_failures", 4, 4, 2, 652),
)


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("name", CASES.names)
def test_attempts_by_hand(name: str, judge: Judge) -> None:
    CASES.check(name, judge)
