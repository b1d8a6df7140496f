"""What a row keeps of successes: its size, what a swap leaves, what is not compared."""

from random import Random
from uuid import UUID

import msgspec
import pytest

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.quality.tail import MOST_BINS
from policy.state.row import Row, decode, encode
from schemas.execution import Execution
from schemas.later_verdict import LaterVerdict
from schemas.rules.rules import Rules
from tests.support.policy.folding import log_record
from tests.support.policy.generated_logs import TOOL
from tests.support.policy.written_logs import Script, at

RULES = Rules(policy="guarded", enforce=("slower", "costlier"))
MOST_BYTES = 250
"""A full row may be larger by so much than without these fields."""
MOST_OF_MEASURES = 150
"""So much of it are durations and costs."""
NEW_FIELDS = ("not_judged", "quality")
FIELDS_OF_0_1_0 = 4
"""``LastCommand`` had so many fields in version 0.1.0."""


def add(script: Script, number: int, seconds: float, **fields: object) -> Script:
    """Append one success."""
    script.executions += 1
    values = {
        "execution_id": UUID(int=script.executions),
        "tool_name": TOOL,
        "version_id": script.version,
        "success": True,
        "executed_at": at(seconds),
    }
    return script.append(Execution.model_validate(values | fields), seconds)


def fail(script: Script, seconds: float, **fields: object) -> None:
    """Append one failure."""
    add(script, 0, seconds, success=False, error="ValueError: x", **fields)


def served(
    script: Script, numbers: list[float], begin: float, field: str = "duration_ms"
) -> Script:
    for index, number in enumerate(numbers):
        add(script, index, begin + 5 * index, **{field: number})
    return script


def judged(script: Script, bads: str, begin: float, version: int | None = None) -> Script:
    for index, bad in enumerate(bads):
        verdict = LaterVerdict(
            verdict_id=UUID(int=len(script.log) + 1_000),
            execution_id=UUID(int=1),
            tool_name=TOOL,
            version_id=version or script.version,
            bad=bad == "b",
            by="judge",
            judged_at=at(begin + index),
        )
        script.append(verdict, begin + index)
    return script


def row_and_reasons(script: Script, rules: Rules = RULES) -> tuple[Row, list[str]]:
    row, commands = fold_all(None, [log_record(each) for each in script.log], policy_for(rules))
    assert row is not None
    return decode(encode(row)), [each.command.reason for each in commands]


def usual(number: int, factor: float = 1.0, seed: int = 1) -> list[float]:
    random = Random(seed)
    return [100 * factor * random.lognormvariate(0, 0.4) for _ in range(number)]


def test_a_version_that_is_much_slower_is_condemned() -> None:
    script = served(Script().deploy(0), usual(300), 1)
    served(script.deploy(1_600), usual(60, 3.0, seed=2), 1_601)
    assert row_and_reasons(script)[1] == ["slower"]


def test_a_version_that_costs_much_more_is_condemned() -> None:
    script = served(Script().deploy(0), usual(300), 1, "cost")
    served(script.deploy(1_600), usual(60, 3.0, seed=2), 1_601, "cost")
    assert row_and_reasons(script)[1] == ["costlier"]


def test_slow_and_dear_are_dry_runs_unless_a_setting_enforces_them() -> None:
    script = served(Script().deploy(0), usual(300), 1)
    served(script.deploy(1_600), usual(60, 3.0, seed=2), 1_601)
    log = [log_record(each) for each in script.log]
    for rules, mode in (
        (Rules(policy="guarded"), "observe"),
        (Rules(policy="guarded", hold=("slower",)), "hold"),
        (RULES, None),
    ):
        _, commands = fold_all(None, log, policy_for(rules))
        assert [each.command.mode for each in commands] == [mode]


def test_what_is_slow_while_the_version_warms_up_is_not_compared() -> None:
    script = served(Script().deploy(0), usual(300), 1)
    cold = [number for pair in zip(usual(25, 10.0), usual(25), strict=True) for number in pair]
    served(script.deploy(1_600), [*cold, *usual(200, seed=3)], 1_601)
    assert row_and_reasons(script)[1] == ["slower"]
    assert row_and_reasons(script, RULES.model_copy(update={"warm_up_executions": 50}))[1] == []


def test_a_run_of_slow_executions_does_not_condemn_but_lasting_slowness_does() -> None:
    script = served(Script().deploy(0), usual(300), 1)
    served(script.deploy(1_600), [*usual(20, seed=2), *[900.0] * 10], 1_601)
    assert row_and_reasons(script)[1] == []
    script = served(Script().deploy(0), usual(300), 1)
    served(script.deploy(1_600), [*usual(10, seed=2), *[900.0] * 50], 1_601)
    assert row_and_reasons(script)[1] == ["slower"]


