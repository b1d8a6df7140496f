"""A base for objects that are closed at the end of an ``async with``."""

from abc import ABC, abstractmethod
from typing import Self


class ClosesAtExit(ABC):
    """An async context manager that does nothing at the start, and closes itself at the end."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    async def close(self) -> None:
        """Give back what is open."""
