"""The pages of one tool, from what the detector and Postgres say."""

from collections.abc import Sequence
from datetime import timedelta
from math import nan
from typing import Any, Literal

import pytest

from console.pages.tool.charting import chart_of
from console.pages.tool.comparison import MOST_LINES, comparison_view
from console.pages.tool.errors import grouped
from console.pages.tool.timeline import timeline
from console.pages.tool.view import View, view_of, way_back
from console.questions.tool_facts import Period, StoredFacts, ToolFacts, period_with
from db.executions.queries import ExecutionRecord
from db.executions.sampling import SPANS, Sample
from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from db.versions.reading import ActivationOfTool, VersionRecord
from policy.decision.fold import fold
from policy.decision.health import health_of
from policy.decision.policies import policy_for
from policy.state.outage_watch import OutageWatch
from rollguard.operations.versions import FoundVersion
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from schemas.stops import Stop
from tests.support.consoles.pages import EVIL, NOW, rendered, require_harmless
from tests.support.inputs.hostile import filled
from tests.support.policy.folding import log_record
from tests.support.policy.written_logs import Script, every

MINUTE = timedelta(minutes=1)
PERIOD = Period(NOW - SPANS * MINUTE, MINUTE)


def activation(number: int, version: int, at: timedelta, **more: Any) -> ActivationOfTool:
    given: dict[str, Any] = {
        "activation": number,
        "version_id": 10 + version,
        "version_number": version,
    }
    given |= {"began_at": NOW - at, "ended_at": None, "activated_by_kind": "deployment"}
    return filled(ActivationOfTool, "ann", **given | more)


def stored(text: str, **more: Any) -> StoredFacts:
    """Return what Postgres says of a tool whose texts are all this one."""
    failure = filled(ExecutionRecord, text, success=False, error_origin="caller")
    version = filled(
        VersionRecord, text, success_rate=None, is_current=False, is_breaking_change=True
    )
    current = filled(VersionRecord, text, version_id=2, version_number=2, previous_version_id=1)
    given: dict[str, Any] = {
        "versions": [current, version],
        "has_more_versions": False,
        "held": [filled(HeldDeployment, text)],
        "activations": [filled(ActivationOfTool, text)],
        "commands": [filled(RollbackRecord, text, status="rejected", rejection="pinned")],
        "failures": [failure],
        "stops": [filled(Stop, text)],
        "newest": [failure, filled(ExecutionRecord, text)],
        "samples": [Sample(0, 4, 3, 20.0, 12_000.0), Sample(47, 0, 0, None, None)],
        "period": PERIOD,
        "period_name": "1h",
    }
    return StoredFacts(**given | more)


def health(text: str) -> dict[str, Any]:
    """Return what the detector says of it."""
    rule = {"tier": "immediate", "reason": "signature_change", "holds": False, "value": 1}
    more = {"limit": 2, "executions": 3, "executions_needed": 2}
    rate = rule | {"tier": "fast", "reason": "high_failure_rate", "value": None, "limit": 0.8}
    return {
        "rules": [rule | more, rate | more | {"limit": 0.8}],
        "evidence": {"odds": 3.5, "limit": 100.0, "test": text},
        "quality": {"slower": {"odds": None, "limit": 20.0}},
        "waits_for": text,
        "engines": {"current": 2, "stale": 1},
        "stops": [],
    }


def view(text: str = "x", *, name: str = "parser", known: StoredFacts | None = None) -> View:
    stop = filled(Stop, text, tool_name=name).model_dump(mode="json")
    tool = {"tool_name": name, "state": "suspect", "reason": text, "version_number": 2}
    tool |= {"version_id": 2, "activation": 3, "activated_at": "2026-01-31T11:00:00Z"}
    tool |= {"as_of": "2026-01-31T11:59:00Z", "success_rate": 0.75, "total_executions": 4}
    tool |= {"stops": [stop], "waits_for_resume": True}
    facts = ToolFacts(tool, health(text), known or stored(text), [text])
    return view_of(name, facts, Rules())


