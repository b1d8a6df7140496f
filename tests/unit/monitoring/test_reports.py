"""What is counted, and what is not: clocks, refusals, queries, tools."""

from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_in
from prometheus_client.parser import text_string_to_metric_families

from agents.applier.deployments.deployment_report import refusal_kind
from agents.detector.busiest_tools import CHOSEN_EVERY_S, FIRST_S, BusiestTools
from agents.metrics.durations import FROM_1_MS, TwoClocks
from agents.metrics.exposition import exposition, registry_of
from db.postgres.sql import blocks, name_of
from policy.state.log import LogRecord
from schemas.errors import Rejected, Unverified
from schemas.execution_entry import ExecutionEntry
from streams.rejections import TooLarge, WrongKey, cause_of

HOSTILE = ['a"b', "a\\b", "a\nb", "a}b{", "\u202e", "x" * 255, "'; --", "# EOF", 'ü{le="1"} 5']


def test_a_negative_duration_is_counted_and_not_observed() -> None:
    registry = CollectorRegistry()
    clocks = TwoClocks(registry, "there")
    histogram = Histogram("took_seconds", "x", buckets=FROM_1_MS, registry=registry)
    for seconds in (0.0, 0.0005, -0.001, -3_600.0):
        clocks.observe("there", histogram, seconds)
    assert registry.get_sample_value("took_seconds_count") == 2
    assert registry.get_sample_value("took_seconds_bucket", {"le": "0.001"}) == 2
    negative = "rollguard_negative_durations_total"
    assert registry.get_sample_value(negative, {"duration": "there"}) == 2


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (None, ""),
        ("gate", "gate"),
        ("frozen", "frozen"),
        ("expired", "expired"),
        ("dismissed by ann: because", "dismissed"),
        ("code: must have at most 524288 bytes", "invalid"),
        ("gate ", "invalid"),
    ],
)
def test_a_refusal_is_one_of_a_few_words(refusal: str | None, kind: str) -> None:
    assert refusal_kind(refusal) == kind


def test_a_query_has_the_name_of_its_block() -> None:
    sql = blocks("executions/recording.sql")["next_offset"]
    assert name_of(sql) == "executions.recording.next_offset"
    assert name_of("COMMIT;") == "commit"
    assert name_of("BEGIN ISOLATION LEVEL READ COMMITTED;") == "begin"
    assert name_of("select 2") == "other"
    assert name_of("COMMITTED") == "other"


def test_a_cause_is_one_of_a_few_words() -> None:
    assert cause_of(Rejected("anything")) == "content"
    assert cause_of(WrongKey("x")) == "key"
    assert cause_of(TooLarge("x")) == "size"
    assert cause_of(Unverified("x")) == "signature"


def log_of(tool: str, results: str) -> list[LogRecord]:
    return [
        LogRecord.of(number, 0, ExecutionEntry(uuid4(), tool, result == "S", ""))
        for number, result in enumerate(results)
    ]


class Tools:
    """The busiest tools of a registry, with a clock."""

    def __init__(self, most: int) -> None:
        self.now = 0.0
        self.registry = registry_of("detector")
        self.busiest = BusiestTools(most, lambda: self.now)
        self.registry.register(self.busiest)

    def shown(self) -> dict[tuple[str, str], float]:
        text = exposition(self.registry, "").body.decode()
        return {
            (each.labels["tool"], each.labels["result"]): each.value
            for family in text_string_to_metric_families(text)
            for each in family.samples
            if each.name == "rollguard_tool_executions_total"
        }


def test_only_the_busiest_tools_have_names_and_they_change_rarely() -> None:
    tools = Tools(2)
    for name, results in (("a", "S" * 5), ("b", "SF"), ("c", "S" * 3)):
        tools.busiest.note(log_of(name, results))
    assert tools.shown() == {}
    tools.now = FIRST_S
    assert {name for name, _ in tools.shown()} == {"a", "c"}
    tools.busiest.note(log_of("a", "SSF"))
    tools.busiest.note(log_of("b", "S" * 100))
    counts = {("a", "success"): 2, ("a", "failure"): 1, ("c", "success"): 0, ("c", "failure"): 0}
    assert tools.shown() == counts
    tools.now += CHOSEN_EVERY_S
    assert {name for name, _ in tools.shown()} == {"a", "b"}
    assert tools.shown()["a", "success"] == 2


def test_a_flood_of_names_adds_no_more_than_was_asked_for() -> None:
    tools = Tools(3)
    for turn in range(10):
        for number in range(1_000):
            tools.busiest.note(log_of(f"tool-{turn}-{number}", "S"))
        tools.now += CHOSEN_EVERY_S
        assert len(tools.shown()) == 6


def test_hostile_names_leave_both_formats_whole() -> None:
    tools = Tools(100)
    for name in HOSTILE:
        tools.busiest.note(log_of(name, "SF"))
    tools.now = FIRST_S
    assert {name for name, _ in tools.shown()} == set(HOSTILE)
    text = exposition(tools.registry, "application/openmetrics-text; version=1.0.0").body.decode()
    families: Any = open_metrics_in(text)  # type: ignore[no-untyped-call]
    found = {s.labels["tool"] for each in families for s in each.samples if "tool" in s.labels}
    assert found == set(HOSTILE)
