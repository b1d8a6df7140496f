"""The spans that frameworks really make, and the executions that they tell of.

Each framework has called a tool three times: it has succeeded, it has raised a TypeError, and the
model has given it wrong arguments.
"""

from collections.abc import Callable

import pytest

from agents.bridge.json_traces import read_json
from agents.bridge.protobuf_traces import read_protobuf
from agents.bridge.traces import Traces
from rollguard_client.messages.execution import Execution
from rollguard_client.spans.execution_of import execution_of, stated_version_of, tool_name_of
from rollguard_client.spans.span import Span
from rollguard_client.spans.tool_spans import SpanRules, passed_over
from tests.support.traces.recorded_spans import recorded_in_json, recorded_in_protobuf

_OK = (True, None)
_RAISED = "can only concatenate str (not 'int') to str"
_ERROR = (False, "TypeError")
_WRONG = (False, "ValidationError")
_UNKNOWN = (False, None)
_EXECUTIONS: dict[str, list[tuple[bool, str | None]]] = {
    "pydantic_ai": [_OK, _ERROR],
    "langgraph_openinference": [_OK, _ERROR, _WRONG],
    "langgraph_traceloop": [_OK, _ERROR, _WRONG],
    "openai_agents_openinference": [_OK, _UNKNOWN, _UNKNOWN],
    "fastmcp": [],
}


def _from_json(name: str) -> Traces:
    return read_json(recorded_in_json(name))


def _from_protobuf(name: str) -> Traces:
    return read_protobuf(recorded_in_protobuf(name))


def _executions(traces: Traces, rules: SpanRules) -> list[Execution]:
    spans = sorted(traces.tool_spans, key=lambda span: span.start_ns)
    return [_execution(span, rules) for span in spans if passed_over(span, rules) is None]


def _execution(span: Span, rules: SpanRules) -> Execution:
    name = tool_name_of(span, rules)
    return execution_of(span, name, stated_version_of(span, name), rules)


@pytest.mark.parametrize("read", [_from_json, _from_protobuf])
@pytest.mark.parametrize("name", _EXECUTIONS)
def test_each_call_is_one_execution(name: str, read: Callable[[str], Traces]) -> None:
    executions = _executions(read(name), SpanRules())
    assert [(each.success, each.error_type) for each in executions] == _EXECUTIONS[name]
    assert {each.tool_name for each in executions} <= {"words"}
    assert all(each.input_hash and each.duration_ms for each in executions)
    assert len({each.input_hash for each in executions}) == len(executions)
    if _ERROR in _EXECUTIONS[name]:
        assert executions[1].error == _RAISED


@pytest.mark.parametrize(
    ("mcp", "expected"),
    [("client", [_OK, _UNKNOWN, _UNKNOWN]), ("server", [_OK, (False, "ToolError"), _WRONG])],
)
def test_the_client_or_the_server_of_mcp_may_be_taken(
    mcp: str, expected: list[tuple[bool, str | None]]
) -> None:
    executions = _executions(_from_json("fastmcp"), SpanRules(mcp))  # type: ignore[arg-type]
    assert [(each.success, each.error_type) for each in executions] == expected
    assert executions[1].error == f"Error calling tool 'words': {_RAISED}"


@pytest.mark.parametrize(
    "name", ["pydantic_ai", "langgraph_traceloop", "openai_agents_openinference"]
)
def test_spans_of_decorated_calls_are_passed_over(name: str) -> None:
    """The call with wrong arguments was none, so its span has no mark."""
    spans = sorted(_from_json(f"{name}-decorated").tool_spans, key=lambda span: span.start_ns)
    reasons = [passed_over(span, SpanRules()) for span in spans]
    assert reasons == ["published", "published", "validation" if name == "pydantic_ai" else None]
    assert [span.attributes.get("rollguard.version_id") for span in spans] == [7, 7, None]


def test_the_spans_of_a_decorated_tool_of_mcp_are_passed_over_on_the_server() -> None:
    rules = SpanRules("server")
    spans = list(_from_json("fastmcp-decorated").tool_spans)
    assert sorted(str(passed_over(span, rules)) for span in spans) == [
        *("None", "mcp", "mcp", "mcp", "published", "published")
    ]


def test_openinference_makes_spans_of_langchain_beside_the_context() -> None:
    """So the decorator cannot mark them, and needs the span processor beside it."""
    spans = list(_from_json("langgraph_openinference-decorated").tool_spans)
    assert {passed_over(span, SpanRules()) for span in spans} == {None}