def test_what_the_page_says() -> None:
    html = rendered("tool.html", here="/tools/parser", view=view(), key="the-key")
    for text in (
        *("75.0 % ", "of 4 executions of this version", "1 min ago", ">pinned by x at"),
        *("2 current, 1 stale", "odds 3.5 to 1, and 100 to 1 condemn", "12.0 s"),
        *("at least 2 failures are TypeError or AttributeError", "(needs 2)"),
        *('action="/tools/parser/rollbacks"', 'value="the-key"', 'action="/tools/parser/unpin"'),
        *('action="/tools/parser/freeze"', 'action="/tools/parser/resume"', 'value="v1"'),
        *("compare?from=1&amp;to=2", 'name="csrf" value="the-csrf-token"', "In the name of"),
    ):
        assert text.lower() in html.lower(), text
    assert 'action="/tools/parser/pin"' not in html


@pytest.mark.parametrize("name", ["seed", "guarded"])
def test_what_a_detector_really_says_of_a_failing_version(name: Literal["seed", "guarded"]) -> None:
    policy = policy_for(Rules(policy=name))
    script = Script().deploy(0).run("." * 40, *every(60, 40, 0)).deploy(3_000)
    script.run("..FF", *every(60, 4, 3_060), error="ValueError")
    row = None
    for record in script.log:
        row, _ = fold(row, log_record(record), policy)
    assert row is not None
    said = health_of(row, "parser", policy, OutageWatch(), OutageRules())
    nearest = policy.nearest_rule(row)
    assert nearest is not None
    assert 0 < nearest.share < 1
    none = dict.fromkeys(("waits_for", "engines", "stops", "held_deployment"))
    facts = ToolFacts(dict(view().tool), said | none, stored("x"), [])
    html = rendered("tool.html", view=view_of("parser", facts, policy.rules), key="k")
    assert "consecutive_failures" in html
    assert ("to 1 condemn" in html) == (name == "guarded")
    assert ("was expected" in html) == (name == "guarded")
    if name == "guarded":
        assert nearest.reason == "regression"


def test_a_viewer_sees_no_form_that_changes_the_tool() -> None:
    html = rendered("tool.html", role="viewer", view=view(), key="the-key")
    assert 'action="/tools/' not in html
    assert "the-key" not in html


def test_no_text_of_a_tool_acts_on_its_page() -> None:
    html = rendered("tool.html", view=view(EVIL, name=EVIL), key="k")
    require_harmless(html)
    assert html.count("&lt;img src=x") > 20


@pytest.mark.parametrize("template", ["version.html", "executions.html", "comparison.html"])
def test_no_text_acts_on_the_other_pages(template: str) -> None:
    found = FoundVersion(filled(VersionRecord, EVIL), 1)
    executions = [filled(ExecutionRecord, EVIL, success=False)]
    compared = comparison(EVIL, f"--- {EVIL}\n+++ {EVIL}\n@@ -1 +1 @@\n-{EVIL}\n+{EVIL}")
    values: dict[str, dict[str, Any]] = {
        "version.html": {"name": EVIL, "found": found},
        "executions.html": {"name": EVIL, "filters": {"success": "", "version_id": ""}}
        | {"executions": executions, "first": None, "following": None},
        "comparison.html": {"view": comparison_view(EVIL, compared)},
    }
    html = rendered(template, **values[template])
    require_harmless(html)
    assert "&lt;img src=x" in html


