"""The reading of a console's answers: each becomes the object that it was before it was JSON."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from rollguard_client.http.console import Console
from rollguard_client.http.problems import other_version
from schemas.errors import RollguardError
from schemas.message import explain

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_PAGE: Final = 500
"""How many items a page has at most; a list of versions, which have code, has its own limit."""


class Answers:
    """What a console answers, read as what this program knows.

    An answer that cannot be read is Misconfigured: the console is of another version.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    async def get(self, path: str, read: Callable[[Any], T], **query: Any) -> T:
        """Return what ``read`` makes of the answer to a question."""
        return self.understood(read, await self.console.get(path, **query))

    async def all_pages(
        self, path: str, name: str, limit: int | None = None, *, page: int = _PAGE, **query: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the pages of a list until ``limit`` items of it, those called ``name``, came."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = page if left is None else min(page, left)
            found = await self.console.get(path, **query, limit=size, cursor=cursor)
            yield found
            items, cursor = self.understood(lambda each: (each[name], each["next_cursor"]), found)
            if cursor is None:
                return
            left = None if left is None else left - len(items)

    async def items(
        self, path: str, name: str, model: type[M], limit: int | None = None, **query: Any
    ) -> list[M]:
        """Return the items of a list, at most ``limit`` of them."""
        found: list[M] = []
        async for page in self.all_pages(path, name, limit, **query):
            found += self.understood(lambda each: [one(model, item) for item in each[name]], page)
        return found[:limit]

    def understood(self, read: Callable[[Any], T], data: Any) -> T:
        """Return what ``read`` makes of the data. Raises Misconfigured if it cannot be read."""
        try:
            return read(data)
        except RollguardError:
            raise
        except ValidationError as error:
            raise other_version(self.console.url, explain(error)) from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise other_version(self.console.url, repr(error)) from error


def one(model: type[M], data: Any) -> M:
    """Return the object that this JSON describes. Raises ValidationError."""
    return model.model_validate_json(json.dumps(data))


def any_of(adapter: TypeAdapter[T], data: Any) -> T:
    """Return what this JSON describes, by a type that is no model. Raises ValidationError."""
    return adapter.validate_json(json.dumps(data))
