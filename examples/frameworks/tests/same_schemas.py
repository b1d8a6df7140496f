"""Functions of each kind, as tools are written, and what a framework reads of them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field
from rollguard_client import Rollguard


class Colour(Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Order(BaseModel):
    """An order."""

    item: str = Field(description="What is wanted.")
    quantity: int = Field(default=1, ge=1)


@dataclass
class Place:
    """A place."""

    city: str
    country: str = "NL"


def plain(text: str, limit: int = 10) -> str:
    """Cut a text.

    Args:
        text: The text.
        limit: How many characters stay.
    """
    return text[:limit]


async def awaited(text: str, *, loud: bool = False) -> str:
    """Say a text."""
    return text.upper() if loud else text


def with_models(order: Order, places: list[Place], colour: Colour = Colour.RED) -> str:
    """Send an order."""
    return f"{order} {places} {colour}"


def annotated(
    size: Annotated[int, Field(ge=1, le=9, description="The size.")],
    unit: Literal["cm", "inch"] = "cm",
    note: "str | None" = None,
) -> dict[str, int]:
    """Measure."""
    return {f"{unit} {note}": size}


FUNCTIONS: Final[tuple[Callable[..., Any], ...]] = (plain, awaited, with_models, annotated)


def require_same_schemas(
    schema_of: Callable[[Callable[..., Any]], Any], *more: Callable[..., Any]
) -> None:
    """Require that a decorated function looks to a framework as the bare one does.

    ``more`` are functions with parameters that the framework itself passes.
    """
    guard = Rollguard(kafka_brokers="127.0.0.1:1")
    for function in (*FUNCTIONS, *more):
        for decorated in (
            guard.tool(function),
            guard.managed(function.__name__)(function),
        ):
            assert inspect.signature(decorated) == inspect.signature(function)
            assert inspect.get_annotations(decorated) == inspect.get_annotations(function)
            assert inspect.iscoroutinefunction(decorated) == inspect.iscoroutinefunction(function)
            assert schema_of(decorated) == schema_of(function)
