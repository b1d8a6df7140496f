"""Any text is read as an error, however it is made, in time that grows with its length."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures.error_class import class_of, label_of
from schemas.fields import MAX_ERROR_BYTES
from tests.support.cpu_time import reference_seconds

PIECES = st.sampled_from(
    [
        *(
            "\n",
            " ",
            "  ",
            "| ",
            "  | ",
            "+-",
            "  +-+---------------- 1 ----------------\n",
            "E   ",
        ),
        *(
            "TypeError",
            ": ",
            "(",
            ")",
            "[TypeError]",
            "<class '",
            "'>",
            ".",
            "<locals>",
            "\x1b[",
            "0m",
        ),
        *(
            "Traceback (most recent call last)",
            ":\n",
            "  + Exception Group ",
            '  File "',
            "ERROR",
            ":",
        ),
        *(
            "╭─ Traceback (most recent call last) ─╮\n",
            "╭─ Sub-exception #1 ─╮\n",
            "╰─╯\n",
            "│",
            "\\n",
            "Exception ignored ",
            "\nDuring handling of the above exception, another exception occurred:\n",
            "Error: ",
            "FAILED a::b - ",
            "ExceptionGroup('",
            "', [",
            "'",
            "a.py:3: ",
            "2026-01-01",
            "\x1b]",
            "> File ",
            " - ",
        ),
    ]
)


@given(
    st.none() | st.text() | st.lists(PIECES).map("".join),
    st.none() | st.text() | st.lists(PIECES | st.text(max_size=3)).map("".join),
)
def test_any_text_is_read(error_type: str | None, error: str | None) -> None:
    named, label = class_of(error_type, error), label_of(error_type, error)
    assert named is None or class_of(named, None) == named
    assert (named is None) == (label == "")
    assert label_of(label, None) == label


@given(st.lists(PIECES, min_size=1, max_size=4).map("".join), st.lists(PIECES).map("".join))
def test_a_hostile_text_takes_linear_time(repeated: str, before: str) -> None:
    text = before + repeated * (MAX_ERROR_BYTES * 2 // len(repeated))
    begin = process_time()
    label_of(None, text)
    label_of(text, text)
    assert process_time() - begin < 0.2


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[" + "0" * 200_000,
        "ExceptionGroup(''" + "0m" * 100_000,
        "ExceptionGroup('" + "\\'" * 30_000 + "\\",
        "Foo(" + "'\\" * 30_000,
        "\x1b]" * 100_000,
        "a." * 100_000,
        " " * 200_000 + "x",
        "<" * 200_000,
    ],
)
def test_a_long_run_takes_linear_time(text: str) -> None:
    seconds, _ = reference_seconds(lambda: label_of(None, text))
    assert seconds < 0.5
