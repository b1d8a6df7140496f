"""The rules of the contract, one by one, worked out by hand: what each window holds."""

import pytest

from schemas.rules.rules import Rules
from tests.support.policy.contract_cases import JUDGES, Cases, Judge
from tests.support.policy.written_logs import Script, every, with_predecessor

CASES = Cases()
case = CASES.add

# `recent` holds executed_at >= now - 300 s.
case(
    "recent: exactly 300 s old counts",
    Script().deploy(0).run(".FFF", 0, 1, 101, 301),
    (4, "immediate", "consecutive_failures", 3, 3, 1, 301),
)
case("recent: 300 s and 1 µs does not", Script().deploy(0).run("FFF", 0, 100, 300.000001))
# The newest 3 are what counts: an older success does not excuse, a success in between does.
case(
    "consecutive: an older success does not excuse",
    Script().deploy(0).run(".FF.FFF", *every(1, 7, 0)),
    (7, "immediate", "consecutive_failures", 7, 5, 1, 6),
)
# Order is by executed_at: the success that comes last was executed before the failures. At its
# arrival the newest three by time are F F . ; then a failure at 4 s makes F F F.
case(
    "consecutive: by time, not by arrival",
    Script().deploy(0).run("FF.F", 2, 3, 1, 4),
    (4, "immediate", "consecutive_failures", 4, 3, 1, 4),
)
# A late failure between others completes them: 1, 2 (late), 3. 'now' stays 3 s.
case(
    "consecutive: completed by a late execution",
    Script().deploy(0).run(".F", 0, 1).run("FF", 3, 2, timestamp=3),
    (4, "immediate", "consecutive_failures", 4, 3, 1, 3),
)
# Same time: the later arrival is the newer. F F F . has the success on top; . F F F has not.
case(
    "ties: arrival decides, success last",
    Script().deploy(0).run("FF.F", 5, 5, 5, 5),
)
case(
    "ties: arrival decides, success first",
    Script().deploy(0).run(".FFF", 5, 5, 5, 5),
    (4, "immediate", "consecutive_failures", 4, 3, 1, 5),
)
# Two signature errors among successes in `recent`; a success between changes nothing.
case(
    "signature: two among successes",
    Script().deploy(0).run("F..", 0, 1, 2, error="TypeError").run("F", 3, error="AttributeError"),
    (4, "immediate", "signature_change", 4, 2, 1, 3),
)
# The ring is 10: the first TypeError is the 11th newest when the second one comes.
case(
    "signature: the first has left the ring",
    Script().deploy(0).run("F.........F", *every(1, 11, 0), error="TypeError"),
)
case(
    "signature: the first is the tenth",
    Script().deploy(0).run("F........F", *every(1, 10, 0), error="TypeError"),
    (10, "immediate", "signature_change", 10, 2, 1, 9),
)
# 'complete_failure' of `recent` is first only where it needs fewer than 'consecutive_failures'.
case(
    "immediate complete failure",
    Script().deploy(0).run("FF", 0, 1),
    (2, "immediate", "complete_failure", 2, 2, 1, 1),
    rules=Rules(complete_failure_recent=2),
)
case(
    "immediate complete failure: not with one success in recent",
    Script().deploy(0).run(".F.F", 0, 1, 2, 3),
    rules=Rules(complete_failure_recent=2),
)

# The bucket [0, 60) counts while 60 > now - 1800: before 1860 s. Executions at 0, 400, 800, 1200
# (no three within 300 s) and then the fifth.
case(
    "fast: the bucket still counts 1 µs before 1860 s",
    Script().deploy(0).run("FFFFF", 0, 400, 800, 1200, 1859.999999),
    (5, "fast", "complete_failure", 5, 5, 1, 1859.999999),
)
case("fast: the bucket is gone at 1860 s", Script().deploy(0).run("FFFFF", 0, 400, 800, 1200, 1860))
# The whole bucket counts: at 1859 s the success at 0 s, 1,859 s ago, still saves from 'all failed'.
# 5 of 6 failed is 0.833 > 0.8; 4 of 5 at 1600 s was 0.8 exactly and not above.
case(
    "fast: 4 of 5 is not above 0.8, 5 of 6 is",
    Script().deploy(0).run(".FFFFF", 0, 400, 800, 1200, 1600, 1859),
    (6, "fast", "high_failure_rate", 6, 5, 1, 1859),
)
# A minute later the bucket of the success is gone: 5 of 5.
case(
    "fast: without the success it is complete failure",
    Script().deploy(0).run(".FFFFF", 0, 400, 800, 1200, 1600, 1860),
    (6, "fast", "complete_failure", 5, 5, 1, 1860),
)
# A late execution counts in its bucket though its ring place is old: F at 0 arrives last; 'now'
# stays 1600 s and is when the command is issued.
case(
    "fast: completed by a late execution",
    Script().deploy(0).run("FFFF", 400, 800, 1200, 1600).run("F", 0),
    (5, "fast", "complete_failure", 5, 5, 1, 1600),
)
# Its bucket is gone at 1860 s: then it does not matter.
case(
    "fast: a late execution outside the window",
    Script().deploy(0).run("FFFF", 700, 1100, 1500, 1860).run("F", 0),
)

# Exact arithmetic: 0.95 - 0.8 is below 0.15 in floats. 19 of 20; 8 of 10; the drop is 15/100.
case(
    "standard: 95 % to 80 % is a drop of 0.15",
    with_predecessor("." * 19 + "F").run("F....F....", *every(600, 10, 0)),
    (31, "standard", "success_rate_drop", 10, 2, 1, 5400),
)
# 9 executions are not enough, whatever their rate: 7 of 9 is 0.778, at the tenth 8 of 10.
case(
    "standard: nothing at nine",
    with_predecessor("." * 19 + "F").run("F....F...", *every(600, 9, 0)),
)
# The bucket [0, 3600) counts while 3600 > now - 86400: before 90,000 s. Two failures in it, then
# eight successes; against 20 of 20: 8/10 = 0.80, a drop of 0.20 at the tenth.
EARLY = [0.0, 600.0, *every(3600, 7, 7200)]
case(
    "standard: the bucket still counts 1 µs before 90,000 s",
    with_predecessor("." * 20).run("FF.......", *EARLY).run(".", 89_999.999999),
    (31, "standard", "success_rate_drop", 10, 2, 1, 89_999.999999),
)
case(
    "standard: the bucket is gone at 90,000 s",
    with_predecessor("." * 20).run("FF.......", *EARLY).run(".", 90_000),
)


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("name", CASES.names)
def test_a_rule_by_hand(name: str, judge: Judge) -> None:
    CASES.check(name, judge)
