"""What the verbs print into a pipe: whole, unchanged and on one line each; and JSON."""

import json
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard.printing import print_json, print_pairs, print_table
from schemas.printable import printable

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LONG = "TypeError: " + "x y" * 3_000
DATA = ":smile: [bold]it[/bold] [link=x] \\[ " + LONG
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_rows_in_a_pipe_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (("applied at", "command"), "tool", ("error", "items"))
    rows = [(NOON, UUID(int=1), "a\tb", DATA, ["one", "two"]), (None, None, "", "two\nlines", [])]
    print_table(columns, rows, title="all")
    assert capsys.readouterr().out.split("\n") == [
        "all",
        "applied at\tcommand\ttool\terror\titems",
        f"2026-01-31T12:00:00Z\t00000000-0000-0000-0000-000000000001\ta␉b\t{DATA}\tone, two",
        "\t\t\ttwo␊lines\t",
        "",
    ]


def test_values_in_a_pipe_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_pairs({"error": DATA, "is_current": False, "reason": "two\nlines"})
    assert capsys.readouterr().out.split("\n") == [
        f"error       {DATA}",
        "is current  no",
        "reason      two␊lines",
        "",
    ]


def test_long_names_are_not_printed_once_for_each_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    short = {f"{number:x}": 1 for number in range(3_000)}
    for details in ({"K" * 30_000: 1, **short}, {"K" * 30_000: short}):
        print_pairs({"details": details})
        assert len(capsys.readouterr().out) < 1_000_000


@given(VALUES)
def test_json_is_the_same_document_and_obeyed_by_no_terminal(value: Any) -> None:
    with redirect_stdout(StringIO()) as printed:
        print_json(value)
    text = printed.getvalue().removesuffix("\n")
    assert json.loads(text) == value
    assert text.isascii()
    assert printable(text) == text