def comparison(text: str, diff: str, rate: float = 0.5) -> dict[str, Any]:
    """Return a comparison as ``ToolVersionManager.compare_records`` does."""
    version = {"version_id": 1, "version_number": 1, "created_at": NOW, "created_by": text}
    version |= {"improvement_reason": text, "is_current": True}
    metrics = {"success_rate": rate, "total_executions": 10}
    finding = {"severity": "breaking", "sentence": text, "accepted": text}
    change = {"success_rate_change": rate - 0.75, "confidence_interval": [-0.5, nan]}
    return {
        "code_diff": diff,
        "is_breaking_change": True,
        "findings": [finding],
        "from_version": version,
        "to_version": version,
        "from_metrics": metrics,
        "to_metrics": metrics,
        "metrics_comparison": change | {"confidence": 0.95},
    }


def test_the_lines_of_a_diff() -> None:
    diff = "--- a\n+++ b\n@@ -1,2 +1,2 @@\n same\n-old\n+new"
    shown = comparison_view("a", comparison("x", diff))
    assert shown.lines == [
        ("place", "@@ -1,2 +1,2 @@"),
        ("", " same"),
        ("removed", "-old"),
        ("added", "+new"),
    ]
    assert shown.change.startswith("-25.0 percentage points (95 % confidence: -50.0 to")
    long = comparison_view("a", comparison("x", "@@\n" + "+x\n" * MOST_LINES, nan))
    assert (len(long.lines), long.left_out, long.change) == (MOST_LINES, 1, "")
    assert long.before.success_rate is None


def test_the_chart_of_a_period() -> None:
    samples = [Sample(0, 4, 3, 20.0, 30.0), Sample(2, 0, 0, 5.0, 5.0)]
    events = [
        activation(3, 1, 5 * MINUTE, activated_by_kind="rollback"),
        activation(2, 2, 6 * MINUTE),
        activation(1, 1, 60 * MINUTE),
    ]
    chart = chart_of(samples, events, PERIOD)
    rates, medians, _ = (each["values"] for each in chart.data["series"])
    assert (rates[:3], medians[:3], len(rates)) == ([0.75, None, None], [20.0, None, 5.0], SPANS)
    assert [each["label"] for each in chart.data["marks"]] == ["back to v1", "v2"]
    assert [each.executions for each in chart.rows] == [0, 4]
    assert chart.data["x"][0] == (PERIOD.begin + MINUTE / 2).timestamp()


@pytest.mark.parametrize(
    ("ages", "name"),
    [
        ([], "1h"),
        ([timedelta(minutes=3), timedelta(minutes=50), timedelta(days=9)], "1h"),
        ([timedelta(minutes=3), timedelta(hours=7)], "24h"),
        ([timedelta(days=8)], "30d"),
        ([timedelta(days=300)], "24h"),
    ],
)
def test_the_chart_shows_the_last_changes(ages: Sequence[timedelta], name: str) -> None:
    activations = [activation(9 - each, 1, age) for each, age in enumerate(ages)]
    assert period_with(activations, NOW) == name


def test_a_rollback_is_offered_to_the_nearest_trusted_version() -> None:
    def version(number: int, previous: int | None, **more: Any) -> VersionRecord:
        given = {"version_id": number, "version_number": number, "previous_version_id": previous}
        told = {"is_current": False, "trusted": True}
        return filled(VersionRecord, "x", **given | told | more)

    history = [
        version(5, 4, trusted=False),
        version(4, 3, is_current=True),
        version(3, 2, trusted=False),
        version(2, 1),
        version(1, None),
    ]
    assert way_back(history) == 2
    html = rendered("tool.html", view=view(known=stored("x", versions=history)), key="k")
    assert '<option value="v2" selected>' in html
    assert html.count(" selected>") == 1
    assert way_back(history[:3]) is None
    assert way_back([version(1, 1, is_current=True)]) is None
    assert way_back(history[2:]) is None


