"""An agent of the OpenAI Agents SDK (`openai-agents`) whose tools Rollguard watches."""

from agents import Agent, Model, Runner, function_tool
from rollguard_client import Rollguard

guard = Rollguard()


@function_tool
@guard.tool
def stock(item: str) -> int:
    """Return how many pieces of an item are in stock."""
    return {"desk": 2, "lamp": 7}.get(item, 0)


@function_tool
@guard.managed("price")
def price(item: str, quantity: int) -> float:
    """Return the price of some pieces of an item."""


async def ask(question: str, model: str | Model = "gpt-5") -> str:
    """Return what the agent answers."""
    assistant = Agent(
        name="shop assistant",
        instructions="Answer questions about our shop.",
        tools=[stock, price],
        model=model,
    )
    result = await Runner.run(assistant, question)
    return str(result.final_output)
