"""The spans that one message of OTLP holds, whatever its encoding."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from rollguard_client.spans.span import Span
from rollguard_client.spans.tool_spans import MARKERS

MARKERS_IN_BYTES: Final = tuple((name.encode(), value.encode()) for name, value in MARKERS.items())
"""A message in which no such pair occurs has no spans of tools."""


class Traces(NamedTuple):
    """A message that was read."""

    spans: int
    """How many spans it holds."""
    tool_spans: Iterable[Span]
    """Those of tools, in their order. They are made when they are asked for, one by one, because a
    small message may hold many."""
