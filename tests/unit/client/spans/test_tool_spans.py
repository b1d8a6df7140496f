"""Which spans are executions: each call of a tool counts once."""

from typing import Any

import pytest

from rollguard_client.spans.span import CLIENT, SERVER, Span
from rollguard_client.spans.tool_spans import McpSpans, SpanRules, passed_over
from tests.support.traces.spans import failed, tool_span

_INTERNAL = 1
_FRAMEWORK = tool_span(1)
_MCP_CLIENT = tool_span(2, mcp__method__name="tools/call")._replace(kind=CLIENT)
_MCP_SERVER = tool_span(3, mcp__method__name="tools/call")._replace(kind=SERVER)


@pytest.mark.parametrize(
    ("mcp", "counted"),
    [
        ("skip", [_FRAMEWORK]),
        ("client", [_FRAMEWORK, _MCP_CLIENT]),
        ("server", [_FRAMEWORK, _MCP_SERVER]),
    ],
)
def test_one_call_through_mcp_counts_once(mcp: McpSpans, counted: list[Span]) -> None:
    """Three spans of one failure would be three failures in a row."""
    rules = SpanRules(mcp=mcp)
    spans = [failed(each) for each in (_FRAMEWORK, _MCP_CLIENT, _MCP_SERVER)]
    assert [each for each in spans if passed_over(each, rules) is None] == [
        failed(each) for each in counted
    ]
    assert {passed_over(each, rules) for each in spans} == {None, "mcp"}


@pytest.mark.parametrize("kind", [0, _INTERNAL, CLIENT, 4, 5])
def test_a_span_without_mcp_counts_whatever_its_kind_unless_it_is_a_servers(kind: int) -> None:
    assert passed_over(tool_span()._replace(kind=kind), SpanRules()) is None
    assert passed_over(tool_span()._replace(kind=SERVER), SpanRules()) == "mcp"


@pytest.mark.parametrize("mcp", ["skip", "client", "server"])
def test_wrong_arguments_of_the_model_are_no_failure_of_the_tool(mcp: McpSpans) -> None:
    span = failed(tool_span(pydantic_ai__tool__failure_stage="validation"))
    assert passed_over(span, SpanRules(mcp=mcp)) == "validation"
    span = failed(tool_span(pydantic_ai__tool__failure_stage="execution"))
    assert passed_over(span, SpanRules(mcp=mcp)) is None


@pytest.mark.parametrize(
    ("attributes", "by_bridge", "by_processor"),
    [
        ({}, None, None),
        ({"rollguard__span_processor": True}, "published", None),
        ({"rollguard__span_processor": "yes"}, None, None),
        ({"rollguard__tool_name": "words"}, "published", "published"),
        ({"rollguard__tool_name": "count_words"}, "published", "published"),
        ({"rollguard__tool_name": "letters"}, None, None),
        ({"rollguard__tool_name": None, "gen_ai__tool__name": None}, None, None),
        ({"rollguard__tool_name": "letters", "rollguard__span_processor": True}, "published", None),
    ],
)
def test_what_the_program_publishes_itself_is_passed_over(
    attributes: dict[str, Any], by_bridge: str | None, by_processor: str | None
) -> None:
    """The name of the tool may be that of the span, or the one that it has here."""
    span, names = tool_span(**attributes), {"words": "count_words"}
    assert passed_over(span, SpanRules(names=names)) == by_bridge
    assert passed_over(span, SpanRules(names=names, is_processor=True)) == by_processor
