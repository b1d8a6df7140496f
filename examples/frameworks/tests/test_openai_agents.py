"""openai-agents with its own scripted model."""

from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool, set_tracing_disabled
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call

import with_openai_agents as example
from tests.same_schemas import plain, require_same_schemas
from tests.scene import see_a_rollback
from tests.script import QUESTION, ToolCall, next_step
from tests.told import Told

set_tracing_disabled(True)


def scripted() -> ScriptedModel:
    """Return a model for one question."""

    def said(call: Any) -> Any:
        results = [
            each["output"]
            for each in call.input
            if isinstance(each, dict) and each.get("type") == "function_call_output"
        ]
        step = next_step(results)
        if isinstance(step, ToolCall):
            return [function_call(step.name, step.arguments, call_id=f"call-{len(results)}")]
        return [assistant_message(step)]

    return ScriptedModel(ModelStep.respond(said) for _ in range(3))


async def test_the_agent_goes_on_with_the_good_version() -> None:
    # The framework tells the model, and its own traces, nothing of the exception.
    error = "An error occurred while running the tool"
    await see_a_rollback(example.guard, lambda: example.ask(QUESTION, scripted()), error)


async def test_arguments_that_do_not_fit_are_no_call(told: Told) -> None:
    wrong = [function_call("plain", {"text": "lamp", "limit": "two"}, call_id="call")]
    model = ScriptedModel([wrong, [assistant_message("done")]])
    agent = Agent(name="a", tools=[function_tool(told.guard.tool(plain))], model=model)
    assert (await Runner.run(agent, QUESTION)).final_output == "done"
    assert told.executions == []


def test_the_schema_stays() -> None:
    def schema_of(function: Any) -> Any:
        tool = function_tool(function)
        return tool.name, tool.description, tool.params_json_schema

    def with_context(context: RunContextWrapper[int], text: str) -> str:
        """Use what the framework passes."""
        return f"{context.context} {text}"

    require_same_schemas(schema_of, with_context)
