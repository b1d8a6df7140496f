"""Functions that fold a log as the detector does: record by record, or in batches."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest

import policy.decision.guarded
import policy.decision.seed
from policy.decision.fold import commands_of_log, fold, fold_all
from policy.decision.policies import policy_for
from policy.state.counting import count_successes
from policy.state.log import LogRecord
from policy.state.row import Row, encode
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules
from tests.support.policy.oracle.log import Entry


def commands_of_product(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    """Return the commands that the product issues."""
    return commands_of_log([(each.offset, each.timestamp_ms, each.entry) for each in log], rules)


def dumped(commands: Iterable[RollbackCommand]) -> list[dict[str, Any]]:
    return [command.model_dump() for command in commands]


def note_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each call of ``count_successes`` adds its number of executions."""
    at_once: list[int] = []

    def noting(row: Row, executions: Sequence[ExecutionEntry], *rest: Any) -> bool:
        at_once.append(len(executions))
        return count_successes(row, executions, *rest)

    monkeypatch.setattr(policy.decision.seed, "count_successes", noting)
    monkeypatch.setattr(policy.decision.guarded, "count_successes", noting)
    return at_once


def assert_same_in_batches(
    log: Sequence[Entry], rules: Rules, random: Random
) -> list[tuple[int, RollbackCommand]]:
    """Fold the log in batches and record by record, some records twice; compare the results.

    Return the commands, each with the Kafka timestamp of its record.
    """
    rest = [log_record(each) for each in log]
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


def log_record(each: Entry) -> LogRecord:
    return LogRecord.of(each.offset, each.timestamp_ms, each.entry)


def encode_or_none(row: Row | None) -> bytes | None:
    return None if row is None else encode(row)


def with_withdrawals(log: Sequence[Entry], rules: Rules, random: Random) -> list[Entry]:
    """Return the log with the answers of an applier that sees an outage at half of the commands.

    An answer follows a few records later, sometimes twice.
    """
    policy, row = policy_for(rules), None
    rest, told, answers = list(log), list[Entry](), list[tuple[int, Activation]]()
    current: Activation | None = None
    while rest:
        due = [answer for at, answer in answers if at <= len(told)]
        answers = [each for each in answers if each[0] > len(told)]
        for entry in (*due, rest[0].entry):
            timestamp_ms = max(rest[0].timestamp_ms, told[-1].timestamp_ms if told else 0)
            told.append(Entry(len(told), timestamp_ms, entry))
            row, command = fold(row, log_record(told[-1]), policy)
            if isinstance(entry, Activation) and row is not None:
                is_newest = row.activation == entry.activation
                current = entry if is_newest and entry.outage is None else current
            if command is not None and current is not None and random.random() < 0.5:
                answer = current.model_copy(update={"outage": command.command_id})
                for _ in range(random.choice((1, 1, 2))):
                    answers.append((len(told) + random.choice((0, 1, 2, 6)), answer))
        rest.pop(0)
    return told
