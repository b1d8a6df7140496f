"""The spans that one message of OTLP holds, whatever its encoding."""

from collections.abc import Iterable
from typing import NamedTuple

from rollguard_client.spans.span import Span


class Traces(NamedTuple):
    """A message that was read."""

    spans: int
    """How many spans it holds."""
    tool_spans: Iterable[Span]
    """Those of tools, in their order. They are made when they are asked for, one by one, because a
    small message may hold many."""
