"""The queries of the alert rules and of the board name metrics and labels that exist."""

from typing import Final

from documentation.metrics import Metric, metrics
from tests.support.prometheus.queries import Query, alerts, board, queries, rules

_OF_PROMETHEUS: Final[dict[str, set[str]]] = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "ALERTS_FOR_STATE": {"alertname", "alertstate", "severity"},
    "process_start_time_seconds": set(),
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
}
_OF_TARGETS: Final = {"job", "instance", "service"}
"""What Prometheus adds to each series (compose/prometheus/prometheus.yaml)."""
_PARTS: Final = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}


def _series() -> dict[str, set[str]]:
    """Return the labels of every series that a query may name."""
    found = {name: labels | _OF_TARGETS for name, labels in _OF_PROMETHEUS.items()}
    for metric in metrics():
        for part in _PARTS[metric.kind]:
            found[metric.name + part] = {*metric.labels, *_OF_TARGETS} | (
                {"le"} if part == "_bucket" else set()
            )
    for rule in rules():
        if "record" in rule:
            level, metric_name, _ = rule["record"].split(":")
            assert metric_name in found, rule["record"]
            found[rule["record"]] = {each for each in found[metric_name] if each in level}
    return found


def test_every_name_and_label_exists() -> None:
    known = _series()
    for query in queries():
        assert query.metrics, query
        assert query.metrics <= known.keys(), query
        assert query.labels <= set().union(*(known[name] for name in query.metrics)), query


def test_what_a_query_names_is_found() -> None:
    text = 'sum by (le, a) (rate(x_bucket{b="c", d!~"e"}[5m])) / on (f) group_left y > 1'
    query = Query("", text)
    assert query.metrics == {"x_bucket", "y"}
    assert query.labels == {"le", "a", "b", "d", "f"}


def test_every_alert_says_whom_it_calls_and_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert rule["labels"].keys() == {"severity"}, rule
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, rule


def test_the_board_is_whole() -> None:
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    spots = [panel["gridPos"] for panel in panels]
    cells = {
        (x, y)
        for spot in spots
        for x in range(spot["x"], spot["x"] + spot["w"])
        for y in range(spot["y"], spot["y"] + spot["h"])
    }
    assert len(cells) == sum(spot["w"] * spot["h"] for spot in spots), "no panel covers another"
    for panel in panels:
        if panel["type"] == "row":
            continue
        assert panel["description"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "rollguard"}
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]


def test_every_metric_is_on_the_board_or_in_an_alert() -> None:
    shown = set().union(*(query.metrics for query in queries()))
    assert [each.name for each in metrics() if not _names(each) & shown] == []


def _names(metric: Metric) -> set[str]:
    return {metric.name + part for part in _PARTS[metric.kind]}
