"""Function calling as the OpenAI API has it, without a framework; Rollguard watches the tools."""

import json
from typing import Any

from openai import OpenAI
from pydantic import TypeAdapter, validate_call
from rollguard_client import Rollguard

guard = Rollguard()


@guard.tool
def stock(item: str) -> int:
    """Return how many pieces of an item are in stock."""
    return {"desk": 2, "lamp": 7}.get(item, 0)


@guard.managed("price")
def price(item: str, quantity: int) -> float:
    """Return the price of some pieces of an item."""


TOOLS: dict[str, Any] = {tool.__name__: tool for tool in (stock, price)}
SCHEMAS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": tool.__doc__,
            "parameters": TypeAdapter(tool).json_schema(),
        },
    }
    for name, tool in TOOLS.items()
]


def ask(question: str, client: OpenAI | None = None, model: str = "gpt-5") -> str:
    """Return what the model answers, after it has called the tools that it wants."""
    messages: list[Any] = [{"role": "user", "content": question}]
    client = client or OpenAI()
    while True:
        answer = client.chat.completions.create(model=model, messages=messages, tools=SCHEMAS)
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message)
        for call in message.tool_calls:
            if call.type == "function":
                result = called(call.function.name, call.function.arguments)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def called(name: str, arguments: str) -> str:
    """Call a tool. Rollguard has seen its error already when the model is told of it."""
    try:
        # Arguments that do not fit are the model's mistake, and do not reach the tool.
        return json.dumps(validate_call(TOOLS[name])(**json.loads(arguments)))
    except Exception as error:
        return f"Error: {error}"
