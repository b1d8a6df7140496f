"""Whatever a span says, it gives an execution that every reader accepts, or a reason."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rollguard_client.errors import Rejected
from rollguard_client.spans.execution_of import execution_of, stated_version_of, tool_name_of
from rollguard_client.spans.span import Span, SpanEvent
from rollguard_client.spans.tool_spans import SpanRules, passed_over
from schemas.execution import Execution
from tests.support.cases import cases

_TEXTS = st.text(st.characters(exclude_categories=()), max_size=300)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=5) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    [
        *("gen_ai.tool.name", "tool.name", "error.type", "session.id", "mcp.method.name"),
        *("exception.type", "exception.message", "input.value", "rollguard.version_id", "who"),
    ]
)
_ATTRIBUTES = st.dictionaries(_NAMES, _VALUES)
_TIMES = st.sampled_from([0, 1, 10**18, 2**64 - 1]) | st.integers(0, 2**64 - 1)
_SPANS = st.builds(
    Span,
    trace_id=st.sampled_from(["a" * 32, "0" * 32, "AB" * 16]) | st.text(max_size=33),
    span_id=st.sampled_from(["1" * 16, ""]) | st.text(max_size=17),
    kind=st.integers(-1, 6),
    start_ns=_TIMES,
    end_ns=_TIMES,
    status=st.integers(-1, 3),
    message=_TEXTS,
    attributes=_ATTRIBUTES,
    events=st.lists(st.builds(SpanEvent, st.sampled_from(["exception", "x"]), _ATTRIBUTES)),
)


@settings(max_examples=cases(240))
@given(span=_SPANS, mcp=st.sampled_from(["skip", "client", "server"]))
def test_a_span_gives_a_valid_execution_or_a_reason(span: Span, mcp: str) -> None:
    rules = SpanRules(mcp=mcp, caller="who")  # type: ignore[arg-type]
    passed_over(span, rules)
    try:
        tool_name = tool_name_of(span, rules)
        version_id = stated_version_of(span, tool_name)
        execution = execution_of(span, tool_name, version_id, rules)
    except Rejected:
        return
    read = Execution.from_bytes(execution.to_bytes())
    assert (read.execution_id, read.executed_at) == (execution.execution_id, execution.executed_at)
    assert read.error == execution.error
    assert execution.success or span.status == 2 or span.attributes["error.type"]
