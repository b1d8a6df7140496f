"""A server of FastMCP whose tools Rollguard watches, and a client that calls them."""

from fastmcp import Client, FastMCP
from rollguard_client import Rollguard

guard = Rollguard()
shop = FastMCP("shop", instructions="Answers questions about our shop.")


@shop.tool
@guard.tool
def stock(item: str) -> int:
    """Return how many pieces of an item are in stock."""
    return {"desk": 2, "lamp": 7}.get(item, 0)


@shop.tool
@guard.managed("price")
def price(item: str, quantity: int) -> float:
    """Return the price of some pieces of an item."""


async def offer(item: str, quantity: int) -> str:
    """Return an offer, by tools of the server."""
    async with Client(shop) as client:  # or Client("https://…"), for a server elsewhere
        stocked = await client.call_tool("stock", {"item": item})
        cost = await client.call_tool("price", {"item": item, "quantity": quantity})
    return f"{stocked.data} in stock, {quantity} cost {cost.data}"


if __name__ == "__main__":
    shop.run()
