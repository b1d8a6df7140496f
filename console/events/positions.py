"""Where a listener is in the two topics of outcomes: the id of an event."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

Source = Literal["rollbacks", "deployments"]
"""One of the two topics."""
Place = tuple[Source, int]
"""A partition of one of the topics."""

SOURCES: Final[tuple[Source, ...]] = ("rollbacks", "deployments")
_TEXT: Final = re.compile(
    r"r((?:\d{1,19}(?:\.\d{1,19})*)?)-d((?:\d{1,19}(?:\.\d{1,19})*)?)", re.ASCII
)
MAX_TEXT: Final = 8_192
"""The longest id that is read. 10,000 partitions would need more: then nothing is resumed."""


@dataclass(frozen=True)
class Positions:
    """The offset of the next record of each partition."""

    offsets: Mapping[Place, int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the positions that an id stands for. Raises ValueError for any other text."""
        found = _TEXT.fullmatch(text) if len(text) <= MAX_TEXT else None
        if found is None:
            raise ValueError("not the id of an event")
        return cls(
            {
                (source, partition): int(offset)
                for source, numbers in zip(SOURCES, found.groups(), strict=True)
                for partition, offset in enumerate(numbers.split(".") if numbers else ())
            }
        )

    def after(self, place: Place, offset: int) -> "Positions":
        """Return the positions after the record with this offset was sent."""
        return Positions({**self.offsets, place: max(self.of(place), offset + 1)})

    def of(self, place: Place) -> int:
        """Return the offset of the next record of a partition; 0 if it is not known."""
        return self.offsets.get(place, 0)

    def of_source(self, source: Source) -> dict[int, int]:
        """Return the offsets of one topic, by partition."""
        return {number: offset for (each, number), offset in self.offsets.items() if each == source}

    @property
    def text(self) -> str:
        """The id."""
        rollbacks, deployments = (
            ".".join(str(self.of((source, number))) for number in range(self._count(source)))
            for source in SOURCES
        )
        return f"r{rollbacks}-d{deployments}"

    def _count(self, source: Source) -> int:
        return max((number + 1 for each, number in self.offsets if each == source), default=0)
