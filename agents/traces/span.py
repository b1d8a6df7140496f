"""A span that has ended, as the exporter takes it."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from rollguard_client.traces.context import TraceContext

Kind = Literal["internal", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int]


class Span(NamedTuple):
    """One span. Times are in nanoseconds since the epoch."""

    name: str
    kind: Kind
    context: TraceContext
    parent: TraceContext | None
    start_ns: int
    end_ns: int
    attributes: Attributes
    error: str | None = None
    """What has failed."""
