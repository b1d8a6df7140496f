"""The names of metrics and labels keep the conventions of Prometheus, and labels are bounded."""

import re
from typing import Final

from documentation.metrics import metrics

_LABELS: Final = {
    *("agent", "task", "group", "topic", "partition", "phase", "part", "receiver"),
    *("policy", "reason", "tier", "mode", "status", "rejection", "refusal", "change", "message"),
    *("cause", "published", "result", "from", "duration", "comparer"),
    *("query", "error", "state", "method", "route", "role", "version", "tool"),
}
"""Each has few values: docs/reference/metrics.md says which."""
_NOT_BASE_UNITS: Final = r"_(ms|us|ns|minutes?|hours?|days?|milliseconds|kb|mb|gb|percent)(_|$)"


def test_names_keep_the_conventions() -> None:
    for each in metrics():
        assert re.fullmatch(r"rollguard(_[a-z]+)+", each.name), each
        assert (each.kind == "counter") == each.name.endswith("_total"), each
        assert not re.search(_NOT_BASE_UNITS, each.name), each
        assert not re.search(r"_(count|sum|bucket|created)$", each.name), each
        if each.kind in ("histogram", "summary"):
            assert each.name.endswith(("_seconds", "_records")), each
        assert each.name.endswith("_info") == (each.name == "rollguard_build_info"), each


def test_each_has_a_help_that_fits_into_the_format() -> None:
    for each in metrics():
        assert 10 < len(each.help) < 300, each
        assert "\n" not in each.help, each
        assert not each.help.endswith("."), each


def test_labels_are_known_and_only_one_metric_has_names_of_tools() -> None:
    for each in metrics():
        assert set(each.labels) <= _LABELS, each
    assert [each.name for each in metrics() if "tool" in each.labels] == [
        "rollguard_tool_executions_total"
    ]
