"""What holds for all pairs of texts, tried on real sources with damage done to them."""

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

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.breaking.compare import compare_code
from policy.breaking.finding import Finding, is_breaking, sentences

ROOT: Final = Path(__file__).parents[3]
MODULES: Final[tuple[ModuleType, ...]] = (
    *(argparse, dataclasses, enum, json.decoder, queue, selectors),
)


def pieces(source: str) -> Iterator[str]:
    """Consecutive statements of a module, some hundred lines at a time."""
    lines, start = source.split("\n"), 0
    for statement in ast.parse(source).body:
        end = statement.end_lineno or 0
        if end - start > 100:
            yield "\n".join(lines[start:end])
            start = end
    yield "\n".join(lines[start:])


SOURCES: Final = [
    *(piece for each in MODULES for piece in pieces(Path(str(each.__file__)).read_text())),
    *(path.read_text() for path in sorted(ROOT.glob("examples/engine/tools/*/v*.py"))),
]
PIECES: Final = [
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
    """A real source, and the same with lines or characters deleted, doubled or swapped, something
    put in, or the rest cut off.
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
    match draw(st.sampled_from(["delete", "double", "swap", "put", "cut"])):
        case "delete":
            return parts[:here] + parts[here + 1 :]
        case "double":
            return parts[:here] + parts[here : there + 1] + parts[here:]
        case "swap" if parts:
            parts[here], parts[there] = parts[there], parts[here]
        case "put":
            return [*parts[:here], draw(st.sampled_from(PIECES)), *parts[here:]]
        case "cut":
            return parts[:there]
    return parts


def check(findings: list[Finding]) -> None:
    assert len(sentences(findings)) <= len(findings)
    for finding in findings:
        finding.sentence.encode()  # Postgres and JSON take no lone surrogates
        assert finding.sentence.isprintable()
        assert finding.line is None or finding.line >= 1


few = settings(max_examples=250, suppress_health_check=list(HealthCheck), deadline=None)


@few
@given(st.text(), st.text())
def test_any_text_gets_an_answer(old: str, new: str) -> None:
    check(compare_code(old, new))
    check(compare_code(None, new))


@few
@given(st.text(st.characters(blacklist_categories=()), max_size=20))
def test_surrogates_and_all_get_an_answer(code: str) -> None:
    check(compare_code("X = 1", code))
    check(compare_code(code, "X = 1"))


@few
@given(damaged())
def test_damaged_sources_get_an_answer(pair: tuple[str, str]) -> None:
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
def test_what_is_added_one_way_is_removed_the_other(pair: tuple[str, str]) -> None:
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