def test_a_baseline_that_is_too_old_is_not_compared_with() -> None:
    script = served(Script().deploy(0), usual(300), 1)
    served(script.deploy(1_600), usual(60, 3.0, seed=2), 1_600 + 3_700)
    assert row_and_reasons(script)[1] == []


def test_a_version_that_is_activated_again_is_compared_with_what_it_did_itself() -> None:
    script = served(Script().deploy(0), usual(300), 1)
    served(script.deploy(1_600), usual(10), 1_601)
    served(script.roll_back(1, 1_700), usual(60, 3.0, seed=2), 1_701)
    assert row_and_reasons(script)[1] == ["slower"]


def test_an_older_version_that_is_activated_again_is_compared_with_nothing() -> None:
    script = served(Script().deploy(0), usual(300), 1)
    served(script.deploy(1_600), usual(300, 0.1), 1_601)
    served(script.deploy(3_200), usual(10, 0.1), 3_201)
    served(script.roll_back(1, 3_300), usual(100, seed=2), 3_301)
    row, reasons = row_and_reasons(script)
    assert reasons == []
    assert row.quality is not None
    assert row.quality.durations is not None
    assert row.quality.durations.baseline is None


def test_bad_verdicts_condemn_and_verdicts_on_other_versions_do_not() -> None:
    script = served(judged(served(Script().deploy(0), usual(5), 1), "g" * 100, 30), usual(5), 200)
    served(script.deploy(300), usual(5), 301)
    before = row_and_reasons(judged(script, "b" * 30, 400, version=1))[1]
    assert before == []
    assert row_and_reasons(judged(script, "b" * 30, 500))[1] == ["judged_bad"]


@pytest.mark.parametrize("policy", ["seed", "guarded"])
def test_verdicts_alone_change_nothing_of_what_executions_decide(policy: str) -> None:
    rules = Rules.model_validate({"policy": policy})
    script = served(Script().deploy(0), usual(20), 1).deploy(200).run("F" * 8, *range(201, 209))
    with_verdicts = served(Script().deploy(0), usual(20), 1).deploy(200)
    judged(with_verdicts, "g" * 5, 200).run("F" * 8, *range(201, 209))
    assert row_and_reasons(script, rules)[1] == row_and_reasons(with_verdicts, rules)[1] != []


def test_no_verdict_counts_without_a_baseline() -> None:
    script = judged(served(Script().deploy(0), usual(5), 1), "b" * 50, 100)
    assert row_and_reasons(script)[1] == []


def test_the_row_is_larger_by_few_bytes() -> None:
    """A full row: a day with everything that a tool may say, and a command that was just issued.

    In every hour there are failures of callers and of the environment; durations and costs have
    heavy tails; judges give verdicts; at last the version breaks.
    """
    random, script = Random(5), Script()
    seconds = 0.0
    for hours in (3, 26):
        script.deploy(seconds)
        for index in range(hours * 180):
            seconds += 20
            number = 1_000 * random.lognormvariate(0, 1.2)
            add(script, index, seconds, duration_ms=number, cost=number / 7)
            if index % 5 == 0:
                judged(script, random.choice("ggb"), seconds)
            if index % 20 == 0:
                fail(script, seconds, error_origin="caller")
                fail(script, seconds, error_origin="environment")
                fail(script, seconds)
    for _ in range(8):
        fail(script, seconds)
    add(script, 0, seconds, duration_ms=1, cost=1)
    row, reasons = row_and_reasons(script)
    assert reasons == ["consecutive_failures"]
    full = msgspec.msgpack.decode(encode(row))
    without = [*full]
    for field in NEW_FIELDS:
        without[Row.__struct_fields__.index(field)] = None
    last = Row.__struct_fields__.index("last_command")
    without[last] = full[last][:FIELDS_OF_0_1_0]
    assert len(encode(row)) - len(msgspec.msgpack.encode(without)) <= MOST_BYTES
    assert row.quality is not None
    for measured in (row.quality.durations, row.quality.costs):
        assert measured is not None
        assert len(measured.block.bins) == MOST_BINS
    measures = (row.quality.durations, row.quality.costs)
    assert sum(len(msgspec.msgpack.encode(each)) for each in measures) <= MOST_OF_MEASURES


def test_a_row_without_quality_is_a_byte_larger() -> None:
    row, _ = row_and_reasons(Script().deploy(0))
    quality = Row.__struct_fields__.index("quality")
    assert msgspec.msgpack.decode(encode(row))[quality] is None