def test_failures_are_grouped_by_class_and_origin() -> None:
    def failure(kind: str | None, origin: str, minutes: int, error: str) -> ExecutionRecord:
        given = {"error_type": kind, "error_origin": origin, "error": error, "success": False}
        return filled(ExecutionRecord, "x", executed_at=NOW - minutes * MINUTE, **given)

    found = grouped(
        [
            failure(None, "tool", 1, "?"),
            failure("TypeError", "tool", 2, "newest"),
            failure("TypeError", "caller", 3, "of the caller"),
            failure("TypeError", "tool", 4, "older"),
        ]
    )
    assert [(each.error_type, each.origin, each.number, each.example) for each in found] == [
        ("TypeError", "tool", 2, "newest"),
        ("no class", "tool", 1, "?"),
        ("TypeError", "caller", 1, "of the caller"),
    ]
    assert found[0].last_at == NOW - 2 * MINUTE


def test_the_timeline_has_what_was_rejected_and_each_activation_once() -> None:
    def command(status: str, minutes: int, **more: Any) -> RollbackRecord:
        given = {"status": status, "rejection": None, "applied_at": NOW - minutes * MINUTE}
        return filled(RollbackRecord, "x", **given | {"to_version_number": 1} | more)

    events = timeline(
        [
            activation(2, 1, 2 * MINUTE, activated_by_kind="rollback"),
            activation(1, 2, 9 * MINUTE, ended_at=NOW),
        ],
        [command("rejected", 1, rejection="pinned"), command("applied", 2), command("held", 5)],
        [],
    )
    assert [(each.title, each.kind, each.is_current) for each in events] == [
        ("rollback to v1 (id 1) rejected (pinned)", "rejected", False),
        ("v1 current again", "applied", True),
        ("rollback to v1 (id 1) held", "held", False),
        ("v2 deployed", "deployment", False),
    ]


def test_the_timeline_has_stops_and_their_ends() -> None:
    def stop(kind: Any, minutes: int, **more: Any) -> Stop:
        ended = {"ended_at": None, "ended_by": None, "ended_how": None, "version_number": None}
        began = {"began_at": NOW - minutes * MINUTE}
        return filled(Stop, "ann", **began | ended | more).model_copy(update={"kind": kind})

    removed = {"ended_at": NOW - MINUTE, "ended_by": "bob", "ended_how": "removed"}
    expired = {"ended_at": NOW - 2 * MINUTE, "ended_how": "expired", "tool_name": None}
    replaced = {"ended_at": NOW, "ended_how": "replaced"}
    stops = [
        stop("pin", 9, **removed),
        stop("freeze", 8, **expired),
        stop("pin", 7, **replaced),
        stop("rejection", 6, version_number=3),
    ]
    assert [(each.title, each.by) for each in timeline([], [], stops)] == [
        ("not pinned any more", "bob"),
        ("not frozen any more with all tools", "nobody"),
        ("code of v3 rejected", "ann"),
        ("pinned", "ann"),
        ("frozen with all tools", "ann"),
        ("pinned", "ann"),
    ]


def test_what_the_page_shows_while_postgres_is_away() -> None:
    tool = {"tool_name": "a", "state": "healthy", "reason": None, "version_number": 1}
    tool |= {
        "version_id": 1,
        "activation": 1,
        "activated_at": "2026-01-31T11:00:00Z",
        "as_of": None,
    }
    notes = ["Postgres: no answer; only what the detector knows is shown"]
    none = dict.fromkeys(("waits_for", "engines", "stops", "held_deployment"))
    away = view_of("a", ToolFacts(tool, health("x") | none, None, notes), Rules())
    html = rendered("tool.html", view=away, key="k")
    assert notes[0] in html
    assert "versions and history <strong>not known</strong>" in html
    assert '<form method="post" action="/tools/' not in html


def test_what_the_page_shows_while_the_detector_is_away() -> None:
    tool = dict(view().tool) | {"state": "unknown", "as_of": None}
    away = view_of("a", ToolFacts(tool, None, stored("x"), ["no state"]), Rules())
    html = rendered("tool.html", view=away, key="k")
    assert "The detector does not say it now." in html
    assert "newest execution that counts <strong>not known</strong>" in html
