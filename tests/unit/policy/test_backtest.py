"""Policies over recorded logs: what they decide there, and how a log is completed."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from policy.backtest.comparison import differs, ordered, summaries
from policy.backtest.derived_activations import DerivedActivations, is_derived
from policy.backtest.placed_activations import CommittedActivation, PlacedActivations
from policy.backtest.requested_policy import RequestedPolicy
from policy.backtest.trials import Backtest, Recorded, Trial, Trials
from policy.decision.fold import commands_of_log
from rollguard.backtest_sources.log_entries import BacktestFilter
from rollguard.backtest_sources.run import of_lines
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.rollback import RollbackCommand
from schemas.rules import Rules
from schemas.settings import load_settings
from tests.support.oracle import Entry
from tests.support.partition import Partition
from tests.support.system import activation, execution
from tests.unit.policy.test_outages import SENSITIVE, batches, random_log
from tests.unit.policy.test_rules_oracle import RULES, SMALL, LogBuilder

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = load_settings()
SEED, GUARDED = RequestedPolicy.parse("seed", SETTINGS), RequestedPolicy.parse("guarded", SETTINGS)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def run(second: int, version: int | None = None, error: str | None = None) -> Execution:
    return execution("parser", error, version_id=version, executed_at=at(second))


def active(second: int, version: int, number: int, kind: str = "deployment") -> Activation:
    by = ActivatedBy.model_validate({"kind": kind, "id": UUID(int=number)})
    return activation("parser", version, number, activated_at=at(second), activated_by=by)


def judged(policies: Sequence[RequestedPolicy], *log: Execution | Activation) -> Trials:
    backtest = Backtest(policies, SETTINGS.outages)
    entries = (ExecutionEntry.of(each) if isinstance(each, Execution) else each for each in log)
    backtest.read(Recorded(0, 0, entry) for entry in entries)
    return backtest.finish()


def first_commands(log: Sequence[Entry], rules: Rules) -> list[RollbackCommand]:
    """Of each activation, as the product decides them."""
    found: dict[int | None, RollbackCommand] = {}
    for command in commands_of_log(
        [(each.offset, each.timestamp_ms, each.entry) for each in log], rules
    ):
        found.setdefault(command.from_activation, command)
    return list(found.values())


def named(log: Sequence[Entry], tool: str) -> list[Entry]:
    return [replace(each, entry=each.entry.model_copy(update={"tool_name": tool})) for each in log]


@pytest.mark.parametrize("rules", RULES)
def test_each_tool_is_judged_as_the_detector_judges_it(rules: Rules) -> None:
    """Some logs at once, in one order, in several partitions, by both policies."""
    settings = load_settings(**rules.model_dump())
    policies = [RequestedPolicy.parse(name, settings) for name in ("seed", "guarded")]
    decided = 0
    for seed in range(40):
        random = Random(seed)
        logs = {
            tool: named(LogBuilder(random.choice, rules).build(), tool) for tool in ("a", "b", "c")
        }
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


def test_outages_are_told_from_the_log_of_a_partition() -> None:
    """As the detector tells them, in stretches of any length; they hold decisions back."""
    decided = held = 0
    for seed in range(10):
        log, random = random_log(seed), Random(seed)
        partition = Partition(SENSITIVE)
        commands = [command for each in log if (command := partition.read(*each))]
        first = {(each.tool_name, each.from_activation): each for each in reversed(commands)}
        backtest = Backtest([RequestedPolicy.parse("guarded", SENSITIVE)], SENSITIVE.outages)
        for stretch in batches(log, random):
            backtest.read(Recorded(0, at_ms, entry, offset) for offset, at_ms, entry in stretch)
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


def test_what_is_said_of_a_decision() -> None:
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gaurded", "'gaurded' is no policy: seed, guarded"),
        ("", "'' is no policy"),
        ("guarded:alfa=1", "'alfa' is no setting of the rules"),
        ("guarded:alpha", "'alpha' is not SETTING=VALUE"),
        ("guarded:alpha=0.1,alpha=0.2", "'alpha' is given twice"),
        ("guarded:policy=seed", "the policy is named before the colon"),
        ("guarded:alpha=much", "alpha: Input should be a valid number"),
        ("guarded:alpha=2", "alpha: Input should be less than 1"),
        ("seed:ring_size=2", "consecutive_failures (3) must not be greater than ring_size (2)"),
        ("seed:ring_size=6", "tools.slow: Value error, consecutive_failures (7) must not be"),
    ],
)
def test_what_is_wrong_with_a_policy_is_named(text: str, told: str) -> None:
    settings = load_settings(tools={"slow": {"consecutive_failures": 7}})
    with pytest.raises(ValueError, match=re.escape(told)):
        RequestedPolicy.parse(text, settings)


def test_a_policy_stands_on_the_settings_of_all_tools_and_of_each() -> None:
    settings = load_settings(
        alpha=0.02, tools={"slow": {"policy": "seed", "consecutive_failures": 7, "alpha": 0.03}}
    )
    policy = RequestedPolicy.parse("guarded:tolerated_drop=0.05, ring_size=9", settings)
    common, slow = policy.rules_of("parser"), policy.rules_of("slow")
    assert (common.policy, common.alpha, common.consecutive_failures) == ("guarded", 0.02, 3)
    assert (slow.policy, slow.alpha, slow.consecutive_failures) == ("guarded", 0.03, 7)
    assert common.tolerated_drop == slow.tolerated_drop == 0.05
    assert common.ring_size == slow.ring_size == 9
    assert RequestedPolicy.parse("seed", load_settings(**SMALL.model_dump())).rules_of("x") == SMALL


def derived(*log: Execution | Activation) -> list[tuple[int, str, int]]:
    """The activations that the log then has: version, kind and number."""
    completing = DerivedActivations()
    found: list[tuple[int, str, int]] = []
    for entry in log:
        if isinstance(entry, Execution):
            each = completing.before(ExecutionEntry.of(entry))
            assert each is None or is_derived(each)
        else:
            each = completing.instead_of(entry)
        if each is not None:
            found.append((each.version_id, each.activated_by.kind, each.activation))
    return found


def test_another_version_begins_an_activation() -> None:
    log = [run(0), run(1, 1), run(2), run(3, 1), run(4, 2), run(4, 2), run(6, 1), run(7, 5)]
    assert derived(*log) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 3),
        (5, "deployment", 4),
    ]


def test_a_late_execution_begins_none() -> None:
    assert derived(run(0, 1), run(5, 2), run(4, 1), run(6, 2)) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
    ]


def test_what_is_recorded_of_activations_holds() -> None:
    """From a tool's first on nothing is derived for it; one that says again what was derived is
    left out; numbers begin behind those that were derived.
    """
    recorded = [active(0, 1, 1), active(5, 2, 2), active(7, 1, 3, "rollback")]
    assert derived(recorded[0], run(1, 1), run(2, 9), *recorded[1:], run(8, 2)) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 3),
    ]
    assert derived(run(0, 1), run(5, 2), recorded[2], run(8, 2)) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 3),
    ]
    assert derived(run(0, 8), run(1, 9), *recorded) == [
        (8, "deployment", 1),
        (9, "deployment", 2),
        (1, "deployment", 3),
        (2, "deployment", 4),
        (1, "rollback", 5),
    ]
    assert derived(run(5, 2), recorded[1], recorded[2]) == [
        (2, "deployment", 1),
        (1, "rollback", 3),
    ]
    assert derived(run(0, 1), run(5, 2), active(5, 2, 1), recorded[2]) == [
        (1, "deployment", 1),
        (2, "deployment", 2),
        (1, "rollback", 4),
    ]


def test_other_tools_are_derived_by_themselves() -> None:
    completing = DerivedActivations()
    assert completing.instead_of(active(0, 1, 1)) is not None
    other = completing.before(ExecutionEntry.of(execution("other", version_id=1)))
    assert other is not None
    assert other.tool_name == "other"


def placed(applied: Sequence[tuple[Activation, int]], *runs: Execution) -> list[list[int]]:
    """The numbers of the activations in front of each execution, and behind the last."""
    log = PlacedActivations(
        [CommittedActivation(each, micros_of(at(second))) for each, second in applied],
        ahead_us=60_000_000,
    )
    found = [[each.activation for each in log.before(ExecutionEntry.of(one))] for one in runs]
    return [*found, [each.activation for each in log.rest()]]


def test_an_activation_stands_in_front_of_its_versions_executions() -> None:
    applied = [(active(0, 1, 1), 0), (active(5, 2, 2), 5), (active(9, 1, 3, "rollback"), 9)]
    runs = [run(1, 1), run(6, 1), run(6, 2), run(8, 1), run(9, 2), run(9, 1), run(10, 1)]
    assert placed(applied, *runs) == [[1], [], [2], [], [], [3], [], []]


def test_an_activation_stands_in_front_of_what_is_certainly_later() -> None:
    applied = [(active(0, 1, 1), 0), (active(5, 2, 2), 5), (active(7, 3, 3), 7)]
    assert placed(applied, run(1), run(65), run(66), run(68), run(69, 1)) == [
        *([], [1], [2], [3], []),
        [],
    ]
    assert placed(applied, run(1, 1), run(2, 9)) == [[1], [], [2, 3]]
    assert placed(applied, run(1, 3), run(2, 2)) == [[1, 2, 3], [], []]


def test_tools_without_activations_are_not_known() -> None:
    log = PlacedActivations([CommittedActivation(active(0, 1, 1), 0)], 0)
    assert log.knows("parser")
    assert not log.knows("other")
    assert log.before(ExecutionEntry.of(execution("other"))) == ()


BROKEN = [
    *(run(n, 1) for n in range(3)),
    *(run(n, 2, "TypeError: no") for n in range(3, 6)),
    run(6, 1),
]


ALL = BacktestFilter()


async def of(lines: Sequence[bytes], wanted: BacktestFilter = ALL) -> Trials:
    return (await of_lines(SETTINGS, [SEED], wanted, lines)).found


async def test_lines_as_they_stand_on_the_topic(capsys: pytest.CaptureFixture[str]) -> None:
    log = [active(0, 1, 1), *BROKEN[:3], active(3, 2, 2), *BROKEN[3:6], active(6, 1, 3, "rollback")]
    lines = [entry.to_bytes() + b"\n" for entry in log]
    lines[2:2] = [b"\n", b"nonsense\n", b'{"kind":"x"}\n']
    done = await of_lines(SETTINGS, [SEED], ALL, lines)
    [trial] = done.found.notable
    assert (trial.version_id, trial.version_number, trial.rolled_back_to) == (2, 2, 1)
    assert trial.decisions[0] is not None
    assert trial.decisions[0].command.reason == "signature_change"
    assert done.bad == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1] for line in told] == [" line 4", " line 5"]
    assert "'x' is neither" in told[1]


async def test_executions_alone_say_which_version_was_current() -> None:
    [trial] = (await of([each.to_bytes() for each in BROKEN])).notable
    assert (trial.version_id, trial.version_number, trial.activation) == (2, None, 2)
    assert trial.decisions[0] is not None
    assert (trial.decisions[0].executions, trial.rolled_back_to) == (2, 1)


async def test_tools_and_times_narrow_what_is_read() -> None:
    other = [each.model_copy(update={"tool_name": "other"}) for each in BROKEN]
    log = [active(0, 7, 7), *(run(n, error="ValueError: no") for n in range(1, 9))]
    lines = [each.to_bytes() for each in (*log, *other)]
    assert (await of(lines, BacktestFilter(frozenset({"other"})))).executions == len(other)
    assert (await of(lines, BacktestFilter(frozenset({"nobody"})))).executions == 0
    found = await of(lines, BacktestFilter(frozenset({"parser"}), at(3), at(7)))
    assert (found.executions, found.unknown) == (5, 0)
    assert found.notable[0].version_id == 7
    assert (await of(lines, BacktestFilter(None, None, at(-1)))).tools == 0


async def test_a_time_ahead_of_nothing_known_is_read_the_strict_way() -> None:
    """What the quick reader leaves is read all the same."""
    fields = json.loads(run(0, 1, "ValueError: no").to_bytes())
    lines = [
        json.dumps(
            fields
            | {"execution_id": str(UUID(int=n)), "executed_at": f"2026-01-01T02:00:0{n}+02:00"}
        ).encode()
        for n in range(3)
    ]
    [trial] = (await of(lines)).notable
    assert trial.activated_us == micros_of(START)
