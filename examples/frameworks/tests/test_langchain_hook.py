"""The callback handler: each call once, also beside the decorator."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.errors import GraphInterrupt
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel
from rollguard_client.hooks.langchain import RollguardCallbackHandler

from tests.told import Told


class Wanted(BaseModel):
    """What one of the tools makes of its argument."""

    number: int


def shout(text: str) -> str:
    """Say it loud; only a few texts can be said."""
    return {"a": "A", "b": "B"}[text]


async def whisper(text: str) -> str:
    """Say it low."""
    return {"A": "a"}[text]


def parse(text: str) -> str:
    """Make something of a text that its model may refuse."""
    return str(Wanted.model_validate({"number": text}))


def stopped(text: str) -> str:
    """Wait for a person."""
    raise GraphInterrupt


def careful(text: str) -> str:
    """Fail as LangChain has it."""
    raise ToolException(f"no {text}")


async def call(told: Told, tools: list[Any], *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """Call tools at once, as a graph does whose model wants them; return the messages."""
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode(tools, handle_tool_errors=True))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    wanted = [
        {"name": name, "args": arguments, "id": f"call-{number}"}
        for number, (name, arguments) in enumerate(calls)
    ]
    config: Any = {"callbacks": [RollguardCallbackHandler(told.guard)]}
    asked: Any = {"messages": [AIMessage("", tool_calls=wanted)]}
    state = await graph.compile().ainvoke(asked, config)
    return [each.content for each in state["messages"][1:]]


@pytest.mark.parametrize("is_decorated", [True, False])
async def test_each_call_is_published_once(told: Told, is_decorated: bool) -> None:
    def made(function: Callable[..., Any]) -> BaseTool:
        return tool(told.guard.tool(function) if is_decorated else function)

    tools = [made(shout), made(whisper), made(parse)]
    said = await call(told, tools, *(("shout", {"text": each}) for each in "abc"))
    assert said[:2] == ["A", "B"]
    assert sorted(told.executions, key=str) == [
        ("shout", "KeyError", None),
        ("shout", None, None),
        ("shout", None, None),
    ]
    told.put.clear()
    await call(told, tools, ("whisper", {"text": "A"}))
    await call(told, tools, ("whisper", {"text": "B"}))
    # What the model of a tool refuses is a failure of the tool.
    await call(told, tools, ("parse", {"text": "no number"}))
    kind = "pydantic_core._pydantic_core.ValidationError"
    assert told.executions == [
        ("whisper", None, None),
        ("whisper", "KeyError", None),
        ("parse", kind, None),
    ]
    told.put.clear()
    # Arguments that the schema refuses are none.
    await call(told, tools, ("shout", {"wrong": "a"}), ("whisper", {}))
    assert told.executions == []


def test_without_a_loop(told: Told) -> None:
    handler = RollguardCallbackHandler(told.guard)
    config: Any = {"callbacks": [handler]}
    assert tool(shout).invoke({"text": "a"}, config) == "A"
    assert tool(told.guard.tool("loud")(shout)).invoke({"text": "a"}, config) == "A"
    with pytest.raises(KeyError):
        tool(shout).invoke({"text": "c"}, config)
    assert told.executions == [
        ("shout", None, None),
        ("loud", None, None),
        ("shout", "KeyError", None),
    ]


def test_an_error_that_becomes_a_message_is_a_failure(told: Told) -> None:
    config: Any = {"callbacks": [RollguardCallbackHandler(told.guard)]}
    made = tool(careful)
    made.handle_tool_error = True
    wanted = {"name": "careful", "args": {"text": "x"}, "id": "1", "type": "tool_call"}
    assert made.invoke(wanted, config).content == "no x"
    (failure,) = told.put
    assert failure.failure.error == "no x"


@pytest.mark.parametrize("is_decorated", [True, False])
def test_who_waits_for_a_person_has_not_failed(told: Told, is_decorated: bool) -> None:
    made = tool(told.guard.tool(stopped) if is_decorated else stopped)
    config: Any = {"callbacks": [RollguardCallbackHandler(told.guard)]}
    with pytest.raises(GraphInterrupt):
        made.invoke({"text": "x"}, config)
    assert told.executions == [("stopped", "langgraph.errors.GraphInterrupt", "caller")]


def test_a_tool_that_uses_another_one_is_published_too(told: Told) -> None:
    inner = tool(told.guard.tool(shout))

    @tool
    def outer(text: str) -> str:
        """Use another tool."""
        return str(inner.invoke({"text": text}))

    config: Any = {"callbacks": [RollguardCallbackHandler(told.guard)]}
    assert outer.invoke({"text": "a"}, config) == "A"
    assert told.executions == [("shout", None, None), ("outer", None, None)]


@pytest.mark.parametrize("name", ["", "\ud800", "a\0b", "x" * 256])
def test_a_name_that_no_tool_can_have_disturbs_no_call(told: Told, name: str) -> None:
    handler = RollguardCallbackHandler(told.guard)
    run_id = uuid4()
    handler.on_tool_start({"name": name}, "", run_id=run_id)
    handler.on_tool_end("result", run_id=run_id)
    handler.on_tool_error(ValueError(), run_id=run_id)
    assert told.executions == []
