"""One noisy caller among others, by hand. Whole logs: ``test_guarded_oracle.py``."""

from uuid import UUID

import pytest

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.evidence import Evidence
from policy.state.log import LogRecord
from policy.state.muted_callers import MutedCallers, caller_of
from policy.state.row import Row
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules
from tests.support.policy.backtest_logs import START
from tests.support.policy.folding import log_record
from tests.support.policy.written_logs import Script

GUARDED = Rules(policy="guarded")


def execution(number: int, second: float, success: bool, **caller: str) -> ExecutionEntry:
    at_us = micros_of(START) + int(second * 1_000_000)
    made = ExecutionEntry(UUID(int=number), "parser", success, "", executed_us=at_us)
    for name, text in caller.items():
        setattr(made, name, text)
    return made


class Log:
    """A tool whose previous version succeeded 495 of 500 times; callers a to j took turns."""

    def __init__(self, rules: Rules = GUARDED) -> None:
        self.rules = rules
        self.row: Row | None = None
        self.offset = 0
        self.commands: list[RollbackCommand] = []
        for each in Script().deploy(0).log:
            self.row, _ = fold(self.row, log_record(each), policy_for(rules))
        for number in range(500):
            self.run(number, number % 100 != 50, session_id="abcdefghij"[number % 10])
        for each in Script().deploy(0).deploy(500).log[1:]:
            self.offset += 1
            self.row, _ = fold(
                self.row, LogRecord.of(self.offset + 10, 0, each.entry), policy_for(rules)
            )

    def run(self, second: float, success: bool, **caller: str) -> None:
        self.offset += 1
        entry = execution(1_000 + self.offset, second, success, **caller)
        at_ms = entry.executed_us // 1_000
        self.row, command = fold(
            self.row, LogRecord.of(self.offset + 10, at_ms, entry), policy_for(self.rules)
        )
        if command is not None:
            self.commands.append(command)

    @property
    def evidence(self) -> Evidence:
        assert self.row is not None
        assert self.row.tool_evidence is not None
        return self.row.tool_evidence.evidence


def test_repeated_failures_of_one_caller_count_once() -> None:
    log = Log()
    for number in range(20):
        log.run(601 + number, False, session_id="a")
    assert log.commands == []
    assert (log.evidence.failures, log.evidence.executions) == (1, 1)


def test_the_same_failures_of_different_callers_roll_back() -> None:
    log = Log()
    for number in range(20):
        log.run(601 + number, False, session_id="abcdefghij"[number % 10])
    assert log.commands
    assert log.commands[0].details["evidence"]["seen"]["failures"] <= 4


def test_all_failures_count_if_no_caller_is_named() -> None:
    log = Log()
    for number in range(4):
        log.run(601 + number, False)
    assert log.commands
    assert log.evidence.failures == 4


def test_it_counts_again_after_the_span() -> None:
    log = Log()
    for second in (601, 620, 632, 633, 800):
        log.run(second, False, session_id="a")
        log.run(second, True, session_id="b")
    assert log.evidence.failures == 3


def test_successes_of_a_muted_caller_do_not_count_either() -> None:
    log = Log()
    log.run(601, False, session_id="a")
    for number in range(10):
        log.run(602 + number, True, session_id="a")
    assert (log.evidence.failures, log.evidence.executions) == (1, 1)
    log.run(612, True, session_id="b")
    assert log.evidence.executions == 2


def test_the_only_caller_of_a_tool_is_not_muted() -> None:
    log = Log(Rules(policy="guarded", repeat_others_s=10))
    for number in range(6):
        log.run(620 + number, False, session_id="a")
    assert log.commands


def test_two_callers_that_fail_while_nothing_succeeds_are_not_muted() -> None:
    log = Log()
    for number in range(6):
        log.run(601 + number, False, session_id="ab"[number % 2])
    assert log.commands
    other = Log(Rules(policy="guarded", alpha=1e-9, false_alarm_executions=1e12))
    for number in range(6):
        other.run(601 + number, False, session_id="ab"[number % 2])
        other.run(601 + number, True, session_id="c")
    assert other.commands == []
    assert other.evidence.failures == 2


def test_a_failure_of_another_caller_lets_it_count_once_more() -> None:
    log = Log(Rules(policy="guarded", alpha=1e-9, false_alarm_executions=1e12))
    for number in range(3):
        log.run(601 + number, False, session_id="a")
    log.run(604, False, session_id="b")
    for number in range(5):
        log.run(605 + number, False, session_id="a")
    assert log.evidence.failures == 3


def test_nobody_is_muted_if_the_span_is_zero() -> None:
    log = Log(Rules(policy="guarded", repeat_span_s=0))
    for number in range(4):
        log.run(601 + number, False, session_id="a")
    assert log.commands


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"session_id": "a"}, {"session_id": "a"}, True),
        ({"session_id": "a"}, {"caller": "a"}, False),
        ({"caller": "a", "session_id": "b"}, {"caller": "a", "session_id": "c"}, True),
        ({"input_hash": "1", "caller": "a"}, {"input_hash": "1", "caller": "b"}, True),
        ({"input_hash": "1", "caller": "a"}, {"input_hash": "2", "caller": "a"}, False),
        ({"input_hash": "", "caller": "a"}, {"caller": "a"}, True),
    ],
)
def test_which_executions_have_the_same_caller(
    one: dict[str, str], other: dict[str, str], same: bool
) -> None:
    assert (
        caller_of(execution(1, 0, True, **one)) == caller_of(execution(2, 0, True, **other))
    ) is same
    assert caller_of(execution(3, 0, True)) == 0


def test_at_most_eight_muted_callers_are_remembered() -> None:
    callers = MutedCallers()
    for number in range(50):
        callers.count_failure(
            execution(number, number / 10, False, session_id=str(number)), GUARDED
        )
        callers.count_successes([execution(100 + number, number / 10, True)], GUARDED)
    assert len(callers.failed) == 16
