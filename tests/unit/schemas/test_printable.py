"""The one escape for what comes from outside."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.printable import printable
from tests.support.inputs.hostile import HOSTILE, OBEYED, TEXT


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


JOINED = {
    "Persian": "می\u200cخواهم",
    "Hindi, joined": "क्\u200dष",
    "Hindi, not joined": "क्\u200cष",
    "a family": "👩\u200d👩\u200d👧",
    "with a colour of skin": "👩🏽\u200d💻",
    "with the sign for emoji": "❤\ufe0f\u200d🔥",
}


@pytest.mark.parametrize("language", JOINED)
def test_a_joiner_stays_where_it_joins(language: str) -> None:
    assert printable(JOINED[language]) == JOINED[language]


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
@pytest.mark.parametrize(("before", "after"), [("", ""), ("wo", "rds"), ("工", "具"), ("a", "👩")])
def test_a_joiner_that_joins_nothing_is_seen(joiner: str, before: str, after: str) -> None:
    escaped = f"\\u{ord(joiner):04x}"
    assert printable(f"{before}{joiner}{after}") == f"{before}{escaped}{after}"


def test_no_hostile_character_is_left() -> None:
    assert len(HOSTILE) > 200
    assert not HOSTILE.intersection(printable(TEXT))
    assert HOSTILE.intersection(printable(TEXT, keep_lines=True)) == {"\n", "\t"}


@given(st.text(st.characters() | st.sampled_from("\u200c\u200dم👩\u094d")))
def test_nothing_that_is_obeyed_is_left(text: str) -> None:
    shown = printable(text)
    assert {each for each in shown if unicodedata.category(each) in OBEYED} <= {"\u200c", "\u200d"}
    assert printable(shown) == shown
    assert len(printable(text, keep_lines=True).split("\n")) == len(text.split("\n"))
