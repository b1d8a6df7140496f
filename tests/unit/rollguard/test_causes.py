"""Bad records by their causes."""

from datetime import timedelta

import pytest

from db.replays import RecordPosition
from rollguard.operations.dead_letters.bad_records import BadRecord, BadRecords, DeadLetterFilter
from rollguard.operations.dead_letters.cause_texts import MAX_CAUSE, cause_of
from rollguard.operations.dead_letters.causes import causes_of
from tests.support.inputs.hostile import NOON


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("execution_id: Field required", "execution_id: Field required"),
        ("the key is 'a', and tool_name \"b's\"", "the key is …, and tool_name …"),
        ("no version 17 of 0b4c9bfa-1c8e-4b52-9a35-6f1df2f6a3de", "no version … of …"),
        ("61.5 s ahead of 2026-01-31T12:00:00Z", "… s ahead of …"),
        ("utf8 of v2 stays", "utf8 of v2 stays"),
        ("x" * 5_000, "x" * MAX_CAUSE),
        ("'" * 10_000, "…" * MAX_CAUSE),
    ],
)
def test_what_differs_is_left_out(error: str, cause: str) -> None:
    assert cause_of(error) == cause


def bad(offset: int, error: str, *, key: bytes | None = b"a", topic: str = "t") -> BadRecord:
    at = NOON + timedelta(seconds=offset)
    return BadRecord(
        position=RecordPosition(topic, 0, offset),
        role="detector",
        error=error,
        key=key,
        truncated=False,
        first_rejected_at=at,
        rejected_at=at,
        times=1,
        dead_letter=RecordPosition("dead-letters", 0, offset),
        unpublished=1,
    )


def test_records_with_the_same_cause_are_one_line() -> None:
    records = [
        bad(1, "no version 1"),
        bad(2, "not JSON"),
        bad(3, "no version 2", key=b"b"),
        bad(4, "no version 3", key=b"\xff"),
        bad(5, "no version 3", topic="u"),
    ]
    found = causes_of(records)
    assert [(each.cause, each.topic, each.records) for each in found] == [
        ("no version …", "u", 1),
        ("no version …", "t", 3),
        ("not JSON", "t", 1),
    ]
    several = found[1]
    assert (several.tools, several.unpublished) == (["a", "b"], 3)
    assert several.newest is records[3]
    assert several.first_rejected_at == NOON + timedelta(seconds=1)
    assert several.data()["newest"] == "t:0:4"
    wanted = DeadLetterFilter(cause="no version …", topic="t")
    listed = BadRecords({each.position: each for each in records})
    assert wanted.matching(listed, "") == [records[3], records[2], records[0]]
