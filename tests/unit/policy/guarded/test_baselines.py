"""What an activation leaves to the next one under policy `guarded`, by hand.

Executions are 600 s apart, so no immediate rule holds.
"""

import msgspec
import pytest

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.evidence import Baseline, Evidence
from policy.state.muted_callers import MOST_MUTED, MutedCallers
from policy.state.tool_evidence import MOST_STORED, EvidenceBefore, ToolEvidence
from schemas.execution import Activation
from schemas.fields import micros_of
from schemas.rules.rules import Rules
from tests.support.policy.backtest_logs import START
from tests.support.policy.folding import log_record
from tests.support.policy.guarded_rows import DEFAULT, row_of
from tests.support.policy.written_logs import Script, every


def baseline_of(script: Script, rules: Rules = DEFAULT) -> Baseline | None:
    tool_evidence = row_of(script, rules).tool_evidence
    assert tool_evidence is not None
    assert tool_evidence.evidence.executions == 0
    return tool_evidence.baseline


def run(script: Script, outcomes: str, first: float) -> Script:
    return script.run(outcomes, *every(600, len(outcomes), first))


def test_a_first_version_has_no_baseline() -> None:
    assert baseline_of(Script().deploy(0)) is None


def test_the_baseline_is_all_that_was_counted_of_the_replaced_version() -> None:
    """Also what its windows have forgotten, and how failures followed one another."""
    first = run(Script().deploy(0), "..FF.F......", 0)
    first.run("F", 10 * 86_400, error="TypeError")
    first.run("F", 10 * 86_400 + 600)
    assert baseline_of(first.deploy(11 * 86_400)) == Baseline(14, 5, 1, 4, 2)


def test_a_version_with_too_few_executions_leaves_its_own_baseline() -> None:
    first = run(Script().deploy(0), "." * 9 + "F", 0).deploy(7_000)
    assert baseline_of(run(first, "F" * 9, 7_000).deploy(20_000)) == Baseline(10, 1, 0, 0, 0)
    assert baseline_of(run(Script().deploy(0), "." * 9, 0).deploy(7_000)) is None


def test_a_rollback_gives_a_version_its_own_baseline_back() -> None:
    """It has nothing of the version that it replaces, and neither has the next deployment."""
    script = run(Script().deploy(0), "." * 11 + "F", 0).deploy(8_000)
    run(script, "F" * 12, 8_000).roll_back(1, 20_000)
    assert baseline_of(script) == Baseline(12, 1, 0, 0, 0)
    assert baseline_of(run(script, "...", 20_000).deploy(30_000)) == Baseline(12, 1, 0, 0, 0)


def test_a_version_that_was_rolled_back_gets_its_own_when_activated_again() -> None:
    script = run(Script().deploy(0), "." * 12, 0).deploy(8_000)
    run(script, "F" * 12, 8_000).roll_back(1, 20_000).roll_back(2, 21_000)
    assert baseline_of(script) == Baseline(12, 12, 0, 11, 11)


def test_the_same_code_deployed_again_is_compared_with_what_it_replaces() -> None:
    """A deployment makes a new version, even if the code is the same."""
    script = run(Script().deploy(0), "." * 12, 0).deploy(8_000)
    assert baseline_of(run(script, "." * 13 + "F", 8_000).deploy(30_000)) == (
        Baseline(14, 1, 0, 0, 0)
    )


@pytest.mark.parametrize(("versions", "remembered"), [(8, True), (9, False)])
def test_the_last_8_replaced_versions_are_remembered(versions: int, remembered: bool) -> None:
    """The one that the rollback replaces is one of them."""
    script = run(Script().deploy(0), "." * 10, 0)
    for number in range(1, versions):
        script.deploy(10_000 * number)
    assert row_of(script).tool_evidence is not None
    expected = Baseline(10, 0, 0, 0, 0) if remembered else None
    assert baseline_of(script.roll_back(1, 500_000)) == expected


def test_a_row_grows_by_little() -> None:
    """With 16 replaced versions of 500 executions each."""
    script = Script()
    for number in range(17):
        script.deploy(400_000 * number).run(
            "....F" * 100, *every(600, 500, 400_000 * number), error="TypeError"
        )
    tool_evidence = row_of(script).tool_evidence
    assert tool_evidence is not None
    assert len(tool_evidence.stored_baselines) == MOST_STORED
    assert len(msgspec.msgpack.encode(tool_evidence)) <= 200


def test_a_row_grows_by_little_with_a_million_executions() -> None:
    """With all that tool evidence can hold: it fails, and as many callers are muted as possible."""
    tally = Baseline(1_000_000, 100_000, 20_000, 90_000, 50_000)
    evidence = Evidence(1_000_000, 100_000, 50_000, 20_000, 0, [1e3, 2e4, 3e5])
    tool_evidence = ToolEvidence(
        evidence,
        tally,
        {2**31 - number: tally for number in range(1, MOST_STORED + 1)},
        EvidenceBefore(micros_of(START) // 1_000, evidence),
    )
    assert len(msgspec.msgpack.encode(tool_evidence)) <= 400
    tool_evidence.callers = MutedCallers(
        2**32 - 1, 2**31, 2**31, 2**31, [2**32 - 1, 2**31] * MOST_MUTED
    )
    assert len(msgspec.msgpack.encode(tool_evidence)) <= 520


def test_an_old_activation_changes_nothing() -> None:
    script = run(Script().deploy(0), "..F", 0)
    before = row_of(script).tool_evidence
    assert row_of(script.repeat(0)).tool_evidence == before


def test_a_change_of_policy_within_an_activation() -> None:
    """From `seed` to `guarded`, evidence begins with the next execution.

    Back to `seed`, no evidence is left after the next activation.
    """
    script = run(Script().deploy(0), "." * 12, 0)
    row, _ = fold_all(None, [log_record(each) for each in script.log], policy_for(Rules()))
    more = run(Script().deploy(0), "." * 12 + "....F", 0).log[-5:]
    row, _ = fold_all(row, [log_record(each) for each in more], policy_for(DEFAULT))
    assert row is not None
    assert row.tool_evidence is not None
    assert row.tool_evidence.evidence.baseline == Baseline(5, 1, 0, 0, 0)
    entry = Script().deploy(0).deploy(90_000).log[-1].entry
    assert isinstance(entry, Activation)
    row = policy_for(Rules()).activate(row, entry, 99)
    assert row.tool_evidence is None
