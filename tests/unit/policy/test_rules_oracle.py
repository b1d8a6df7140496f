"""The product's rules against the oracle, and both against the contract by hand.

The logs are built by one function that is given a way to choose: Hypothesis chooses, so that a
difference shrinks to a short log; a seeded generator chooses, so that many logs are compared, and
so that it is seen that every rule is reached.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Protocol, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

import policy.decision.guarded
import policy.decision.seed
from policy.decision.fold import commands_of_log, fold, fold_all
from policy.decision.policies import policy_for
from policy.state.counting import count_successes
from policy.state.log import LogRecord
from policy.state.row import Row, encode
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of, time_of
from schemas.rollback import RollbackCommand, automatic_command_id
from schemas.rules import Rules
from tests.support.oracle import Entry, commands_of

T = TypeVar("T")
Judge = Callable[[Sequence[Entry], Rules], list[RollbackCommand]]

TOOL = "parser"
HASH = "0" * 64
SECOND = 1_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
"""On an edge of the buckets of every size used here."""

DEFAULT = Rules()
SMALL = Rules(
    ring_size=4,
    recent_window_s=20,
    fast_window_s=60,
    fast_bucket_s=10,
    standard_window_s=600,
    standard_bucket_s=60,
    complete_failure_recent=4,
    complete_failure_executions=4,
    high_failure_rate_executions=4,
    high_failure_rate=Decimal("0.7"),
    standard_executions=4,
    baseline_executions=4,
    attempt_interval_s=30,
    attempt_interval_max_s=100,
    remembered_versions=2,
)
RULES: Sequence[Rules] = (
    SMALL,
    DEFAULT,
    # Consecutive failures ask for more than complete failure does: the third rule can be first.
    Rules.model_validate(
        SMALL.model_dump()
        | {"consecutive_failures": 4, "signature_errors": 3, "complete_failure_recent": 2}
    ),
    # A ring of one; windows that are no multiples of their buckets; a bucket as long as its window.
    Rules(
        ring_size=1,
        recent_window_s=1,
        consecutive_failures=1,
        signature_errors=1,
        complete_failure_recent=1,
        fast_window_s=120,
        fast_bucket_s=120,
        standard_window_s=600,
        standard_bucket_s=70,
        remembered_versions=1,
    ),
    # The immediate rules are all but out of reach: the windows decide.
    Rules(
        ring_size=4,
        recent_window_s=10,
        consecutive_failures=4,
        signature_errors=4,
        complete_failure_recent=4,
        fast_window_s=120,
        fast_bucket_s=10,
        standard_window_s=600,
        standard_bucket_s=60,
        standard_executions=5,
        success_rate_drop=Decimal("0.2"),
        baseline_executions=3,
        attempt_interval_s=60,
        attempt_interval_max_s=60,
        remembered_versions=3,
    ),
)

PAIRS = {
    ("immediate", "consecutive_failures"),
    ("immediate", "signature_change"),
    ("immediate", "complete_failure"),
    ("fast", "complete_failure"),
    ("fast", "high_failure_rate"),
    ("standard", "success_rate_drop"),
}

REACHABLE = [
    PAIRS - {("immediate", "complete_failure")},
    PAIRS - {("immediate", "complete_failure")},
    PAIRS,
    {("immediate", "consecutive_failures")},
    PAIRS - {("immediate", "complete_failure"), ("immediate", "signature_change")},
]
"""By rules: what is reached often. Complete failure never is where it needs as many executions as
consecutive failures does; four signature errors in a ring of four are four consecutive failures."""

LOGS_EACH = 400
"""How many seeded logs are compared under each of the rules."""

FAILURES: Sequence[tuple[str | None, str | None]] = (
    ("HTTP 500: Internal Server Error", "HTTPError"),
    (None, None),
    ('KeyError: "TypeErrorCount"', None),
    ("TypeError: unexpected keyword argument 'limit'", "ValueError"),
    ("timed out", "asyncio.exceptions.TimeoutError"),
)
CALLS = (
    {"session_id": "b"},
    {"caller": "a", "session_id": "b"},
    {"caller": "b"},
    {"input_hash": "a", "caller": "a"},
    {"input_hash": "", "session_id": "a"},
)
SIGNATURE_FAILURES: Sequence[tuple[str | None, str | None]] = (
    ("unexpected keyword argument 'limit'", "TypeError"),
    (None, "AttributeError"),
    ("TypeError(\"unexpected keyword argument 'limit'\")", None),
    ("AttributeError: 'NoneType' object has no attribute 'x'", None),
    ("KeyError: 'x'", "builtins.TypeError"),
)


def product(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    return commands_of_log([(each.offset, each.timestamp_ms, each.entry) for each in log], rules)


class Choose(Protocol):
    """Picks one of the options; the first is the simplest."""

    def __call__(self, options: Sequence[T], /) -> T: ...


@dataclass
class LogBuilder:
    """Writes one tool's log, choosing what comes next. Times are in microseconds."""

    choose: Choose
    rules: Rules
    log: list[Entry] = field(default_factory=list)
    clock: int = micros_of(START)
    timestamp_ms: int = 0
    activation: int = 0
    version: int = 0
    versions: int = 0
    activated_at: int = micros_of(START)
    activations: list[Activation] = field(default_factory=list)
    runs: list[Execution] = field(default_factory=list)
    fail_of_8: int = 0
    signature: bool = False
    pace: int = SECOND

    def build(self) -> list[Entry]:
        length = self.choose((6, 12, 25, 45, 60))
        if self.choose((True, True, True, True, False)):
            self._deploy()
        self._new_phase()
        for _ in range(length):
            what = self.choose(("run",) * 30 + ("phase",) * 3 + ("deploy", "back", "stale"))
            if what == "run":
                self._run()
            elif what == "phase":
                self._new_phase()
            elif what == "deploy":
                self._deploy()
                self._new_phase()
            elif what == "back":
                self._roll_back()
                self._new_phase()
            else:
                self._stale()
        return self.log

    def _new_phase(self) -> None:
        rules = self.rules
        self.fail_of_8 = self.choose((0, 2, 3, 4, 5, 7, 8))
        self.signature = self.choose((False, False, True))
        self.pace = self.choose(
            (
                SECOND,
                rules.recent_window_s * SECOND // 12,
                rules.recent_window_s * SECOND * 2 // 3,
                rules.fast_window_s * SECOND // 7,
                rules.fast_window_s * SECOND // 4 + 1,
                rules.standard_window_s * SECOND // 24,
                rules.standard_window_s * SECOND // 9,
            )
        )

    def _deploy(self) -> None:
        self.versions += 1
        self._activate("deployment", self.versions)

    def _roll_back(self) -> None:
        """To any version so far, now and then to one that this log never saw current."""
        self.versions += not self.versions
        self._activate("rollback", self.choose([*range(1, self.versions + 1), self.versions + 7]))

    def _activate(self, kind: Any, version: int) -> None:
        self.activation += self.choose((1, 1, 1, 3))
        self.version = version
        self.activated_at = self.clock + self.choose((0, 1, -1, SECOND, -self.pace, 3 * self.pace))
        activation = Activation(
            tool_name=TOOL,
            version_id=version,
            version_number=version,
            code_hash=HASH,
            activation=self.activation,
            activated_at=time_of(self.activated_at),
            activated_by=ActivatedBy(kind=kind, id=UUID(int=self.activation)),
        )
        self.activations.append(activation)
        self._append(activation, self.activated_at)

    def _stale(self) -> None:
        """An activation once more, or another one that comes too late."""
        if not self.activations:
            return
        old = self.choose(self.activations[::-1])
        if self.choose((True, False)):
            old = old.model_copy(update={"version_id": self.versions + 3})
        self._append(old, micros_of(old.activated_at))

    def _run(self) -> None:
        again = self.choose((False,) * 9 + (True,))
        if again and self.runs:
            run = self.choose(self.runs[:-25:-1])
            if self.choose((True, False)):
                run = run.model_copy(update={"success": not run.success})
            if self.choose((True, True, False)):
                run = run.model_copy(update={"executed_at": time_of(self._when())})
        else:
            run = self._new_run()
        executed_at = micros_of(run.executed_at)
        self.clock = max(self.clock, executed_at)
        self._append(run, executed_at)
        self.runs.append(run)

    def _new_run(self) -> Execution:
        success = self.choose(tuple(range(8))) >= self.fail_of_8
        error, error_type = None, None
        if not success:
            error, error_type = self.choose(SIGNATURE_FAILURES if self.signature else FAILURES)
        run = Execution(
            execution_id=UUID(int=len(self.runs) + 1),
            tool_name=TOOL,
            version_id=self._whose(),
            success=success,
            error=error,
            error_type=error_type,
            executed_at=time_of(self._when()),
        )
        return run.model_copy(update=self._call())

    def _call(self) -> dict[str, str]:
        """Who calls, where the policy asks."""
        if self.rules.policy == "seed":
            return {}
        return self.choose(({},) * 3 + ({"session_id": "a"},) * 3 + CALLS)

    def _whose(self) -> int | None:
        whose = self.choose(("current",) * 9 + ("none",) * 4 + ("other",))
        if whose == "none" or not self.version:
            return None
        if whose == "current":
            return self.version
        return self.choose(tuple(range(1, self.versions + 2)))

    def _when(self) -> int:
        """Mostly on with the clock; or late, at the same time, or where something changes."""
        rules = self.rules
        how = self.choose(("on",) * 12 + ("tie", "late", "late", "activated", "window", "bucket"))
        near = self.choose((0, 1, -1)) if how in ("activated", "window", "bucket") else 0
        if how == "tie":
            return self.clock
        if how == "late":
            return self.clock - self.choose(
                (
                    1,
                    self.pace // 2,
                    3 * self.pace,
                    12 * self.pace,
                    rules.fast_window_s * SECOND,
                    rules.standard_window_s * SECOND,
                )
            )
        if how == "activated":
            return self.activated_at + near
        if how == "on" or not self.runs:
            return self.clock + self.choose((self.pace, self.pace // 3, self.pace + 1, 0))
        then = micros_of(self.choose(self.runs[:-12:-1]).executed_at)
        if how == "window":
            after = self.choose(
                (
                    rules.recent_window_s,
                    rules.fast_window_s,
                    rules.attempt_interval_s,
                    2 * rules.attempt_interval_s,
                    rules.attempt_interval_max_s,
                    rules.standard_window_s,
                )
            )
            return then + after * SECOND + near
        window_s, bucket_s = self.choose(
            (
                (rules.fast_window_s, rules.fast_bucket_s),
                (rules.standard_window_s, rules.standard_bucket_s),
                (0, rules.fast_bucket_s),
                (0, rules.standard_bucket_s),
            )
        )
        size = bucket_s * SECOND
        return then // size * size + size + window_s * SECOND + near

    def _append(self, entry: Execution | Activation, at: int) -> None:
        """At a Kafka timestamp that is at most 60 s behind what the entry says."""
        ahead = self.choose((0, 1, -SECOND, 60 * SECOND))
        self.timestamp_ms = max(self.timestamp_ms, -((ahead - at) // 1000))
        offset = self.log[-1].offset + self.choose((1, 1, 2)) if self.log else 5
        self.log.append(Entry(offset, self.timestamp_ms, entry))


@st.composite
def logs(draw: st.DrawFn) -> tuple[Rules, list[Entry]]:
    def choose(options: Sequence[T], /) -> T:
        return draw(st.sampled_from(options))

    rules = choose(RULES)
    return rules, LogBuilder(choose, rules).build()


def dumped(commands: Iterable[RollbackCommand]) -> list[dict[str, Any]]:
    return [command.model_dump() for command in commands]


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(logs())
def test_product_and_oracle_issue_the_same_commands(case: tuple[Rules, list[Entry]]) -> None:
    rules, log = case
    expected = commands_of(log, rules)
    target(float(len({(each.tier, each.reason) for each in expected})), label="rules reached")
    target(float(len(expected)), label="commands")
    assert dumped(product(log, rules)) == dumped(expected)


@pytest.mark.parametrize("which", range(len(RULES)))
def test_they_agree_on_many_logs_and_each_rule_is_reached(which: int) -> None:
    rules = RULES[which]
    reached: Counter[tuple[str, str]] = Counter()
    again = with_baseline = at_timestamp = 0
    for seed in range(LOGS_EACH):
        log = LogBuilder(Random(f"{which}/{seed}").choice, rules).build()
        expected = commands_of(log, rules)
        assert dumped(product(log, rules)) == dumped(expected), f"seed {which}/{seed}"
        timestamps = {time_of(each.timestamp_ms * 1000) for each in log}
        for command in expected:
            reached[command.tier, command.reason] += 1
            again += command.details["attempt"] > 2
            with_baseline += command.details["baseline"] is not None
            at_timestamp += command.issued_at in timestamps
    assert {pair for pair in PAIRS if reached[pair] >= 3} >= REACHABLE[which], reached
    assert again >= 3
    assert with_baseline >= 3
    assert at_timestamp >= 3


@pytest.mark.parametrize("which", range(len(RULES)))
def test_counting_successes_at_once_changes_nothing(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches of any length: the same rows, byte for byte, and the same commands."""
    rules, at_once = RULES[which], noting_stretches(monkeypatch)
    for seed in range(LOGS_EACH):
        random = Random(f"{which}/{seed}")
        assert_same_in_batches(LogBuilder(random.choice, rules).build(), rules, random)
    assert sum(at_once) > LOGS_EACH


def test_a_success_by_which_a_rule_holds_is_not_overlooked() -> None:
    """Time drops older successes, or a window reaches the number that a rule asks for."""
    rules = Rules.model_validate(
        RULES[4].model_dump() | {"high_failure_rate": "0.5", "high_failure_rate_executions": 9}
    )
    by_success: Counter[str] = Counter()
    for seed in range(1_500):
        random = Random(seed)
        script, before, begin = Script().deploy(0), random.randint(3, 8), 145
        if random.random() < 0.5:  # with a baseline: the standard window decides
            script.run("." * 12, *range(12)).deploy(20)
            before, begin = 25, 655
        script.run("." * before, *range(21, 21 + before))
        for second in sorted(random.sample(range(60, 140), random.randint(3, 7))):
            script.run("F", second)
        after, step = random.randint(2, 9), random.choice((0, 1, 2, 20))
        begin += random.randint(0, 15)
        script.run(
            "." * after, *range(begin, begin + after * step, step) if step else [begin] * after
        )
        found = assert_same_in_batches(script.log, rules, random)
        ends = {each.timestamp_ms: each.entry for each in script.log}
        for timestamp_ms, command in found:
            entry = ends[timestamp_ms]
            if isinstance(entry, Execution) and entry.success:
                by_success[command.tier] += 1
    assert min(by_success["fast"], by_success["standard"]) >= 20, by_success


def noting_stretches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows: how many successes the product was asked to count at once."""
    at_once: list[int] = []

    def noting(row: Row, runs: Sequence[ExecutionEntry], *rest: Any) -> bool:
        at_once.append(len(runs))
        return count_successes(row, runs, *rest)

    monkeypatch.setattr(policy.decision.seed, "count_successes", noting)
    monkeypatch.setattr(policy.decision.guarded, "count_successes", noting)
    return at_once


def assert_same_in_batches(
    log: Sequence[Entry], rules: Rules, random: Random
) -> list[tuple[int, RollbackCommand]]:
    """Fold it in batches and one by one, some entries twice; the commands with their timestamps."""
    rest = [numbered(each) for each in log]
    together = apart = None
    commands = []
    while rest:
        length = random.choice((1, 2, 5, 20, 100))
        together, found = fold_all(together, rest[:length], policy_for(rules))
        expected = []
        for record in rest[:length]:
            apart, command = fold(apart, record, policy_for(rules))
            if command is not None:
                expected.append((record.offset, record.timestamp_ms, command))
        assert found == expected
        assert encode_or_none(together) == encode_or_none(apart)
        commands += [(timestamp_ms, command) for _, timestamp_ms, command in found]
        del rest[: random.choice((length, length, max(length - 3, 1)))]
    return commands


def numbered(each: Entry) -> LogRecord:
    return LogRecord.of(each.offset, each.timestamp_ms, each.entry)


def encode_or_none(row: Row | None) -> bytes | None:
    return None if row is None else encode(row)


# By hand, from the contract. Times are seconds after START, which is an edge of every bucket.


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Script:
    """A log written by hand. Each record arrives when it happens, or with the one before it."""

    log: list[Entry] = field(default_factory=list)
    version: int = 0
    activation: int = 0
    runs: int = 0

    def deploy(self, seconds: float) -> "Script":
        """A new version: the next number."""
        seen = [each.entry.version_id for each in self.log if isinstance(each.entry, Activation)]
        return self._activate("deployment", max(seen, default=0) + 1, seconds)

    def roll_back(self, version: int, seconds: float) -> "Script":
        return self._activate("rollback", version, seconds)

    def _activate(self, kind: Any, version: int, seconds: float) -> "Script":
        self.version = version
        self.activation += 1
        activation = Activation(
            tool_name=TOOL,
            version_id=version,
            version_number=version,
            code_hash=HASH,
            activation=self.activation,
            activated_at=at(seconds),
            activated_by=ActivatedBy(kind=kind, id=UUID(int=self.activation)),
        )
        return self.append(activation, seconds)

    def run(
        self,
        outcomes: str,
        *times: float,
        error: str | None = "HTTPError",
        execution_id: int | None = None,
        version: int | None = None,
        timestamp: float | None = None,
    ) -> "Script":
        """Executions of the current version: '.' succeeds, 'F' fails. Ids count from 1."""
        assert len(outcomes) == len(times)
        for outcome, seconds in zip(outcomes, times, strict=True):
            self.runs += 1
            execution = Execution(
                execution_id=UUID(int=execution_id or self.runs),
                tool_name=TOOL,
                version_id=version or self.version,
                success=outcome == ".",
                error_type=None if outcome == "." else error,
                executed_at=at(seconds),
            )
            self.append(execution, seconds if timestamp is None else timestamp)
        return self

    def repeat(self, place: int) -> "Script":
        """The record at this place once more, at the end."""
        return self.append(self.log[place].entry, 0)

    def append(self, entry: Execution | Activation, timestamp: float) -> "Script":
        timestamp_ms = -(-micros_of(at(timestamp)) // 1000)
        if self.log:
            timestamp_ms = max(timestamp_ms, self.log[-1].timestamp_ms)
        self.log.append(Entry(len(self.log), timestamp_ms, entry))
        return self


Line = tuple[int, str, str, int, int, int, float]
"""Of a command: its place (which record of the log decided, from 0), tier, reason, executions,
failures, attempt, and when it was issued in seconds after START."""


def lines(judge: Judge, script: Script, rules: Rules) -> list[Line]:
    """The commands, each at the shortest log that demands it."""
    found: list[Line] = []
    for length in range(1, len(script.log) + 1):
        for command in judge(script.log[:length], rules)[len(found) :]:
            found.append(
                (
                    length - 1,
                    command.tier,
                    command.reason,
                    command.details["executions"],
                    command.details["failures"],
                    command.details["attempt"],
                    (command.issued_at - START).total_seconds(),
                )
            )
    return found


def every(step: float, how_many: int, first: float) -> list[float]:
    return [first + step * index for index in range(how_many)]


def with_predecessor(outcomes: str, step: float = 600.0) -> Script:
    """A first version with these outcomes, replaced at 0 by a second one.

    600 s apart `recent` holds one execution and 1,800 s hold four at most: no immediate or fast
    rule can hold. Without a baseline of its own the standard rule is silent.
    """
    times = every(step, len(outcomes), -step * len(outcomes))
    return Script().deploy(times[0]).run(outcomes, *times).deploy(0)


# 15 of 20: 75 %. It replaces nothing, so nothing judges it but the immediate and fast rules.
SEVENTY_FIVE = "...F" * 5

CASES: dict[str, tuple[Script, list[Line]]] = {}
CUSTOM: dict[str, Rules] = {}


def case(name: str, script: Script, *expected: Line, rules: Rules | None = None) -> None:
    assert name not in CASES
    CASES[name] = script, list(expected)
    if rules is not None:
        CUSTOM[name] = rules


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


@pytest.mark.parametrize("judge", [commands_of, product])
@pytest.mark.parametrize("name", CASES)
def test_the_contract_by_hand(name: str, judge: Judge) -> None:
    script, expected = CASES[name]
    assert lines(judge, script, CUSTOM.get(name, DEFAULT)) == expected


@pytest.mark.parametrize("judge", [commands_of, product])
def test_every_field_of_a_command(judge: Judge) -> None:
    """Scenario 4's: `recent` are those from 6,900 s on, and 75 % of 20 is the baseline."""
    script, _ = CASES["scenario 4: at exactly 18 of 30"]
    assert dumped(judge(script.log, DEFAULT)) == [
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


@pytest.mark.parametrize("judge", [commands_of, product])
def test_an_execution_without_a_version_is_of_the_current_one(judge: Judge) -> None:
    script = CASES["scenario 2: at the third failure"][0]
    bare = [
        Entry(each.offset, each.timestamp_ms, each.entry.model_copy(update={"version_id": None}))
        if isinstance(each.entry, Execution)
        else each
        for each in script.log
    ]
    assert dumped(judge(bare, DEFAULT)) == dumped(judge(script.log, DEFAULT))
    assert judge(bare[1:], DEFAULT) == []  # a tool that was never activated
