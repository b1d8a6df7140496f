"""The traces of a role: which work has a span, and which headers its records get.

The ids of spans follow from the record that the work is about. So a record that is read again
after a crash gives the same ids, and what is published of it has the same headers.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from agents.traces.span import Attributes, Kind, Span
from rollguard_client.traces.context import (
    TraceContext,
    derived_span_id,
    derived_trace_id,
    headers_of,
    is_in_sample,
)

Sink = Callable[[Span], None]


class Work(NamedTuple):
    """Something that a role does about one record, and the span of it."""

    name: str
    """What tells it from all other work; the ids follow from it."""
    parent: TraceContext | None
    context: TraceContext | None
    """What the records that it publishes name: its span, or that of the parent if it has none."""
    has_span: bool

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """The headers of what it publishes."""
        return headers_of(self.context)

    def part(self, name: str) -> "Work":
        """Return a part of the work, which has a span within its own."""
        if not self.has_span or self.context is None:
            return self
        whole = f"{self.name}/{name}"
        return Work(whole, self.context, _within(self.context, whole), has_span=True)


class Tracer:
    """Makes the spans of a role. Without a ``sink``, traces only pass through it.

    Whether a trace is sampled is decided where it begins; ``ratio`` is the part of those that begin
    here.
    """

    def __init__(self, sink: Sink | None = None, ratio: float = 1.0) -> None:
        self._sink = sink
        self._ratio = ratio

    def work(self, name: str, parent: TraceContext | None) -> Work:
        """Return work about a record that names ``parent``."""
        if parent is not None:
            if self._sink is None or not parent.is_sampled:
                return Work(name, parent, parent, has_span=False)
            return Work(name, parent, _within(parent, name), has_span=True)
        if self._sink is None:
            return Work(name, None, None, has_span=False)
        trace_id = derived_trace_id(name)
        is_sampled = is_in_sample(trace_id, self._ratio)
        begun = TraceContext(trace_id, derived_span_id(name), is_sampled)
        return Work(name, None, begun, has_span=is_sampled)

    def end(
        self,
        work: Work,
        name: str,
        kind: Kind,
        start_ns: int,
        end_ns: int,
        attributes: Iterable[Attributes] = (),
        error: str | None = None,
    ) -> None:
        """Make the span of work that is done, if it has one."""
        if self._sink is None or not work.has_span or work.context is None:
            return
        merged = {name: value for each in attributes for name, value in each.items()}
        # The start may be by another clock, or be what a producer has written into a record.
        start_ns = max(0, min(start_ns, end_ns))
        self._sink(Span(name, kind, work.context, work.parent, start_ns, end_ns, merged, error))


def _within(parent: TraceContext, name: str) -> TraceContext:
    return parent._replace(span_id=derived_span_id(name))
