"""The headers `traceparent` and `tracestate` of a record, as W3C Trace Context has them. Pure.

Anybody may write them. They say where a span is shown, and nothing else: headers that are not in
the form of the standard say nothing.
"""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

PARENT: Final = "traceparent"
STATE: Final = "tracestate"
_MOST_BYTES: Final = 256
"""The standard's own form has 55; a later version of it may have more."""
_MOST_OF_STATE: Final = 512
_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY: Final = r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER: Final = re.compile(rf"{_KEY}={_VALUE}")
_MOST_MEMBERS: Final = 32
_SAMPLED: Final = 1

Headers = Iterable[tuple[str, bytes | None]]


class TraceContext(NamedTuple):
    """A span of a trace that others can have as their parent."""

    trace_id: int
    span_id: int
    is_sampled: bool = True
    state: str = ""
    """What makers of tracing systems add; it is passed on as it came."""


def trace_context_in(headers: Headers) -> TraceContext | None:
    """Return what the headers of a record say; None if that is nothing, or not in the form."""
    parents, states = [], []
    for name, value in headers:
        if name == PARENT:
            parents.append(value or b"")
        elif name == STATE:
            states.append(value or b"")
    if len(parents) != 1 or len(parents[0]) > _MOST_BYTES:
        return None
    form = _PARENT.fullmatch(parents[0])
    if form is None or form[1] == b"ff" or (form[1] == b"00" and form[5] is not None):
        return None
    trace_id, span_id = int(form[2], 16), int(form[3], 16)
    if not trace_id or not span_id:
        return None
    return TraceContext(trace_id, span_id, bool(int(form[4], 16) & _SAMPLED), _state_in(states))


def _state_in(values: Sequence[bytes]) -> str:
    """Return what the headers `tracestate` say together; "" if one of them is not in the form."""
    joined = b",".join(values)
    if not joined or len(joined) > _MOST_OF_STATE or not joined.isascii():
        return ""
    members = [each.strip(" \t") for each in joined.decode().split(",")]
    members = [each for each in members if each]
    if len(members) > _MOST_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ""
    return ",".join(members)


def headers_of(context: TraceContext | None) -> list[tuple[str, bytes]]:
    """Return the headers that say this; none for None."""
    if context is None:
        return []
    flags = _SAMPLED if context.is_sampled else 0
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"
    state = [(STATE, context.state.encode())] if context.state else []
    return [(PARENT, parent.encode()), *state]


def derived_trace_id(text: str) -> int:
    """Return the id of a trace that follows from the text alone, so that it is always the same."""
    return int.from_bytes(sha256(b"trace\0" + text.encode()).digest()[:16], "big") or 1


def derived_span_id(text: str) -> int:
    """Return the id of a span that follows from the text alone, so that it is always the same."""
    return int.from_bytes(sha256(b"span\0" + text.encode()).digest()[:8], "big") or 1


def is_in_sample(trace_id: int, ratio: float) -> bool:
    """Return whether a trace that begins here is sampled: this part of all, chosen by their ids."""
    return trace_id & (2**64 - 1) < round(ratio * 2**64)
