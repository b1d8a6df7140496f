"""Outages, as the detectors see them: which began and which are over."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from rollguard.operations.overview.detector import DetectorClient

EVERY_S: Final = 3.0
"""How often the detectors are asked while somebody listens."""


class OutagesNow(NamedTuple):
    """The outages that last, and what is not known of them."""

    lasting: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


async def outages_of(detector: DetectorClient) -> OutagesNow:
    """Return the outages that last, as the detectors say. Raises RollguardError if none answers."""
    notes: list[str] = []
    answer = await detector.ask("/outages", notes.append)
    notes += [f"some outages are not known: {each}" for each in answer["unanswered"]]
    return OutagesNow([each for each in answer["partitions"] if each["since"]], notes)


class Outages:
    """The outages that last, by partition."""

    def __init__(self, detector: DetectorClient) -> None:
        self._detector = detector
        self.lasting: Mapping[int, dict[str, Any]] = {}

    async def look(self) -> list[dict[str, Any]]:
        """Return what changed since the last look. Raises RollguardError if nobody answers.

        Of a partition whose detector does not answer, nothing is said.
        """
        answer = await self._detector.ask("/outages")
        known = {each["partition"] for each in answer["partitions"]}
        found = {each["partition"]: each for each in answer["partitions"] if each["since"]}
        before = self.lasting
        self.lasting = {
            number: each for number, each in before.items() if number not in known
        } | found
        return [
            *(
                {"status": "over", "partition": number, "since": each["since"]}
                for number, each in before.items()
                if not _is_same(each, self.lasting.get(number))
            ),
            *(
                began(each)
                for number, each in found.items()
                if not _is_same(each, before.get(number))
            ),
        ]


def began(outage: Mapping[str, Any]) -> dict[str, Any]:
    """Return an outage as an event that says that it lasts."""
    return {"status": "began", **outage}


def _is_same(outage: Mapping[str, Any], other: Mapping[str, Any] | None) -> bool:
    return other is not None and outage["since"] == other["since"]
