"""The texts and positions of findings."""

import pytest

from policy.breaking import compare
from policy.breaking.compare import compare_code
from policy.breaking.finding import sentences


def test_the_first_version_breaks_nothing() -> None:
    assert compare_code(None, "def f(): ...") == []
    assert [each.kind for each in compare_code(None, "def f(:")] == ["unparseable"]


def test_a_syntax_error_has_its_line_and_column() -> None:
    [finding] = compare_code("", "x = 1\ny = = 2\n")
    assert (finding.line, finding.column) == (2, 5)
    assert finding.sentence == (
        "The code does not parse (line 2, column 5): SyntaxError: invalid syntax."
    )


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RecursionError(), "it is nested too deeply."),
        (MemoryError(), "it is nested too deeply, or takes too much memory."),
    ],
)
def test_what_python_has_no_room_for(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, why: str
) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr(compare, "read_module", fail)
    [finding] = compare_code("", "x = 1")
    assert finding.sentence.endswith(why)


def test_breaking_sentences_come_first_and_notes_are_left_out() -> None:
    old = "def f(a=1): ...\ndef g(a): ...\ndef h(): ...\n"
    new = "def f(a=2): ...\ndef g(b): ...\ndef h(a=1): ...\n"
    assert sentences(compare_code(old, new)) == [
        "g() calls its parameter 'a' now 'b'.",
        "f() takes 2 where 'a' is not given, which was 1.",
    ]


def test_a_line_is_that_in_the_new_code_or_in_the_old_code_if_removed() -> None:
    old = "\n\ndef gone(): ...\ndef kept(a): ...\n"
    new = "def kept(): ...\n"
    assert [(each.object, each.line) for each in compare_code(old, new)] == [
        ("kept", 1),
        ("gone", 3),
    ]


def test_long_texts_are_cut() -> None:
    [finding] = compare_code("def f(a=1): ...", f"def f(a={'x' * 5000!r}): ...")
    assert finding.new is not None
    assert len(finding.new) == 100
    assert len(finding.sentence) < 300
