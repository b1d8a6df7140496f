"""A role's registry of metrics, and the answer of its ``/metrics``."""

from importlib.metadata import version
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder


class Exposition(NamedTuple):
    """The metrics as an answer to one request."""

    body: bytes
    content_type: str


def registry_of(role: str) -> CollectorRegistry:
    """Return a new registry for a role, with what every process shows: its version, its resources.

    The times at which counters began are left out: they would double the number of series, and
    Prometheus sees by itself that a counter began anew.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge(
        "rollguard_build_info",
        "always 1: which version of Rollguard runs, and in which role",
        labelnames=["version", "role"],
        registry=registry,
    )
    build.labels(version("rollguard"), role).set(1)
    return registry


def exposition(registry: CollectorRegistry, accept: str) -> Exposition:
    """Return the metrics in the format that the header ``Accept`` asks for.

    It is OpenMetrics if that is accepted, and otherwise Prometheus' text format.
    """
    encode, content_type = choose_encoder(accept)
    return Exposition(encode(registry), content_type)
