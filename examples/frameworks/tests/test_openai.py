"""The OpenAI API, whose answers come from here instead of from a server."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from pydantic import TypeAdapter

import with_openai as example
from tests.same_schemas import plain, require_same_schemas
from tests.scene import see_a_rollback
from tests.script import QUESTION, ToolCall, next_step
from tests.told import Told


def said(request: httpx2.Request) -> httpx2.Response:
    """Return what the API answers."""
    asked = json.loads(request.content)
    assert [each["function"]["name"] for each in asked["tools"]] == ["stock", "price"]
    results = [each["content"] for each in asked["messages"] if each["role"] == "tool"]
    step = next_step(results)
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if isinstance(step, ToolCall):
        function = {"name": step.name, "arguments": json.dumps(step.arguments)}
        call = {"id": f"call-{len(results)}", "type": "function", "function": function}
        message["tool_calls"] = [call]
    else:
        message["content"] = step
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    answer = {"id": "answer", "object": "chat.completion", "created": 0, "model": asked["model"]}
    return httpx2.Response(200, json=answer | {"choices": [choice]})


async def test_the_agent_goes_on_with_the_good_version() -> None:
    transport = httpx2.MockTransport(said)
    client = OpenAI(api_key="none", http_client=httpx2.Client(transport=transport))
    await see_a_rollback(example.guard, lambda: asyncio.to_thread(example.ask, QUESTION, client))


def test_arguments_that_do_not_fit_are_no_call(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(example.TOOLS, "cut", told.guard.tool(plain))
    assert (
        example.called(
            "cut",
            '{"text": "lamp", "limit": 2}',
        )
        == '"la"'
    )
    for wrong in ('{"text": "lamp", "limit": "two"}', '{"txt": "lamp"}', "{}", "no JSON"):
        assert example.called("cut", wrong).startswith("Error: ")
    assert told.executions == [("plain", None, None)]


def test_the_schema_stays() -> None:
    def schema_of(function: Any) -> Any:
        return TypeAdapter(function).json_schema()

    require_same_schemas(schema_of)
