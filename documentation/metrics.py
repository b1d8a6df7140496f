"""The reference of the metrics: every Prometheus metric that the code creates."""

import ast
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from documentation.markdown import code, table
from documentation.source import calls, source_files, text_of

_KINDS: Final = ("Counter", "Gauge", "Histogram", "Summary")


class Metric(NamedTuple):
    """A metric as it stands in the code."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    path: str


@cache
def metrics() -> list[Metric]:
    """Return every metric of the product, by name."""
    return sorted(_found())


def metrics_reference() -> str:
    """Return the table of all metrics."""
    rows = [
        (code(each.name), each.kind, ", ".join(map(code, each.labels)), each.help, code(each.path))
        for each in metrics()
    ]
    return table(("metric", "kind", "labels", "meaning", "defined in"), rows)


def _found() -> Iterator[Metric]:
    for file in source_files():
        for call in calls(file.tree):
            kind = _name(call.func).removesuffix("MetricFamily")
            if kind not in _KINDS or len(call.args) < 2:
                continue
            name, meaning = text_of(call.args[0]), text_of(call.args[1])
            if name is not None and meaning is not None:
                full_name = _full_name(name, kind)
                yield Metric(full_name, kind.lower(), _labels(call), meaning, file.path)


def _name(node: ast.expr) -> str:
    """Return the last part of the name that is called; "" if it has none."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _full_name(name: str, kind: str) -> str:
    """Return the name as ``/metrics`` prints it: that of a counter ends in ``_total``."""
    return f"{name.removesuffix('_total')}_total" if kind == "Counter" else name


def _labels(call: ast.Call) -> tuple[str, ...]:
    given = [each.value for each in call.keywords if each.arg in ("labelnames", "labels")]
    given += call.args[2:3]
    for node in given:
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(label for each in node.elts if (label := text_of(each)) is not None)
    return ()
