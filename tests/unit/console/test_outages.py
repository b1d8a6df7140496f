"""Outages as events: what began and what is over between two looks."""

from typing import Any

from console.events.outages import Outages


class SaidOutages:
    """A detector that says what a test wants."""

    def __init__(self) -> None:
        self.partitions: list[dict[str, Any]] = []

    async def ask(self, _path: str) -> dict[str, Any]:
        return {"partitions": self.partitions, "unanswered": []}


def said(partition: int, since: str | None) -> dict[str, Any]:
    return {"partition": partition, "since": since, "tools": 9, "failing": 8}


async def test_what_began_and_what_is_over() -> None:
    detector = SaidOutages()
    outages = Outages(detector)  # type: ignore[arg-type]
    detector.partitions = [said(0, None), said(1, "a")]
    assert await outages.look() == [{"status": "began", **said(1, "a")}]
    assert await outages.look() == []
    detector.partitions = [said(0, None)]  # the detector of partition 1 does not answer
    assert await outages.look() == []
    assert list(outages.lasting) == [1]
    detector.partitions = [said(0, "b"), said(1, "c")]
    assert await outages.look() == [
        {"status": "over", "partition": 1, "since": "a"},
        {"status": "began", **said(0, "b")},
        {"status": "began", **said(1, "c")},
    ]
    detector.partitions = [said(0, None), said(1, None)]
    assert await outages.look() == [
        {"status": "over", "partition": 0, "since": "b"},
        {"status": "over", "partition": 1, "since": "c"},
    ]
    assert outages.lasting == {}
