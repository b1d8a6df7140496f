"""LangChain and LangGraph with LangChain's own fake model."""

from collections.abc import Sequence
from typing import Any

from langchain.tools import ToolRuntime
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

import with_langchain as example
from tests.same_schemas import require_same_schemas
from tests.scene import see_a_rollback
from tests.script import QUESTION, ToolCall, next_step


class Scripted(FakeMessagesListChatModel):
    """A model that says the next step, whatever it is asked."""

    responses: list[BaseMessage] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], *_args: Any, **_kwargs: Any) -> ChatResult:
        results = [each.content for each in messages if isinstance(each, ToolMessage)]
        step = next_step(results)
        if isinstance(step, ToolCall):
            call = {"name": step.name, "args": step.arguments, "id": f"call-{len(results)}"}
            said = AIMessage("", tool_calls=[call])
        else:
            said = AIMessage(step)
        return ChatResult(generations=[ChatGeneration(message=said)])

    def bind_tools(self, tools: Sequence[Any], **_kwargs: Any) -> Any:
        """Know the tools already."""
        return self


async def test_the_agent_goes_on_with_the_good_version() -> None:
    await see_a_rollback(example.guard, lambda: example.ask(QUESTION, Scripted()))


def test_the_schema_stays() -> None:
    def schema_of(function: Any) -> Any:
        made = tool(function)
        return convert_to_openai_tool(made), made.tool_call_schema.model_json_schema()

    def with_runtime(runtime: ToolRuntime, text: str) -> str:
        """Use what the framework passes."""
        return f"{runtime.tool_call_id} {text}"

    require_same_schemas(schema_of, with_runtime)
