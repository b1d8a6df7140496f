"""Pydantic AI with its own model for tests."""

from typing import Any

import pytest
from pydantic_ai import Agent, DeferredToolRequests, RunContext, Tool
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import with_pydantic_ai as example
from tests.same_schemas import plain, require_same_schemas
from tests.scene import see_a_rollback
from tests.script import QUESTION, ToolCall, next_step
from tests.told import Told


def said(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Return what the model says next."""
    parts = [part for message in messages for part in message.parts]
    step = next_step([part.content for part in parts if isinstance(part, ToolReturnPart)])
    if isinstance(step, ToolCall):
        return ModelResponse([ToolCallPart(step.name, step.arguments)])
    return ModelResponse([TextPart(step)])


async def test_the_agent_goes_on_with_the_good_version() -> None:
    await see_a_rollback(example.guard, lambda: example.ask(QUESTION, FunctionModel(said)))


async def test_arguments_that_do_not_fit_are_no_call(told: Told) -> None:
    def says(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([ToolCallPart("plain", {"text": "lamp", "limit": "two"})])
        return ModelResponse([TextPart("done")])

    agent = Agent(FunctionModel(says), tools=[told.guard.tool(plain)])
    assert (await agent.run(QUESTION)).output == "done"
    assert told.executions == []


@pytest.mark.parametrize("kind", [CallDeferred, ApprovalRequired])
async def test_who_waits_for_a_person_has_not_failed(told: Told, kind: type[Exception]) -> None:
    def waiting(text: str) -> str:
        """Wait for a person."""
        raise kind

    model = FunctionModel(lambda *_: ModelResponse([ToolCallPart("waiting", {"text": "a"})]))
    tools = [told.guard.tool(waiting)]
    agent = Agent(model, tools=tools, output_type=[str, DeferredToolRequests])
    await agent.run(QUESTION)
    assert told.executions == [("waiting", f"pydantic_ai.exceptions.{kind.__name__}", "caller")]


def test_the_schema_stays() -> None:
    def schema_of(function: Any) -> Any:
        return Tool(function).tool_def

    def with_context(context: RunContext[int], text: str) -> str:
        """Use what the framework passes."""
        return f"{context.deps} {text}"

    require_same_schemas(schema_of, with_context)
