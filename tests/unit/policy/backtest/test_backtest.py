"""What policies decide over recorded logs."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from policy.backtest.comparison import differs, ordered, summaries
from policy.backtest.requested_policy import RequestedPolicy
from policy.backtest.trials import Backtest, Recorded, Trial, Trials
from policy.decision.fold import commands_of_log
from schemas.execution import Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules
from schemas.settings import load_settings
from tests.support.policy.backtest_logs import GUARDED, SEED, SETTINGS, active, at, run
from tests.support.policy.generated_logs import RULES, built_by
from tests.support.policy.oracle.log import Entry
from tests.support.policy.partition import Partition
from tests.support.policy.partition_logs import SENSITIVE, batches, random_log


def judged(policies: Sequence[RequestedPolicy], *log: Execution | Activation) -> Trials:
    backtest = Backtest(policies, SETTINGS.outages)
    entries = (ExecutionEntry.of(each) if isinstance(each, Execution) else each for each in log)
    backtest.read(Recorded(0, 0, entry) for entry in entries)
    return backtest.finish()


def first_commands(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    """Return the first command of each activation, as the product issues it."""
    found: dict[int | None, RollbackCommand] = {}
    for command in commands_of_log(
        [(each.offset, each.timestamp_ms, each.entry) for each in log], rules
    ):
        found.setdefault(command.from_activation, command)
    return list(found.values())


def named(log: Sequence[Entry], tool: str) -> list[Entry]:
    return [replace(each, entry=each.entry.model_copy(update={"tool_name": tool})) for each in log]


@pytest.mark.exhaustive
@pytest.mark.parametrize("rules", RULES)
def test_each_tool_is_judged_as_the_detector_judges_it(rules: Rules) -> None:
    """Several logs are mixed in random order, in two partitions, and judged by both policies."""
    settings = load_settings(**rules.model_dump())
    policies = [RequestedPolicy.parse(name, settings) for name in ("seed", "guarded")]
    decided = 0
    for seed in range(40):
        random = Random(seed)
        logs = {tool: named(built_by(random, rules), tool) for tool in ("a", "b", "c")}
        waiting = {tool: iter(log) for tool, log in logs.items()}
        backtest = Backtest(policies, SETTINGS.outages)
        while waiting:
            tool = random.choice(sorted(waiting))
            each = next(waiting[tool], None)
            if each is None:
                del waiting[tool]
                continue
            entry = (
                ExecutionEntry.of(each.entry) if isinstance(each.entry, Execution) else each.entry
            )
            backtest.read([Recorded(int(tool == "a"), each.timestamp_ms, entry)])
        trials = backtest.finish().notable
        for number, policy in enumerate(policies):
            for tool, log in logs.items():
                found = [
                    decision.command
                    for trial in trials
                    if trial.tool_name == tool and (decision := trial.decisions[number])
                ]
                assert found == first_commands(log, policy.rules_of(tool))
                decided += len(found)
    assert decided > 40


def test_outages_follow_from_the_log_of_a_partition() -> None:
    """The result is that of the detector, in parts of any length; outages prevent decisions."""
    decided = held = 0
    for seed in range(20):
        log, random = random_log(seed), Random(seed)
        partition = Partition(SENSITIVE)
        commands = [command for each in log if (command := partition.read(*each))]
        first = {(each.tool_name, each.from_activation): each for each in reversed(commands)}
        backtest = Backtest([RequestedPolicy.parse("guarded", SENSITIVE)], SENSITIVE.outages)
        for batch in batches(log, random):
            backtest.read(Recorded(0, at_ms, entry, offset) for offset, at_ms, entry in batch)
        found = {
            (trial.tool_name, trial.activation): trial.decisions[0].command
            for trial in backtest.finish().notable
            if trial.decisions[0] is not None
        }
        assert found == first
        decided += len(found)
        held += partition.watch.lasts or bool(partition.watch.spans)
    assert decided > 10
    assert held


def test_the_fields_of_a_decision() -> None:
    bad = [run(10 + n, 2, "ValueError: no") for n in range(3)]
    found = judged(
        [SEED, GUARDED],
        active(0, 1, 1),
        *(run(n) for n in range(1, 9)),
        active(9, 2, 2),
        bad[0],
        bad[0],
        run(10, 1, "ValueError: of the version before"),
        *bad[1:],
        run(13, 2, "ValueError: no"),
        active(14, 1, 3, "rollback"),
        active(14, 1, 3, "rollback"),
        run(15),
    )
    assert (found.tools, found.executions, found.unknown, found.judged) == (1, 15, 0, 3)
    [trial] = found.notable
    assert (trial.version_id, trial.version_number, trial.activation) == (2, 2, 2)
    assert (trial.executions, trial.failures) == (4, 4)
    assert (trial.rolled_back_to, trial.rolled_back_us) == (1, micros_of(at(14)))
    by_seed, by_guarded = trial.decisions
    assert by_seed is not None
    assert by_guarded is None
    assert (by_seed.executions, by_seed.failures) == (3, 3)
    assert by_seed.executed_us == micros_of(at(12))
    assert by_seed.command.reason == "consecutive_failures"
    assert differs(trial)
    assert [tuple(each) for each in summaries(found, 2)] == [(1, 3, 3, 1, 0), (0, None, None, 0, 0)]


def test_the_log_goes_on_whatever_a_policy_would_have_done() -> None:
    found = judged(
        [SEED],
        active(0, 1, 1),
        *(run(100 * n, error="ValueError: no") for n in range(9)),
        active(9_000, 2, 2),
        run(9_001),
    )
    [trial] = found.notable
    assert (trial.executions, trial.was_rolled_back) == (9, False)
    assert summaries(found, 1)[0].alone == 1


def test_executions_of_no_known_version_are_counted_and_not_judged() -> None:
    found = judged([SEED], *(run(n, error="ValueError: no") for n in range(5)))
    assert (found.executions, found.unknown, found.judged, found.tools) == (5, 5, 0, 0)


def test_those_in_which_policies_differ_come_first() -> None:
    command = (
        judged([SEED], active(0, 1, 1), *(run(n, error="ValueError: no") for n in range(3)))
        .notable[0]
        .decisions[0]
    )
    both = Trial("a", 1, 1, 1, 5, [command, command])
    neither = Trial("b", 1, 1, 1, 4, [None, None], rolled_back_to=2)
    one = Trial("c", 1, 1, 1, 9, [command, None])
    assert [trial.tool_name for trial in ordered([both, neither, one])] == ["c", "b", "a"]


def test_policies_with_other_lists_judge_other_failures() -> None:
    asked = ("seed", "seed:environment_errors=OSError", "seed:environment_errors=OSError,KeyError")
    policies = [RequestedPolicy.parse(text, SETTINGS) for text in asked]
    activated, log = (
        active(0, 1, 1),
        [
            *(run(second, 1, "OSError: away") for second in (1, 2)),
            *(run(second, 1, "KeyError: no") for second in (3, 4, 5)),
            run(6, 1),
            *(run(second, 1, "ValueError: no") for second in (7, 8)),
        ],
    )
    found = judged(policies, activated, *log)
    (trial,) = found.notable
    assert (trial.executions, trial.failures, trial.not_judged) == (8, 7, [0, 2, 5])
    assert (found.failures, found.not_judged) == (7, [0, 2, 5])
    decided = [
        each and (each.executed_us, each.executions, each.failures) for each in trial.decisions
    ]
    assert decided == [(micros_of(at(3)), 3, 3), (micros_of(at(5)), 3, 3), None]
    said = [each.model_copy(update={"error_origin": "tool"}) for each in log]
    stated = judged(policies, activated, *said)
    assert stated.not_judged == [0, 0, 0]
