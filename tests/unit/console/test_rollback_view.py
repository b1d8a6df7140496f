"""What the page of a rollback shows: its numbers as bars, its chart, and its words."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from console.events.event import Event
from console.pages.around import PARTS, Shown, around_of, narrowed, shown_time
from console.pages.evidence_bars import bars_of
from console.pages.rollback import outcome_in, view_of
from console.pages.rollbacks import rows_of_events
from db.rollbacks.costs import CallsInPart, CallSpan
from db.rollbacks.records import RollbackRecord, RollbacksWanted
from policy.rollbacks.costs import (
    Calls,
    CallsAround,
    CostedCommand,
    cost_of,
    spared_text,
    total_of,
    total_text,
)
from rollguard.operations.rollbacks import RollbackExplanation
from schemas.explanation import Explanation
from schemas.rollback import RollbackOutcome

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def record(**fields: Any) -> RollbackRecord:
    given: dict[str, Any] = {
        "command_id": UUID(int=1),
        "tool_name": "words",
        "from_version_id": 7,
        "from_version_number": 2,
        "to_version_id": 5,
        "to_version_number": 1,
        "target": None,
        "is_breaking_change": None,
        "breaking_changes": None,
        "tier": "immediate",
        "reason": "consecutive_failures",
        "details": {"executions": 3, "failures": 3},
        "issued_by": "detector",
        "issued_at": NOON,
        "status": "applied",
        "rejection": None,
        "applied_at": NOON,
        "from_activation": 2,
        "expires_at": None,
        "approved_by": None,
        "dismissed_by": None,
        "dismissal": None,
        "hold_reason": None,
    }
    return RollbackRecord.model_validate(given | fields)


def explained(**thresholds: float) -> Explanation:
    return Explanation(
        rule="a rule", thresholds=thresholds, errors=[], breaking_changes=[], decided_by=[]
    )


COUNTS = {"executions": 5, "failures": 5, "signature_errors": 0}
EVIDENCE = {
    "test": "rate",
    "odds": 159.0,
    "limit": 100.0,
    "expected_success_rate": 0.93,
    "expected_failure_rate": 0.07,
    "expected_repeat_rate": 0.5,
    "confidence": 0.8,
    "assumed": False,
    "baseline": {
        **{"executions": 120, "failures": 2, "signature_errors": 0},
        **{"after_failure": 2, "failures_after_failure": 0},
    },
    "seen": {**COUNTS, "after_failure": 4, "failures_after_failure": 4},
}


@pytest.mark.parametrize(
    ("fields", "bars"),
    [
        (
            {"explanation": explained(consecutive_failures=3, ring_size=10)},
            [
                ("failures seen", "100.0 % (3 of 3)", 1.0, "seen"),
                ("the rule needs failures", "3 of these 3", 1.0, "limit"),
            ],
        ),
        (
            {
                "reason": "high_failure_rate",
                "details": {"executions": 8, "failures": 7},
                "explanation": explained(high_failure_rate=0.8),
            },
            [
                ("failures seen", "87.5 % (7 of 8)", 0.875, "seen"),
                ("the rule holds above", "80.0 %", 0.8, "limit"),
            ],
        ),
        (
            {
                "reason": "success_rate_drop",
                "details": {
                    "executions": 20,
                    "failures": 5,
                    "baseline": {"executions": 99, "success_rate": 0.95},
                },
                "explanation": explained(success_rate_drop=0.15),
            },
            [
                ("success of the baseline", "95.0 %", 0.95, "expected"),
                ("success seen", "75.0 % (15 of 20)", 0.75, "seen"),
                ("the rule holds at or below", "80.0 %", 0.8, "limit"),
            ],
        ),
        (
            {"reason": "regression", "details": {"evidence": EVIDENCE}},
            [
                ("of the baseline", "98.3 % (118 of 120)", 118 / 120, "expected"),
                ("success expected at least", "93.0 %", 0.93, "expected"),
                ("success seen", "0.0 % (0 of 5)", 0.0, "seen"),
                ("odds against the version", "159 to 1, and 100 to 1 condemns", 1.0, "seen"),
            ],
        ),
        (
            {
                "reason": "slower",
                "details": {
                    "quality": {
                        "slower": {
                            **{"seen": {"asked": 40, "found": 10}, "baseline": None},
                            **{"odds": 10.0, "limit": 100.0, "expected_share": 0.05},
                            **{"confidence": 0.8, "threshold": 120.0},
                        }
                    }
                },
            },
            [
                ("share expected at most", "5.0 %", 0.05, "expected"),
                ("share seen", "25.0 % (10 of 40)", 0.25, "seen"),
                ("odds against the version", "10 to 1, and 100 to 1 condemns", 0.5, "seen"),
            ],
        ),
        ({"tier": "manual", "reason": "manual", "details": {}}, []),
    ],
)
def test_the_numbers_that_decided_are_bars(
    fields: dict[str, Any], bars: list[tuple[str, str, float, str]]
) -> None:
    found = bars_of(record(**fields))
    named = [(each.label, each.text, each.kind) for each in found]
    assert named == [(label, text, kind) for label, text, _, kind in bars]
    assert [each.share for each in found] == pytest.approx([share for _, _, share, _ in bars])


@pytest.mark.parametrize(
    "details",
    [
        {"executions": 0, "failures": 0},
        {"executions": 2, "failures": 3},
        {"executions": "3", "failures": 3},
        {"executions": True, "failures": True},
        {"executions": 2**70, "failures": 1},
        {"evidence": [], "quality": 7, "executions": None},
        {"executions": 3, "failures": -1, "baseline": "x"},
    ],
)
@pytest.mark.parametrize("reason", ["consecutive_failures", "success_rate_drop", "regression"])
def test_details_that_make_no_sense_have_no_bars(details: dict[str, Any], reason: str) -> None:
    assert bars_of(record(reason=reason, details=details)) == []


def test_a_baseline_that_makes_no_sense_is_left_out() -> None:
    for rate in ("x", 7, -1, None):
        given = {"executions": 3, "failures": 1, "baseline": {"success_rate": rate}}
        [bar] = bars_of(record(reason="success_rate_drop", details=given))
        assert bar.label == "success seen"


def span(**fields: Any) -> CallSpan:
    given: dict[str, Any] = {
        "tool_name": "words",
        "from_version_id": 7,
        "to_version_id": 5,
        "began_at": None,
        "issued_at": NOON,
        "replaced_at": at(1),
        "late_until": None,
        "after_until": None,
        "is_applied": True,
    }
    return CallSpan(**given | fields)


def test_the_chart_shows_the_time_on_both_sides() -> None:
    late = at(86_400)
    assert shown_time(span(), late) == Shown(at(1 - 600), at(601))
    assert shown_time(span(), at(3)) == Shown(at(1 - 600), at(121))
    waited = shown_time(span(replaced_at=at(3_600)), late)
    assert waited == Shown(at(-3_600), at(3 * 3_600))
    waits = shown_time(span(replaced_at=None, is_applied=False), at(600))
    assert waits == Shown(at(-600), at(720))
    again = shown_time(span(began_at=at(-30)), late)
    assert again.begin == at(-119)


def test_the_chart_leaves_out_where_nothing_was_called() -> None:
    shown = Shown(NOON, at(PARTS))
    assert narrowed(shown, []) is None
    few = [CallsInPart(7, 20, 3, 3), CallsInPart(5, 22, 3, 0)]
    assert narrowed(shown, few) == Shown(at(18), at(25))
    many = [CallsInPart(7, 1, 1, 1), CallsInPart(5, PARTS - 1, 1, 0)]
    assert narrowed(shown, many) is None
    assert narrowed(shown, [CallsInPart(5, PARTS - 1, 1, 0)]) == Shown(at(PARTS - 3), at(PARTS))


def test_the_chart_and_its_table_say_the_same() -> None:
    calls = [CallsInPart(7, 0, 4, 3), CallsInPart(5, PARTS - 1, 10, 1)]
    found = around_of(span(), Shown(NOON, at(PARTS)), calls, {7: "v2", 5: "v1"})
    series = {each["label"]: each["values"] for each in found.chart["series"]}
    assert series["success rate of v2"] == [0.25] + [None] * (PARTS - 1)
    assert series["success rate of v1"][-1] == 0.9
    assert len(found.chart["x"]) == PARTS
    rows = [(each.at, each.version, each.executions, each.success_rate) for each in found.rows]
    assert rows == [(NOON, "v2", 4, 0.25), (at(PARTS - 1), "v1", 10, 0.9)]
    assert [each["label"] for each in found.chart["marks"]] == ["decided", "rolled back"]


@pytest.mark.parametrize(
    ("fields", "title", "outcome"),
    [
        ({}, "words: v2 was rolled back to v1", ""),
        ({"approved_by": "ann"}, "words: v2 was rolled back to v1", "approved by ann"),
        (
            {"status": "held", "expires_at": NOON, "hold_reason": "fleet_budget"},
            "words: a rollback of v2 to v1 waits for a person",
            "so many tools were rolled back in a short time that another fault is likely",
        ),
        (
            {"status": "rejected", "rejection": "pinned"},
            "words: v2 was not rolled back",
            "the current version of 'words' is pinned",
        ),
        (
            {
                **{"status": "rejected", "rejection": "dismissed"},
                **{"dismissed_by": "ann", "dismissal": "the input was wrong"},
            },
            "words: v2 was not rolled back",
            "dismissed by ann: the input was wrong",
        ),
        (
            {"status": "rejected", "rejection": "dismissed", "dismissed_by": "ann"},
            "words: v2 was not rolled back",
            "dismissed by ann",
        ),
        (
            {"status": "observed"},
            "words: v2 would have been rolled back to v1 (dry run)",
            "",
        ),
    ],
)
def test_what_happened_in_words(fields: dict[str, Any], title: str, outcome: str) -> None:
    found = RollbackExplanation(record(**fields), "a rule", None, [], [], None)
    view = view_of(found, None, waits=False)
    assert (view.title, view.outcome) == (title, outcome)
    assert view.compare == "from=v1&to=v2"
    assert view.cost == "not known: the command names no version"


def test_costs_in_few_words() -> None:
    none = Calls()
    cost = cost_of(
        CallsAround(Calls(4, 4), none, none, Calls(1_000, 0), True, False), "applied", "manual"
    )
    assert spared_text(cost) == "about 1,000 (510 to 1,000)"
    assert spared_text(None) == "–"
    assert total_text(total_of([CostedCommand("x", "applied", cost)])) == (
        "1 rollback listed, 1 carried out: at least 4 failed calls, "
        "about 1,000 spared (known of 1)."
    )
    assert total_text(total_of([])) == "No rollback cost anything."


def event(number: int, **fields: Any) -> Event:
    given: dict[str, Any] = {
        "command_id": UUID(int=number),
        "tool_name": "words",
        "status": "applied",
        "to_version_number": 1,
        "tier": "immediate",
        "reason": "signature_change",
        "applied_at": at(number),
    }
    outcome = RollbackOutcome.model_validate(given | fields)
    return Event(("rollbacks", 0), number, "rollback", outcome.to_bytes())


def test_without_postgres_the_newest_outcome_of_each_is_known() -> None:
    deployment = Event(("deployments", 0), 1, "deployment", b"{}")
    events = [
        deployment,
        event(3, tool_name="other"),
        event(1),
        event(1, status="held"),
        event(2, status="rejected", rejection="pinned"),
    ]
    rows = rows_of_events(events, RollbacksWanted("words"))
    assert [(each.status, each.outcome) for each in rows] == [
        ("applied", ""),
        ("rejected", "pinned"),
    ]
    assert rows_of_events(events, RollbacksWanted(since=at(3)))[0].tool_name == "other"
    assert rows_of_events(events, RollbacksWanted(tier="manual")) == []
    found = outcome_in(events, UUID(int=1).hex, None)
    assert found is not None
    assert found.status == "applied"
    assert outcome_in(events, UUID(int=1).hex, "other") is None
    assert outcome_in(events, UUID(int=9).hex, None) is None
