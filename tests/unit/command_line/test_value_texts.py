"""Values as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from uuid import UUID

import pytest

from rollguard.value_texts import named, percent, value_text, version_text

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        ({}, "-"),
        (nan, "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1234567, "1234567"),
        (12.0, "12"),
        (0.1 + 0.2, "0.3"),
        (3.25e24, "3.25e+24"),
        (inf, "inf"),
        (NOON, "2026-01-31T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-01-31T12:00:00Z"),
        (NOON + timedelta(microseconds=5), "2026-01-31T12:00:00Z"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ({"a": None, "b": [True, {"c_d": 1}]}, "a -, b (yes, (c d 1))"),
        (("x\n", 2), "x␊, 2"),
    ],
)
def test_a_value_for_a_person(value: object, text: str) -> None:
    assert value_text(value) == text


def test_a_version_and_a_rate() -> None:
    assert version_text(2, 7) == "v2 (id 7)"
    assert (version_text(2, None), version_text(None, 7)) == ("v2", "id 7")
    assert version_text(None, None) == "-"
    assert (percent(0.975), percent(None), percent(nan)) == ("97.5 %", "-", "-")


def test_each_value_has_a_line_of_its_own() -> None:
    assert named(
        {
            "is_current": True,
            "breaks": ["one\n", "two"],
            "details": {"success_rate": 0.25, "baseline": {"executions": 4}, "none": {}},
        }
    ) == [
        ("is current", "yes"),
        ("breaks", "one␊"),
        ("breaks", "two"),
        ("details: success rate", "25.0 %"),
        ("details: baseline: executions", "4"),
        ("details: none", "-"),
    ]


def test_a_name_is_escaped_and_a_long_one_is_cut() -> None:
    [(name, _)] = named({"details": {"a\x1b[2J\n": 1}})
    assert name == "details: a␛[2J␊"
    [(name, _)] = named({"details": {"n" * 1_000: {"inner": 1}}})
    assert len(name) == 201
