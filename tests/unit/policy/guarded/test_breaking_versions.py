"""A version that breaks calls is watched more closely under policy `guarded`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.row import decode, encode
from policy.weighing.betting_tables import EvidenceNumbers
from schemas.execution import Activation
from schemas.rules.rules import Rules
from signatures.statements import statement_of
from tests.support.inputs.messages import activation, version
from tests.support.policy.folding import log_record
from tests.support.policy.oracle.commands import commands_of
from tests.support.policy.written_logs import Script, every, with_predecessor

RULES = Rules(policy="guarded")
NOT_CLOSER = RULES.model_copy(update={"breaking_factor": 1.0})


def told(script: Script, is_breaking: bool | None) -> Script:
    """Let the newest Activation say whether the version breaks calls."""
    last = script.log[-1]
    assert isinstance(last.entry, Activation)
    entry = last.entry.model_copy(update={"is_breaking_change": is_breaking})
    script.log[-1] = replace(last, entry=entry)
    return script


def condemned_after(script: Script, rules: Rules = RULES) -> int | None:
    """Return how many signature errors, each after four successes, condemn the version."""
    for number in range(1, 30):
        at = 600.0 * 5 * number
        script.run("." * 4, *every(600.0, 4, at)).run("F", at + 2_400, error="TypeError")
        policy = policy_for(rules)
        row, commands = fold_all(None, [log_record(each) for each in script.log], policy)
        assert row is not None
        assert decode(encode(row)) == row
        if commands:
            [found] = commands
            evidence = found.command.details["evidence"]
            assert evidence["test"] == "signature"
            is_closer = row.is_breaking and rules.breaking_factor > 1
            assert evidence["limit"] == pytest.approx(1 / 0.028 if is_closer else 1 / 0.007)
            return number
    return None


@pytest.mark.exhaustive
def test_fewer_signature_errors_condemn_a_version_that_breaks_calls() -> None:
    script = told(with_predecessor("....F" * 20), True)
    closer, usual = condemned_after(script), condemned_after(with_predecessor("....F" * 20))
    assert usual is not None
    assert closer is not None
    assert closer < usual
    [expected] = commands_of(script.log, RULES)
    assert expected.details["evidence"]["limit"] == pytest.approx(1 / 0.028)
    assert expected.reason == "regression"


@pytest.mark.parametrize("is_breaking", [None, False])
def test_others_are_watched_as_before(is_breaking: bool | None) -> None:
    usual = condemned_after(with_predecessor("....F" * 20))
    assert condemned_after(told(with_predecessor("....F" * 20), is_breaking)) == usual
    assert condemned_after(told(with_predecessor("....F" * 20), True), NOT_CLOSER) == usual


def test_a_version_that_a_rollback_brings_back_is_watched_as_before() -> None:
    def brought_back(is_breaking: bool | None) -> Script:
        script = with_predecessor("....F" * 20).run("." * 20, *every(600.0, 20, 1.0))
        return told(script.roll_back(1, 15_000.0), is_breaking)

    row, _ = fold_all(
        None, [log_record(each) for each in brought_back(True).log], policy_for(RULES)
    )
    assert row is not None
    assert not row.is_breaking


@given(st.floats(1e-12, 0.99), st.floats(1, 100))
def test_the_limit_is_divided_by_the_factor_and_is_never_greater(
    alpha: float, factor: float
) -> None:
    rules = Rules(policy="guarded", signature_alpha=alpha, breaking_factor=factor)
    usual, closer = EvidenceNumbers.of(rules), EvidenceNumbers.of_breaking(rules)
    assert closer._replace(signature_alpha=alpha) == usual
    assert closer.signature_alpha == pytest.approx(max(alpha, min(alpha * factor, 0.5)))


@pytest.mark.parametrize(
    ("is_breaking", "kind", "says"),
    [
        (True, "deployment", True),
        (False, "deployment", None),
        (True, "rollback", None),
        (False, "rollback", None),
    ],
)
def test_an_activation_says_it_of_deployments_that_break_calls(
    is_breaking: bool, kind: str, says: bool | None
) -> None:
    stated = version(2, "def f(): ...", is_breaking_change=is_breaking)
    by = stated.activated_by.model_copy(update={"kind": kind})
    assert stated.model_copy(update={"activated_by": by}).as_activation().is_breaking_change is says


def test_a_signature_of_an_activation_holds_for_what_it_says_of_breaks_alone() -> None:
    plain = activation("tool", 2, 2)
    closer = plain.model_copy(update={"is_breaking_change": True})
    payloads = {statement_of("", each, each.to_bytes()).payload for each in (plain, closer)}
    assert len(payloads) == 2
