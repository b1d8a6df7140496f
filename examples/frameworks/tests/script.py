"""What the scripted models say: they call two tools, one after the other, and then answer."""

from collections.abc import Sequence
from typing import Final, NamedTuple

QUESTION: Final = "How many lamps have you got, and what do two of them cost?"
ANSWER: Final = "7 in stock, 2 cost 80.0"


class ToolCall(NamedTuple):
    """A tool that the model wants to be called."""

    name: str
    arguments: dict[str, object]


CALLS: Final = (
    ToolCall("stock", {"item": "lamp"}),
    ToolCall("price", {"item": "lamp", "quantity": 2}),
)


def next_step(results: Sequence[object]) -> ToolCall | str:
    """Return what the model says after these results of tools: another call, or the answer."""
    if len(results) < len(CALLS):
        return CALLS[len(results)]
    return f"{results[0]} in stock, 2 cost {results[1]}"
