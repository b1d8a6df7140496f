"""An agent of LangChain, which is a graph of LangGraph, whose tools Rollguard watches."""

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from rollguard_client import Rollguard

guard = Rollguard()


@tool
@guard.tool
def stock(item: str) -> int:
    """Return how many pieces of an item are in stock."""
    return {"desk": 2, "lamp": 7}.get(item, 0)


@tool
@guard.managed("price")
def price(item: str, quantity: int) -> float:
    """Return the price of some pieces of an item."""


async def ask(question: str, model: str | BaseChatModel = "openai:gpt-5") -> str:
    """Return what the agent answers."""
    assistant = create_agent(
        model, tools=[stock, price], system_prompt="Answer questions about our shop."
    )
    state = await assistant.ainvoke({"messages": [HumanMessage(question)]})
    return str(state["messages"][-1].content)
