"""Values as people read them, and the one escape for what comes from outside."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard.value_texts import named, percent, printable, value_text, version_text

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""The categories of characters that a terminal obeys or does not show."""
JOINERS = "\u200c\u200d"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("工具 👩‍💻 \u3000wide :smile: [bold]x[/]", "工具 👩‍💻 \u3000wide :smile: [bold]x[/]"),
        ("a\r\n\tb", "a␍␊␉b"),
        ("\x1b[31mred\x07", "␛[31mred␇"),
        ("\u202egnp.exe\u2069\u200f\u061c", "\\u202egnp.exe\\u2069\\u200f\\u061c"),
        ("\x7f\x9b2J\0\x85", "\\u007f\\u009b2J␀\\u0085"),
        ("a\u2028b\ufeff\u200b", "a\\u2028b\\ufeff\\u200b"),
        ("\udcff\U000e0041", "\\udcff\\U000e0041"),
    ],
)  # fmt: skip
def test_a_text_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_is_obeyed_is_left(text: str) -> None:
    shown = printable(text)
    assert [each for each in shown if unicodedata.category(each) in OBEYED] == [
        each for each in text if each in JOINERS
    ]
    assert printable(shown) == shown
    assert len(printable(text, keep_lines=True).split("\n")) == len(text.split("\n"))


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
