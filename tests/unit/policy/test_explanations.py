"""The explanation of a rollback: what is in it, and how large it can get."""

from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.decision.rule_texts import why_not_by_brake, why_not_by_limit, why_not_in_outage
from policy.rollbacks.explanations import (
    DecidingVerdict,
    bad_verdicts_in,
    explanation_of,
    most_frequent,
    not_carried_out,
    verdict_that_decided,
)
from policy.weighing.quality_summary import QualitySummary, ShareOfYes
from schemas.explanation import ERRORS_HEADER, SeenError, errors_in, errors_to_header
from schemas.rollback import Reason, RollbackCommand, Tier
from schemas.rules.fleet import FleetRules
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MAX_BYTES = 16 * 1024
GUARDED = Rules(policy="guarded")


def command(tier: Tier = "immediate", reason: Reason = "signature_change", **details: Any) -> Any:
    return RollbackCommand(
        command_id=uuid4(),
        tool_name="t",
        tier=tier,
        reason=reason,
        details=details,
        issued_by="detector",
        issued_at=NOON,
    )


def test_what_an_author_needs() -> None:
    ids = [UUID(int=number) for number in (2, 1)]
    found = explanation_of(
        command(recent=list(map(str, ids)), executions=2, failures=2),
        Rules(signature_failures=2),
        [SeenError(error="TypeError: x", executions=2)],
        ["execute() needs a new parameter 'limit'."],
    )
    assert found is not None
    assert "at least 2 failures are TypeError or AttributeError" in found.rule
    assert found.thresholds == {"signature_failures": 2, "ring_size": 10, "recent_window_s": 300}
    assert (found.executions, found.failures) == (2, 2)
    assert found.errors == [SeenError(error="TypeError: x", executions=2)]
    assert found.breaking_changes == ["execute() needs a new parameter 'limit'."]
    assert found.decided_by == ids
    assert found.evidence is None


@pytest.mark.parametrize(
    ("reason", "names"),
    [
        ("judged_bad", {"judged_bad_alpha", "baseline_executions"}),
        ("slower", {"slower_alpha", "slower_tolerance", "warm_up_executions", "compared_span_s"}),
        ("costlier", {"slower_alpha", "slower_tolerance", "warm_up_executions", "compared_span_s"}),
    ],
)
def test_a_quality_test_has_its_own_numbers_and_words(reason: Reason, names: set[str]) -> None:
    quality = QualitySummary(
        ShareOfYes(9, 8), ShareOfYes(100, 2), 300.0, 250.0, 0.03, 0.8, threshold=None
    )
    details = {"quality": {reason: msgspec.to_builtins(quality)}}
    found = explanation_of(command("standard", reason, **details), GUARDED, [], [])
    assert found is not None
    assert found.thresholds == {name: getattr(GUARDED, name) for name in names}
    assert found.evidence == (
        "a share of at most 0.03 of bad verdicts was expected (2 of 100, 80 %), 8 of 9 were seen: "
        "300 to 1 against"
    )


def test_of_an_outage_it_has_the_numbers_that_told_it() -> None:
    rules = OutageRules(outage_tools=7, outage_share=0.25, outage_window_s=90, doubt_s=11)
    order = command("fast", "complete_failure")
    found = explanation_of(order, GUARDED, [], [], why_not=why_not_in_outage(rules))
    assert found is not None
    assert found.rule.endswith(
        "; but this is an outage: of at least 7 tools that were executed within 90 s, "
        "at least 25 % failed at last"
    )
    of_outage = {"outage_tools": 7, "outage_share": 0.25, "outage_window_s": 90, "doubt_s": 11}
    of_rule = explanation_of(order, GUARDED, [], [])
    assert of_rule is not None
    assert found.thresholds == of_rule.thresholds | of_outage


def test_of_a_limit_it_has_the_numbers_that_were_in_force() -> None:
    rules = Rules(
        policy="guarded",
        rollback_budget=3,
        rollback_budget_s=500,
        cooldown_s=7,
        cooldown_max_s=90,
        cooldown_decay_s=60,
    )
    base = explanation_of(command("fast", "complete_failure"), rules, [], [])
    assert base is not None
    budget = not_carried_out(base, why_not_by_limit("budget", rules))
    assert budget.rule == (
        f"{base.rule}; but machines may roll the tool back 3 times within 500 s, and have done so"
    )
    in_force = {"rollback_budget": 3, "rollback_budget_s": 500}
    assert budget.thresholds == base.thresholds | in_force
    cooldown = not_carried_out(base, why_not_by_limit("cooldown", rules))
    assert cooldown.rule == (
        f"{base.rule}; but the last rollback was too short a time ago: after two rollbacks 7 s, "
        "doubled with each further one up to 90 s"
    )
    in_force = {"cooldown_s": 7, "cooldown_max_s": 90, "cooldown_decay_s": 60}
    assert cooldown.thresholds == base.thresholds | in_force | {"rollback_budget_s": 500}
    fleet = not_carried_out(base, why_not_by_brake(FleetRules(fleet_budget=6, fleet_budget_s=80)))
    assert fleet.rule.startswith(
        f"{base.rule}; but machines may roll 6 tools back within 80 s, and have done so"
    )
    assert fleet.thresholds == base.thresholds | {"fleet_budget": 6, "fleet_budget_s": 80}


