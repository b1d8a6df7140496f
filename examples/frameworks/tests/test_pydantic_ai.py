"""Pydantic AI with its own model for tests."""

from typing import Any

from pydantic_ai import RunContext, Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import with_pydantic_ai as example
from tests.same_schemas import require_same_schemas
from tests.scene import see_a_rollback
from tests.script import QUESTION, ToolCall, next_step


def said(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Return what the model says next."""
    parts = [part for message in messages for part in message.parts]
    step = next_step([part.content for part in parts if isinstance(part, ToolReturnPart)])
    if isinstance(step, ToolCall):
        return ModelResponse([ToolCallPart(step.name, step.arguments)])
    return ModelResponse([TextPart(step)])


async def test_the_agent_goes_on_with_the_good_version() -> None:
    await see_a_rollback(example.guard, lambda: example.ask(QUESTION, FunctionModel(said)))


def test_the_schema_stays() -> None:
    def schema_of(function: Any) -> Any:
        return Tool(function).tool_def

    def with_context(context: RunContext[int], text: str) -> str:
        """Use what the framework passes."""
        return f"{context.deps} {text}"

    require_same_schemas(schema_of, with_context)
