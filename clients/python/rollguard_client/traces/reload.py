"""The span of a version that an engine has loaded: the end of the trace that made it current."""

import logging
import sys
from typing import Any, NamedTuple

from rollguard_client.registry.versions import Version
from rollguard_client.traces import attributes as names
from rollguard_client.traces.context import TraceContext, trace_context_in
from rollguard_client.traces.current import has_spans

log = logging.getLogger("rollguard_client")

_TRACER = "rollguard_client"
_SHOWN = 300


class Cause(NamedTuple):
    """The record of `tool-versions` that says that a version is current."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    activation: int
    parent: TraceContext


def cause_in(record: Any, version: Version) -> Cause | None:
    """Return the record as a cause; None if the program has no spans, or its headers no trace."""
    if record is None or not has_spans() or not record.headers:
        return None
    parent = trace_context_in(record.headers)
    if parent is None:
        return None
    return Cause(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        version.activation,
        parent,
    )


def end_reload(cause: Cause, version: Version, error: BaseException | None) -> None:
    """Make the span of a version that has just come into use, by the program's own SDK.

    It begins when Kafka got the record. Never raises.
    """
    try:
        _end_reload(cause, version, error)
    except Exception:
        log.debug("the span of a loaded version could not be made", exc_info=True)


def _end_reload(cause: Cause, version: Version, error: BaseException | None) -> None:
    api: Any = sys.modules["opentelemetry.trace"]
    attributes: dict[str, Any] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": cause.topic,
        "messaging.destination.partition.id": str(cause.partition),
        "messaging.kafka.offset": cause.offset,
        "messaging.kafka.message.key": version.tool_name,
        names.TOOL: version.tool_name,
        names.VERSION: version.version_id,
        names.VERSION_NUMBER: version.version_number,
        names.ACTIVATION: version.activation,
    }
    by: Any = getattr(version, "activated_by", None)
    if by is not None:
        attributes |= {
            names.ACTIVATED_BY_KIND: by.kind,
            names.ACTIVATED_BY_ID: str(by.id),
        }
    if error is not None:
        attributes["error.type"] = type(error).__qualname__
    span = api.get_tracer(_TRACER).start_span(
        f"process {cause.topic}",
        context=api.set_span_in_context(api.NonRecordingSpan(_span_context(api, cause.parent))),
        kind=api.SpanKind.CONSUMER,
        start_time=cause.timestamp_ms * 1_000_000,
        attributes=attributes,
    )
    if error is not None:
        span.set_status(api.StatusCode.ERROR, repr(error)[:_SHOWN])
    span.end()


def _span_context(api: Any, parent: TraceContext) -> Any:
    state = api.TraceState.from_header([parent.state]) if parent.state else None
    flags = api.TraceFlags(api.TraceFlags.SAMPLED if parent.is_sampled else 0)
    return api.SpanContext(parent.trace_id, parent.span_id, True, flags, state)
