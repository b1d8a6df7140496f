"""The mapping of spans: each row of the table, and what is hostile in it."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

import pytest

from rollguard_client.errors import Rejected
from rollguard_client.spans.execution_of import (
    execution_of,
    start_us_of,
    stated_version_of,
    tool_name_of,
)
from rollguard_client.spans.ids import NAMESPACE
from rollguard_client.spans.span import ERROR, Span, SpanEvent
from rollguard_client.spans.tool_spans import SpanRules
from schemas.execution import Execution
from tests.support.traces.spans import END_NS, START_NS, failed, tool_span

_RULES = SpanRules()


def _of(span: Span, rules: SpanRules = _RULES) -> Execution:
    """Return the execution as the server reads it."""
    name = tool_name_of(span, rules)
    execution = execution_of(span, name, stated_version_of(span, name), rules)
    return Execution.from_bytes(execution.to_bytes())


def test_a_success() -> None:
    execution = _of(tool_span())
    assert execution.tool_name == "words"
    assert (execution.success, execution.error, execution.error_type) == (True, None, None)
    assert execution.executed_at == datetime.fromtimestamp(END_NS // 10**9, UTC).replace(
        microsecond=END_NS // 1000 % 10**6
    )
    assert execution.duration_ms == 12.345678


def test_the_id_is_that_of_trace_and_span_for_ever() -> None:
    ids = "0" * 31 + "1" + "0" * 15 + "1"
    assert _of(tool_span()).execution_id == uuid5(NAMESPACE, ids)
    assert str(_of(tool_span()).execution_id) == "a3109643-b9c6-56fb-a3ec-da6dba2857df"
    upper = tool_span()._replace(trace_id="AB" * 16)
    assert _of(upper).execution_id == _of(upper._replace(trace_id="ab" * 16)).execution_id


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"tool__name": "b", "traceloop__entity__name": "c"}, "words"),
        ({"gen_ai__tool__name": "", "tool__name": "b", "traceloop__entity__name": "c"}, "b"),
        ({"gen_ai__tool__name": None, "traceloop__entity__name": "c"}, "c"),
        ({"gen_ai__tool__name": 5, "tool__name": "b"}, "b"),
    ],
)
def test_the_tool(attributes: dict[str, Any], name: str) -> None:
    assert tool_name_of(tool_span(**attributes), _RULES) == name


def test_a_tool_may_have_another_name_here() -> None:
    rules = SpanRules(names={"words": "count_words"})
    assert tool_name_of(tool_span(), rules) == "count_words"
    assert tool_name_of(tool_span(gen_ai__tool__name="other"), rules) == "other"


@pytest.mark.parametrize(
    ("value", "version"),
    [
        (7, 7),
        (2**31 - 1, 2**31 - 1),
        *((wrong, None) for wrong in (2**31, 0, -1, True, "7", 7.0, None, [7])),
    ],
)
def test_the_version_that_a_span_states(value: object, version: int | None) -> None:
    assert stated_version_of(tool_span(rollguard__version_id=value), "words") == version


def test_the_version_of_an_inner_call_is_not_that_of_the_outer_one() -> None:
    """The decorator of an inner tool has stated its version on the span that it found."""
    span = tool_span(rollguard__version_id=7, rollguard__tool_name="letters")
    assert stated_version_of(span, "words") is None
    assert stated_version_of(span, "letters") == 7


def test_a_version_is_looked_up_by_the_start() -> None:
    """A straggler of the old version ends after the new one was activated."""
    assert start_us_of(tool_span()) == START_NS // 1000
    assert start_us_of(tool_span()._replace(start_ns=0)) == END_NS // 1000


@pytest.mark.parametrize("status", [0, 1])
def test_a_span_with_an_error_type_failed_whatever_its_status_says(status: int) -> None:
    span = tool_span(error__type="ValueError")._replace(status=status)
    execution = _of(span)
    assert (execution.success, execution.error_type) == (False, "ValueError")
    assert execution.error == "ValueError"


def test_an_exception_that_was_handled_is_no_failure() -> None:
    execution = _of(failed(tool_span(), type="KeyError", message="x")._replace(status=0))
    assert (execution.success, execution.error, execution.error_type) == (True, None, None)


@pytest.mark.parametrize(
    ("span", "error", "error_type"),
    [
        (failed(tool_span(), "said", type="a.b.TypeError", message="m"), "m", "TypeError"),
        (failed(tool_span(), "said", type="TypeError", message=""), "said", "TypeError"),
        (failed(tool_span(), type="a.b.TypeError"), "a.b.TypeError", "TypeError"),
        (failed(tool_span(error__type="E"), type="TypeError"), "TypeError", "TypeError"),
        (failed(tool_span(error__type="E"), "said"), "said", "E"),
        (failed(tool_span(error__type="E")), "E", "E"),
        (failed(tool_span(error__type="tool_error"), "said"), "said", None),
        (failed(tool_span(error__type="_OTHER")), "_OTHER", None),
        (failed(tool_span(), "said", type="a.b."), "said", "a.b."),
        (failed(tool_span()), None, None),
    ],
)
def test_the_error_and_its_class(span: Span, error: str | None, error_type: str | None) -> None:
    execution = _of(span)
    assert not execution.success
    assert (execution.error, execution.error_type) == (error, error_type)


def test_the_last_exception_counts() -> None:
    events = [
        SpanEvent("exception", {"exception.type": "KeyError"}),
        SpanEvent("exception", {"exception.type": "TypeError"}),
        SpanEvent("retry", {"exception.type": "OSError"}),
    ]
    assert _of(tool_span()._replace(status=ERROR, events=events)).error_type == "TypeError"


@pytest.mark.parametrize("start_ns", [0, END_NS + 1])
def test_a_duration_that_makes_no_sense_is_left_out(start_ns: int) -> None:
    assert _of(tool_span()._replace(start_ns=start_ns)).duration_ms is None


@pytest.mark.parametrize(
    ("attributes", "session"),
    [
        (
            {
                "gen_ai__conversation__id": "a",
                "session__id": "b",
                "traceloop__association__properties__session_id": "c",
                "mcp__session__id": "d",
            },
            "a",
        ),
        ({"session__id": "b", "mcp__session__id": "d"}, "b"),
        (
            {"traceloop__association__properties__session_id": "c", "mcp__session__id": "d"},
            "c",
        ),
        ({"mcp__session__id": "d"}, "d"),
        ({"session__id": "x" * 300}, "x" * 255),
        ({}, None),
    ],
)
def test_the_session(attributes: dict[str, Any], session: str | None) -> None:
    assert _of(tool_span(**attributes)).session_id == session


def test_the_arguments_are_hashed_and_never_shown() -> None:
    spaced = _of(tool_span(gen_ai__tool__call__arguments='{"b": "a secret", "a": 1}'))
    assert spaced.input_hash == hashlib.sha256(b'{"a":1,"b":"a secret"}').hexdigest()
    assert b"secret" not in spaced.to_bytes()
    same_arguments: tuple[dict[str, Any], ...] = (
        {"gen_ai__tool__call__arguments": '{"a":1,"b":"a secret"}'},
        {"gen_ai__tool__call__arguments": {"b": "a secret", "a": 1}},
        {"input__value": '{"a":1,"b":"a secret"}'},
        {"traceloop__entity__input": '{"a":1,"b":"a secret"}'},
    )
    for same in same_arguments:
        assert _of(tool_span(**same)).input_hash == spaced.input_hash
    assert _of(tool_span(input__value="no JSON")).input_hash is not None
    assert _of(tool_span(tool__parameters='{"type": "object"}')).input_hash is None


@pytest.mark.parametrize(
    "value", ["[" * 60_000, "[" * 70_000, "\udc00", "1" * 5_000, b"\xff", [b"\xff"], {"a": [1.5]}]
)
def test_hostile_arguments_are_hashed_too(value: object) -> None:
    assert len(_of(tool_span(input__value=value)).input_hash or "") == 64


def test_the_caller_is_empty_unless_an_attribute_is_named() -> None:
    span = tool_span(enduser__id="anna", service__name="shop")
    assert _of(span).caller is None
    assert _of(span, SpanRules(caller="enduser.id")).caller == "anna"
    assert _of(span, SpanRules(caller="nobody")).caller is None


@pytest.mark.parametrize(
    ("span", "error"),
    [
        (tool_span(gen_ai__tool__name=None), "has no name"),
        (tool_span(gen_ai__tool__name="x" * 256), "tool_name: .*255"),
        (tool_span(gen_ai__tool__name="a\0"), "tool_name: .*NUL"),
        (tool_span()._replace(end_ns=0), "no end"),
        (tool_span()._replace(trace_id="0" * 32), "no id of a trace"),
        (tool_span()._replace(span_id="0" * 16), "no id of a span"),
        (tool_span()._replace(span_id="1"), "no id of a span"),
        (tool_span()._replace(trace_id="A" * 31 + "="), "no id of a trace"),
        (tool_span()._replace(trace_id="q80=" * 6), "no id of a trace"),
    ],
)
def test_a_span_that_is_no_execution_says_why(span: Span, error: str) -> None:
    with pytest.raises(Rejected, match=error):
        _of(span)


def test_strange_texts_hide_no_failure() -> None:
    span = failed(tool_span(session__id="a\0"), "x\0" + "y" * 20_000, type="z\0.\ud800")
    execution = _of(span)
    assert not execution.success
    assert execution.session_id == "a\u2400"
    assert len((execution.error or "").encode()) <= 8 * 1024
