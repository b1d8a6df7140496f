"""An agent of Pydantic AI whose tools Rollguard watches."""

from pydantic_ai import Agent
from pydantic_ai.models import Model
from rollguard_client import Rollguard

guard = Rollguard()


@guard.tool
def stock(item: str) -> int:
    """Return how many pieces of an item are in stock."""
    return {"desk": 2, "lamp": 7}.get(item, 0)


@guard.managed("price")
def price(item: str, quantity: int) -> float:
    """Return the price of some pieces of an item."""


async def ask(question: str, model: str | Model = "openai:gpt-5") -> str:
    """Return what the agent answers."""
    assistant = Agent(model, instructions="Answer questions about our shop.", tools=[stock, price])
    result = await assistant.run(question)
    return result.output
