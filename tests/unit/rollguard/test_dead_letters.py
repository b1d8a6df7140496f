"""Which bad records are asked for, and how often each was rejected."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.replays import RecordPosition
from rollguard.operations.dead_letters.bad_records import (
    BadRecords,
    DeadLetterFilter,
    parse_position,
)
from rollguard.operations.dead_letters.replay_checks import require_not_replayed
from schemas.dead_letter import DeadLetter
from schemas.errors import Rejected
from schemas.settings import only_these_settings

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LETTERS = "p-dead-letters"


def dead_letter(offset: int, minute: int, **fields: Any) -> DeadLetter:
    given: dict[str, Any] = {
        "role": "detector",
        "topic": "p-tool-executions",
        "partition": 1,
        "offset": offset,
        "key": "cGFyc2Vy",  # parser
        "error": f"cause {minute}",
        "rejected_at": NOON + timedelta(minutes=minute),
    }
    return DeadLetter(**(given | fields))


@pytest.fixture
def found() -> BadRecords:
    """Record 1 was rejected three times, in whatever order the dead letters were read."""
    found = BadRecords()
    dead_letters = [
        dead_letter(1, 5),
        dead_letter(2, 7, key=None, topic="p-tool-deployments"),
        dead_letter(1, 9),
        dead_letter(3, 1, key="//8="),
        dead_letter(1, 2),
    ]
    for number, each in enumerate(dead_letters):
        found.add(RecordPosition(LETTERS, 0, number), each)
    return found


def test_each_bad_record_is_told_once(found: BadRecords) -> None:
    first, second, third = DeadLetterFilter().matching(found, "p-")
    assert (first.position.offset, second.position.offset, third.position.offset) == (1, 2, 3)
    assert (first.times, first.error, first.dead_letter) == (
        3,
        "cause 9",
        RecordPosition(LETTERS, 0, 2),
    )
    assert first.first_rejected_at == NOON + timedelta(minutes=2)
    assert [each.key_text for each in (first, second, third)] == ["parser", None, None]


@pytest.mark.parametrize(
    ("wanted", "offsets"),
    [
        (DeadLetterFilter(topic="tool-executions"), [1, 3]),
        (DeadLetterFilter(topic="p-tool-executions"), [1, 3]),
        (DeadLetterFilter(topic="executions"), []),
        (DeadLetterFilter(tool="parser"), [1]),
        (DeadLetterFilter(error="cause 7"), [2]),
        (DeadLetterFilter(error="cause 5"), []),  # of the newest dead letter
        (DeadLetterFilter(since=NOON + timedelta(minutes=7)), [1, 2]),
        (DeadLetterFilter(position=RecordPosition("p-tool-executions", 1, 3)), [3]),
    ],
)
def test_what_is_wanted(found: BadRecords, wanted: DeadLetterFilter, offsets: list[int]) -> None:
    assert [each.position.offset for each in wanted.matching(found, "p-")] == offsets


def test_a_position_as_text() -> None:
    for position in (RecordPosition("t", 0, 0), RecordPosition("a:b", 2**31 - 1, 2**63 - 1)):
        assert parse_position(str(position)) == position


@pytest.mark.parametrize(
    "text",
    ["", "t", "t:1", ":1:2", "t:-1:2", "t:1:-2", "t:01:2", "t:1: 2", "t:١:2", "t:1:2.0",
     f"t:{2**31}:0", f"t:0:{2**63}"],
)  # fmt: skip
def test_what_is_no_position(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (int has texts of its own)
        parse_position(text)


def test_each_receiver_that_was_not_told_is_named() -> None:
    found = BadRecords()
    for minute, error in enumerate(("'ops' refuses", "'chat' is gone", "'ops' refuses")):
        letter = dead_letter(1, minute, role="notifier", error=error)
        found.add(RecordPosition(LETTERS, 0, minute), letter)
    [record] = found.by_position.values()
    assert (record.error, record.times) == ("'ops' refuses; 'chat' is gone", 3)


async def test_what_nobody_was_told_is_not_replayed() -> None:
    """It would be told to everybody again, and engines would take it for a new outcome."""
    settings = only_these_settings(topic_prefix="p-")
    found = BadRecords()
    letter = dead_letter(1, 1, role="notifier", topic="p-rollback-outcomes")
    found.add(RecordPosition(LETTERS, 0, 1), letter)
    [record] = found.by_position.values()
    with pytest.raises(Rejected, match="old news"):
        await require_not_replayed(None, settings, record)  # type: ignore[arg-type]
