"""A backtest of lines as they are on the topic."""

import json
from collections.abc import Sequence
from uuid import UUID

import pytest

from policy.backtest.trials import Trials
from rollguard.backtest_sources.log_entries import BacktestFilter
from rollguard.backtest_sources.run import of_lines
from schemas.fields import micros_of
from tests.support.policy.backtest_logs import SEED, SETTINGS, START, active, at, run

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
    assert "'x' is none of" in told[1]


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