def test_later_verdicts_that_decided_are_named_with_their_executions() -> None:
    verdicts = [DecidingVerdict(UUID(int=n), UUID(int=100 + n % 2)) for n in (3, 2, 1)]
    order = command("standard", "judged_bad", recent=[str(uuid4())])
    found = explanation_of(order, GUARDED, [SeenError(error="wrong", executions=2)], [], verdicts)
    assert found is not None
    assert found.decided_by == [UUID(int=n) for n in (3, 2, 1, 101, 100)]
    assert found.errors == [SeenError(error="wrong", executions=2)]


@pytest.mark.parametrize(
    "named",
    [None, 1, [], {}, {"verdict_id": str(uuid4())}, {"verdict_id": "x", "execution_id": "y"}],
)
def test_a_verdict_that_is_not_named_properly_is_none(named: Any) -> None:
    assert verdict_that_decided({"later_verdict": named}) is None


def test_the_verdict_that_decided_is_read_from_the_details() -> None:
    verdict = DecidingVerdict(UUID(int=1), UUID(int=2))
    details = {name: str(value) for name, value in verdict._asdict().items()}
    assert verdict_that_decided({"later_verdict": details}) == verdict


@pytest.mark.parametrize(("found", "most"), [(3, 3), (10**9, 50), (-4, 0)])
def test_how_many_verdicts_decided_has_a_limit(found: int, most: int) -> None:
    quality = QualitySummary(ShareOfYes(9, found), None, None, 250.0, None, None, None)
    details = {"quality": {"judged_bad": msgspec.to_builtins(quality)}}
    assert bad_verdicts_in(details) == most
    assert bad_verdicts_in({"quality": {"judged_bad": 1}}) == 0


def test_a_person_has_said_why() -> None:
    assert explanation_of(command("manual", "manual"), Rules(), [], []) is None


@pytest.mark.parametrize("reason", [each for each in get_args(Reason) if each != "manual"])
@pytest.mark.parametrize("tier", [each for each in get_args(Tier) if each != "manual"])
@pytest.mark.parametrize("policy", ["seed", "guarded"])
def test_each_number_in_the_text_is_a_threshold(tier: Tier, reason: Reason, policy: Any) -> None:
    rules = Rules(
        policy=policy,
        ring_size=31,
        recent_window_s=37,
        consecutive_failures=5,
        signature_failures=7,
        complete_failure_recent=11,
        fast_window_s=1_237,
        complete_failure_executions=13,
        high_failure_rate_executions=17,
        standard_executions=19,
    )
    found = explanation_of(command(tier, reason), rules, [], [])
    assert found is not None
    for number in (31, 37, 5, 7, 11, 1_237, 13, 17, 19):
        is_in_text = f" {number} " in f" {found.rule} ".replace(",", " ")
        assert not is_in_text or number in found.thresholds.values(), (number, found)


@given(
    recent=st.lists(st.one_of(st.uuids().map(str), st.text(), st.integers()), max_size=300),
    sentences=st.lists(st.text(max_size=2_000), max_size=80),
    errors=st.lists(st.text(min_size=1, max_size=5_000), max_size=8),
    counts=st.one_of(st.integers(), st.text(), st.none(), st.booleans()),
    verdicts=st.lists(st.tuples(st.uuids(), st.uuids()), max_size=80),
)
def test_it_is_small_and_never_fails(
    recent: list[Any],
    sentences: list[str],
    errors: list[str],
    counts: Any,
    verdicts: list[tuple[UUID, UUID]],
) -> None:
    found = explanation_of(
        command(recent=recent, executions=counts, failures=counts),
        Rules(policy="guarded"),
        errors_in([(ERRORS_HEADER, errors_to_header(most_frequent(errors)))]),
        [each.encode(errors="replace").decode() for each in sentences],
        [DecidingVerdict(*each) for each in verdicts],
        why_not_by_limit("cooldown", GUARDED),
    )
    assert found is not None
    assert len(found.to_bytes()) <= MAX_BYTES
    assert len(found.errors) <= 3


def test_the_most_frequent_errors_come_first() -> None:
    trace = "Traceback (most recent call last):\n  File x\nKeyError: 'a'"
    errors = ["ValueError: 1", trace, "KeyError: 'a'", "b", "c", "ValueError:\n1", "ValueError: 1"]
    assert most_frequent(errors) == [
        SeenError(error="ValueError: 1", executions=3),
        SeenError(error="KeyError: 'a'", executions=2),
        SeenError(error="b", executions=1),
    ]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[1]",
        b'[{"error": "x", "executions": 0}]',
        b'[{"error": "two\\nlines", "executions": 1}]',
        b'[{"error": "\\u001b[31m", "executions": 1}]',
        b'[{"error": "' + b"x" * 301 + b'", "executions": 1}]',
        b"[" * 20_000,
        b"\xff",
    ],
)
def test_a_header_that_is_not_ours_says_nothing(value: bytes) -> None:
    assert errors_in([("other", b"x"), (ERRORS_HEADER, value)]) == []


def test_without_a_header() -> None:
    assert errors_in([]) == []
