"""What the pages of what waits, dead letters, the system and activity show."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from console.events.event import Event
from console.pages.activity import happenings, stream_of
from console.pages.dead_letters import (
    ReplayForm,
    cause_rows,
    record_path,
    replayed_text,
    shown_bytes,
)
from console.pages.holds import told_to_wait
from console.pages.system import role_row, routes_text, software_rows, stuck_rows, trend_text
from console.system_samples import Direction, RoleTrend
from db.replays import RecordPosition
from rollguard.operations.dead_letters.bad_records import BadRecord
from rollguard.operations.dead_letters.causes import causes_of
from rollguard.operations.dead_letters.replay import NotReplayed, Replayed, Replays
from rollguard.operations.overview.status import RoleStatus, SystemStatus
from schemas.deployment import DeploymentOutcome
from schemas.errors import Rejected
from schemas.notify_file import Route
from schemas.rollback import RollbackOutcome

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def rollback(number: int, **fields: Any) -> Event:
    given: dict[str, Any] = {
        **{"command_id": UUID(int=number), "tool_name": "words", "status": "applied"},
        **{"to_version_number": 1, "tier": "immediate", "reason": "signature_change"},
        "applied_at": NOON,
    }
    outcome = RollbackOutcome.model_validate(given | fields)
    kind: Any = "hold" if outcome.status == "held" else "rollback"
    return Event(("rollbacks", 0), number, kind, outcome.to_bytes())


def deployment(number: int, **fields: Any) -> Event:
    given = {
        **{"deployment_id": UUID(int=number), "tool_name": "words", "status": "created"},
        **{"version_number": 2, "applied_at": NOON},
    }
    outcome = DeploymentOutcome.model_validate(given | fields)
    kind: Any = "hold" if outcome.status == "held" else "deployment"
    return Event(("deployments", 0), number, kind, outcome.to_bytes())


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (rollback(1), "rolled back to v1 (signature_change, immediate)"),
        (
            rollback(1, status="held"),
            "a rollback to v1 waits for a person (signature_change, immediate)",
        ),
        (
            rollback(1, status="observed"),
            "would have been rolled back to v1: a dry run (signature_change, immediate)",
        ),
        (
            rollback(1, status="rejected", rejection="no_previous_version"),
            "not rolled back: no previous version (signature_change, immediate)",
        ),
        (deployment(1), "v2 is current"),
        (deployment(1, is_breaking_change=True), "v2 is current, which breaks calls"),
        (deployment(1, status="unchanged"), "deployed again: it is the code of v2"),
        (deployment(1, status="held"), "a deployment waits for a person"),
    ],
)
def test_what_happens_in_words(event: Event, text: str) -> None:
    [happening] = happenings([event], None, None)
    assert happening.text == text


def test_activity_keeps_what_is_wanted_in_its_order() -> None:
    refused = deployment(5, status="refused", refusal="gate", tool_name="other")
    events = [rollback(3), deployment(4), rollback(2, status="held"), refused]
    assert [each.id for each in happenings(events, None, None)] == [
        *("rollbacks-0-3", "deployments-0-4", "rollbacks-0-2", "deployments-0-5"),
    ]
    assert [each.state for each in happenings(events, "other", None)] == ["rejected"]
    strange = ['"', "\\", "ä", "\u202e", "\t\x01\x7f", "</b>", "words"]
    named = [deployment(n, tool_name=name) for n, name in enumerate(strange)]
    for name in strange:
        assert [each.tool_name for each in happenings(named, name, None)] == [name]
    assert [each.kind for each in happenings(events, None, "hold")] == ["hold"]
    [held] = happenings([deployment(1, status="held", tool_name="a/b")], None, None)
    assert held.path == "/holds?tool=a%2Fb"


def test_the_stream_goes_on_after_the_list_unless_that_is_too_long_to_say() -> None:
    assert stream_of("r1.2-d3") == "/api/v1/events?after=r1.2-d3"
    assert stream_of("") == stream_of("r" + "1." * 3_000) == "/api/v1/events"


def test_without_postgres_what_was_told_to_wait_is_known() -> None:
    events = [
        rollback(1),
        deployment(7, status="held", tool_name="other"),
        rollback(1, status="held"),
        rollback(2, status="held"),
        deployment(8, status="refused", refusal="expired"),
        deployment(8, status="held"),
    ]
    found = told_to_wait(events, None)
    assert [(each.tool_name, each.what) for each in found] == [
        ("other", "a deployment"),
        ("words", "a rollback"),
    ]
    assert [each.tool_name for each in told_to_wait(events, "words")] == ["words"]


def bad(offset: int, error: str, key: bytes | None = b"words") -> BadRecord:
    position = RecordPosition("tool-executions", 0, offset)
    return BadRecord(
        position=position,
        role="detector",
        error=error,
        key=key,
        truncated=False,
        first_rejected_at=NOON,
        rejected_at=NOON,
        times=1,
        dead_letter=RecordPosition("dead-letters", 0, offset),
    )


def test_causes_lead_to_their_records() -> None:
    [row] = cause_rows(causes_of([bad(1, "line 1 & 2"), bad(2, "line 3 & 4")]), {"tool": "a b"})
    assert row.cause.records == 2
    assert row.path == (
        "/dead-letters?tool=a+b&cause=line+%E2%80%A6+%26+%E2%80%A6&topic=tool-executions"
    )
    assert record_path("tool-executions:0:1") == "/dead-letters/tool-executions:0:1"


def test_values_are_shown_as_text_or_in_hex() -> None:
    assert shown_bytes(b"<b>") == "<b>"
    assert shown_bytes(b"\xff\x00") == "ff 00"
    assert shown_bytes(b"x" * 70_000) == "x" * 65_536 + "…"


def test_a_form_replays_one_record_or_those_that_match() -> None:
    one = ReplayForm(id="tool-executions:0:1", tool="ignored")
    assert one.wanted.position == RecordPosition("tool-executions", 0, 1)
    assert one.path == "/dead-letters/tool-executions:0:1"
    some = ReplayForm(tool="words", cause="x", since="2026-01-31T12:00:00Z")
    assert some.wanted[1:] == (None, "words", None, NOON, "x")
    assert some.path == "/dead-letters?tool=words&cause=x&since=2026-01-31T12%3A00%3A00Z"
    assert ReplayForm().wanted == (None,) * 6
    for wrong in (ReplayForm(id="x"), ReplayForm(since="today")):
        with pytest.raises(Rejected):
            _ = wrong.wanted


def test_what_came_of_a_replay_in_words() -> None:
    done = Replays()
    assert replayed_text(done, more=False) == "All that match were published again before."
    at = RecordPosition("tool-executions", 0, 1)
    done.replayed.append(Replayed(at, at, None))
    done.refused += [NotReplayed(at, f"would be rejected again: {n % 4}") for n in range(8)]
    assert replayed_text(done, more=True) == (
        "1 published again. 8 refused: would be rejected again: 0; would be rejected again: 1; "
        "would be rejected again: 2; …. More remain: replay again."
    )


def trend(direction: Direction, unread_for_s: float) -> RoleTrend:
    return RoleTrend(NOON, 1.0, 2.5, direction, unread_for_s)


@pytest.mark.parametrize(
    ("lag", "known", "text", "kind"),
    [
        (0, None, "no lag", "good"),
        (9, None, "its trend is not known yet", "warn"),
        (0, trend("shrinks", 0), "no lag", "good"),
        (9, trend("stays", 0), "stays", "good"),
        (9, trend("shrinks", 12), "shrinks; the oldest waits for at least 12 s", "warn"),
        (9, trend("grows", 90), "grows; the oldest waits for at least 1 min", "bad"),
    ],
)
def test_the_trend_in_words(lag: int, known: RoleTrend | None, text: str, kind: str) -> None:
    assert trend_text(lag, known) == (text, kind)


def test_a_role_on_one_line() -> None:
    lags = {f"tool-executions[{n}]": n for n in range(1, 13)}
    row = role_row(RoleStatus("recorder", ["10.0.0.1"], 78, [], 0, 0, lags), trend("grows", 3))
    assert (row.kind, row.throughput) == ("good", "1.0 of 2.5 a second")
    assert row.lags[0] == ("tool-executions[12]", 12)
    assert (len(row.lags), row.more_lags) == (10, 2)
    dead = role_row(RoleStatus("recorder", [], 0, []), None)
    assert (dead.kind, dead.throughput) == ("bad", "not known yet")


def test_the_versions_of_the_software_that_run() -> None:
    def status(*versions: list[str]) -> SystemStatus:
        roles = [
            RoleStatus(f"role-{n}", ["x"] * len(each), 0, [], versions=each)
            for n, each in enumerate(versions)
        ]
        return SystemStatus({"rollguard": "2.0"}, NOON, roles=roles)

    def rows(*versions: list[str]) -> list[tuple[str, str]]:
        return [(each.version, each.run_by) for each in software_rows(status(*versions))]

    assert rows() == [("2.0", "this console")]
    assert rows(["2.0"], ["2.0", "2.0"]) == [("2.0", "this console, role-0, role-1 (2)")]
    assert rows(["2.0", "1.9", "1.9"], ["unknown"]) == [
        ("2.0", "this console, role-0"),
        ("1.9", "role-0 (2)"),
        ("unknown", "role-1"),
    ]


def test_that_no_worker_runs_is_said_once() -> None:
    stuck = ["a[0]", "a[1]"]
    roles = [RoleStatus("recorder", [], 2, stuck), RoleStatus("applier", ["x"], 2, ["b[0]"])]
    texts = [
        *("Postgres: away", "no recorder runs", "the recorder handles nothing of a[0]"),
        *("the recorder handles nothing of a[1]", "the applier handles nothing of b[0]"),
    ]
    since = {text: NOON + timedelta(seconds=n) for n, text in enumerate(texts)}
    status = SystemStatus({}, NOON, None, None, roles, texts)
    assert [text for text, _ in stuck_rows(status, since)] == [texts[0], texts[1], texts[4]]


def test_what_a_receiver_is_told_in_words() -> None:
    assert routes_text([]) == "everything"
    routes = [
        Route(tools=["payments-*"], tiers=["immediate", "fast"]),
        Route(statuses=["outage"]),
        Route(),
    ]
    assert routes_text(routes) == (
        "tools payments-* and tiers immediate, fast; statuses outage; everything"
    )
