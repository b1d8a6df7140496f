"""Properties of `compare_code` for all pairs of texts, such as damaged real sources."""

import argparse
import ast
import dataclasses
import enum
import json.decoder
import queue
import selectors
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.breaking.compare import compare_code
from policy.breaking.finding import Finding, is_breaking, sentences
from tests.support.cases import cases

pytestmark = pytest.mark.exhaustive

ROOT: Final = Path(__file__).parents[3]
MODULES: Final[tuple[ModuleType, ...]] = (
    *(argparse, dataclasses, enum, json.decoder, queue, selectors),
)


def excerpts(source: str) -> Iterator[str]:
    """Yield consecutive statements of a module, a hundred lines or more at a time."""
    lines, start = source.split("\n"), 0
    for statement in ast.parse(source).body:
        end = statement.end_lineno or 0
        if end - start > 100:
            yield "\n".join(lines[start:end])
            start = end
    yield "\n".join(lines[start:])


SOURCES: Final = [
    *(excerpt for each in MODULES for excerpt in excerpts(Path(str(each.__file__)).read_text())),
    *(path.read_text() for path in sorted(ROOT.glob("examples/engine/tools/*/v*.py"))),
]
INSERTED: Final = [
    "\0",
    "\ud800",
    "\ufeff",
    "\f",
    "\r",
    "(",
    ")",
    "\t",
    "'",
    '"""',
    "def ",
    "🐍",
    "\\",
]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a real source and a damaged copy of it.

    In the copy, lines or characters are deleted, doubled or swapped, something is inserted, or the
    rest is cut off.
    """
    source = text = draw(st.sampled_from(SOURCES))
    for _ in range(draw(st.integers(1, 3))):
        text = draw(st.sampled_from([_lines, _characters]))(draw, text)
    return source, text


def _lines(draw: st.DrawFn, text: str) -> str:
    return "\n".join(_changed(draw, text.split("\n")))


def _characters(draw: st.DrawFn, text: str) -> str:
    return "".join(_changed(draw, list(text)))


def _changed(draw: st.DrawFn, parts: list[str]) -> list[str]:
    here, there = sorted(draw(st.integers(0, max(0, len(parts) - 1))) for _ in range(2))
    match draw(st.sampled_from(["delete", "double", "swap", "insert", "cut"])):
        case "delete":
            return parts[:here] + parts[here + 1 :]
        case "double":
            return parts[:here] + parts[here : there + 1] + parts[here:]
        case "swap" if parts:
            parts[here], parts[there] = parts[there], parts[here]
        case "insert":
            return [*parts[:here], draw(st.sampled_from(INSERTED)), *parts[here:]]
        case "cut":
            return parts[:there]
    return parts


def check(findings: list[Finding]) -> None:
    assert len(sentences(findings)) <= len(findings)
    for finding in findings:
        finding.sentence.encode()  # Postgres and JSON accept no lone surrogates
        assert finding.sentence.isprintable()
        assert finding.line is None or finding.line >= 1


few = settings(max_examples=cases(250))


@few
@given(st.text(), st.text())
def test_any_text_is_compared(old: str, new: str) -> None:
    check(compare_code(old, new))
    check(compare_code(None, new))


@few
@given(st.text(st.characters(blacklist_categories=()), max_size=20))
def test_any_text_with_surrogates_is_compared(code: str) -> None:
    check(compare_code("X = 1", code))
    check(compare_code(code, "X = 1"))


@few
@given(damaged())
def test_damaged_sources_are_compared(pair: tuple[str, str]) -> None:
    source, text = pair
    check(compare_code(source, text))
    check(compare_code(text, source))


@few
@given(damaged())
def test_the_same_code_breaks_nothing(pair: tuple[str, str]) -> None:
    _, text = pair
    assert compare_code(text, text) == []
    if not is_breaking(compare_code(None, text)):
        assert compare_code(text, text + "\n# a comment\n") == []


@few
@given(damaged())
def test_what_is_added_in_one_direction_is_removed_in_the_other(pair: tuple[str, str]) -> None:
    there, back = compare_code(*pair), compare_code(*reversed(pair))
    if any(each.kind in ("unparseable", "previous_unparseable") for each in there):
        return
    assert objects(there, "added") == objects(back, *REMOVED)
    assert objects(back, "added") == objects(there, *REMOVED)


REMOVED: Final = (
    *("function_removed", "class_removed", "constant_removed", "method_removed"),
    *("attribute_removed", "enum_member_removed"),
)


def objects(findings: list[Finding], *kinds: str) -> set[str]:
    return {
        each.object
        for each in findings
        if each.kind in kinds and not each.object.endswith(".__init__")
    }
