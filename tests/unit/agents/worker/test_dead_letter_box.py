"""The dead letters of a role: each bad record is counted once, and logged by the second."""

import asyncio
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from agents.dead_letters.box import BadRecord, DeadLetterBox
from schemas.dead_letter import MAX_VALUE_BYTES, DeadLetter
from schemas.settings import load_settings
from streams.unpacking.batches import Headers

TOPIC = "tool-executions"


@dataclass
class BadInput:
    """A record of `tool-executions`."""

    offset: int
    value: bytes | None = b"{"
    partition: int = 0
    timestamp: int = 1_000
    topic: str = TOPIC
    key: bytes | None = b"words"
    headers: Headers = ()


class Box:
    """A box with a clock and a registry of its own."""

    def __init__(self, **settings: Any) -> None:
        self.now_s = 0.0
        self.registry = CollectorRegistry()
        self.box = DeadLetterBox(
            "detector", load_settings(**settings), self.registry, clock=lambda: self.now_s
        )

    def draft(self, *inputs: BadInput) -> Any:
        return self.box.draft(BadRecord(each, "no JSON") for each in inputs)

    def settle(self, *inputs: BadInput) -> list[DeadLetter]:
        draft = self.draft(*inputs)
        self.box.settle(draft)
        return [DeadLetter.from_bytes(each.value) for each in draft.outgoing]

    def counted(self, published: str) -> float:
        labels = {"topic": TOPIC, "cause": "content", "published": published}
        return self.registry.get_sample_value("rollguard_bad_records_total", labels) or 0.0


async def test_beyond_the_allowance_bad_records_are_counted_and_one_in_many_is_kept() -> None:
    box = Box(dead_letter_bytes_per_minute=10_000, dead_letter_one_in=100)
    letters = box.settle(*(BadInput(offset) for offset in range(1_000)))
    assert box.counted("yes") == len(letters)
    assert box.counted("yes") + box.counted("no") == 1_000
    assert 30 < len(letters) < 50
    told = sum(each.unpublished or 0 for each in letters)
    assert told + len(letters) == letters[-1].offset + 1


async def test_each_partition_has_its_own_allowance() -> None:
    box = Box(dead_letter_bytes_per_minute=1_000)
    assert len(box.settle(*(BadInput(offset) for offset in range(100)))) == 4
    assert len(box.settle(BadInput(0, partition=1))) == 1
    box.now_s = 60.0
    [letter] = box.settle(BadInput(100))
    assert letter.unpublished == 96


async def test_a_draft_that_was_not_published_changes_nothing() -> None:
    box = Box(dead_letter_bytes_per_minute=1_000)
    inputs = [BadInput(offset) for offset in range(100)]
    first = box.draft(*inputs)
    assert box.counted("yes") == 0.0
    again = box.draft(*inputs)
    assert [each.key for each in again.outgoing] == [each.key for each in first.outgoing]
    assert again.known == first.known


async def test_a_record_that_is_read_again_is_not_counted_again() -> None:
    box = Box()
    box.settle(BadInput(4), BadInput(5))
    assert box.settle(BadInput(4), BadInput(5), BadInput(6)) != []
    assert box.counted("yes") == 3
    new_topic = BadInput(0, timestamp=2_000)  # the topic was created anew: a later time
    assert len(box.settle(new_topic)) == 1


async def test_a_dead_letter_keeps_64_kib_of_a_value() -> None:
    value = bytes(range(256)) * 4_096
    [letter] = Box().settle(BadInput(7, value))
    assert b64decode(letter.value or "") == value[: 64 * 1024]
    assert MAX_VALUE_BYTES == 64 * 1024
    assert letter.truncated


async def test_the_bad_records_of_a_second_are_one_line_for_each_partition() -> None:
    box = Box(dead_letter_bytes_per_minute=1_000)
    with structlog.testing.capture_logs() as lines:
        for first in (0, 50):
            box.settle(*(BadInput(offset) for offset in range(first, first + 50)))
        box.settle(BadInput(3, partition=1))
        assert lines == []
        await asyncio.sleep(1.2)
    assert [(each["partition"], each["records"], each["published"]) for each in lines] == [
        (0, 100, 4),
        (1, 1, 1),
    ]
    assert lines[0]["offsets"] == "0..99"
    assert lines[0]["error"] == "no JSON"


async def test_what_was_not_logged_yet_is_logged_at_the_end() -> None:
    box = Box()
    with structlog.testing.capture_logs() as lines:
        box.settle(BadInput(1))
        box.box.close()
        box.box.close()
    assert [each["records"] for each in lines] == [1]
