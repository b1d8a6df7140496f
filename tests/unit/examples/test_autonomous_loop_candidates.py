"""The candidates: each does what the manifest expects, on real files, in real processes."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from examples.autonomous_loop.manifest import Candidate, load_candidates
from examples.autonomous_loop.orchestrator import FILES as FILES_IN_TURN
from examples.autonomous_loop.trial_runner import SURVIVED_RUNS
from examples.engine.catalogue import TOOLS
from examples.engine.files import stdlib_files
from tests.support.cases import cases
from tests.support.engines.tool_process import errors_on, running_tool

CANDIDATES = load_candidates()
FILES = stdlib_files()[:FILES_IN_TURN]
NON_ASCII = [path for path in stdlib_files() if not path.read_bytes().isascii()]


def expected_to_be(verdict: str) -> list[Any]:
    return [
        pytest.param(each, id=f"{each.tool_name}-{each.name}")
        for each in CANDIDATES
        if each.expected.verdict == verdict
    ]


def named(name: str) -> Candidate:
    return next(each for each in CANDIDATES if each.name == name)


async def errors_of(candidate: Candidate, files: list[Path]) -> list[str | None]:
    return await errors_on(candidate.tool_name, candidate.code, files)


async def errors_in_turn(candidate: Candidate) -> list[str | None]:
    """Return the errors on the files of the loop, which are found once for all tests."""
    if candidate.name not in _FOUND:
        _FOUND[candidate.name] = await errors_of(candidate, FILES)
    return _FOUND[candidate.name]


_FOUND: dict[str, list[str | None]] = {}


async def results_of(tool_name: str, code: str, files: list[Path]) -> list[Any]:
    async with running_tool(code) as process:
        calls = [TOOLS[tool_name].call(str(path)) for path in files]
        return [await process.call(*call.args, **call.kwargs) for call in calls]


def first_rule(errors: list[str | None]) -> str | None:
    """Return the first rule that holds for a version whose runs have these errors; None if none.

    The runs take minutes in all, and the version before never failed.
    """
    for count in range(1, len(errors) + 1):
        until_now = errors[:count]
        newest = until_now[-10:]
        if count >= 3 and all(newest[-3:]):
            return "immediate consecutive_failures"
        if sum(error in ("TypeError", "AttributeError") for error in newest) >= 2:
            return "immediate signature_change"
        if count >= 10 and sum(map(bool, until_now)) / count >= 0.15:
            return "standard success_rate_drop"
    return None


def test_there_are_better_and_worse_ones_for_all_tools() -> None:
    assert {each.tool_name for each in CANDIDATES} == set(TOOLS)
    assert len(expected_to_be("kept")) >= 6
    assert len(expected_to_be("rolled_back")) >= 6
    assert all(each.investigation_report["root_cause"] for each in CANDIDATES)


def test_each_candidate_differs_from_all_other_code() -> None:
    codes = [tool.code(1) for tool in TOOLS.values()] + [each.code for each in CANDIDATES]
    assert all(one != other for one, other in combinations(codes, 2))


def test_every_file_of_the_folder_is_in_the_manifest() -> None:
    folder = Path(__file__).parents[3] / "examples" / "autonomous_loop" / "candidates"
    files = [path for path in folder.glob("*/*") if path.is_file()]
    assert {(path.parent.name, path.name.partition(".")[0]) for path in files} == {
        (each.tool_name, each.name) for each in CANDIDATES
    }


@pytest.mark.exhaustive
@pytest.mark.parametrize("candidate", expected_to_be("kept"))
async def test_a_kept_candidate_never_fails(candidate: Candidate) -> None:
    assert set(await errors_of(candidate, FILES[: cases(120)] + NON_ASCII)) == {None}


@pytest.mark.parametrize("candidate", expected_to_be("rolled_back"))
async def test_a_bad_candidate_is_rolled_back_whichever_file_comes_first(
    candidate: Candidate,
) -> None:
    errors = await errors_in_turn(candidate)
    rules = {
        first_rule((errors[start:] + errors[:start])[:SURVIVED_RUNS])
        for start in range(len(errors))
    }
    assert None not in rules
    if candidate.expected.rule:
        assert rules == {candidate.expected.rule}


@pytest.mark.parametrize(
    ("name", "error_type", "least", "most"),
    [
        ("renamed_argument", "TypeError", 1.0, 1.0),
        ("cut_off", "SyntaxError", 1.0, 1.0),
        ("guesses_encoding", "ModuleNotFoundError", 1.0, 1.0),
        ("heap", "TypeError", 0.6, 0.95),
        ("spread", "StatisticsError", 0.2, 0.4),
        ("by_kind", "ZeroDivisionError", 0.2, 0.4),
        ("declared_names", "KeyError", 0.2, 0.4),
        ("three_ways", "KeyError", 0.3, 0.4),
    ],
)
async def test_each_bad_candidate_fails_with_its_own_error(
    name: str, error_type: str, least: float, most: float
) -> None:
    errors = await errors_in_turn(named(name))
    assert set(errors) - {None} == {error_type}
    assert least <= sum(map(bool, errors)) / len(errors) <= most


@pytest.mark.parametrize(
    "name", ["relative_imports", "passes_over_clean_files", "reads_once", "used_once"]
)
async def test_the_better_ones_return_all_that_was_returned_before(name: str) -> None:
    candidate, files = named(name), FILES[:30]
    before = await results_of(candidate.tool_name, TOOLS[candidate.tool_name].code(1), files)
    after = await results_of(candidate.tool_name, candidate.code, files)
    for old, new in zip(before, after, strict=True):
        assert (old | new if isinstance(old, dict) else old) == new


async def test_the_fix_works_on_files_on_which_the_replaced_version_fails() -> None:
    fix = named("declared_encoding")
    replaced = Candidate(
        fix.tool_name, "replaced", TOOLS[fix.tool_name].code(1), {}, expected=fix.expected
    )
    assert set(await errors_of(replaced, NON_ASCII)) == {"UnicodeDecodeError"}
    assert set(await errors_of(fix, NON_ASCII)) == {None}


async def test_the_better_ones_find_more(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_text(
        "from . import sibling\nfrom ..far import thing\nimport os\nLIMIT: int = 3\n"
        "def area(side) -> int:\n    match side:\n        case 1:\n            return 1\n"
        "        case _ if side > 2 and side < 9:\n            return side\n"
    )
    expected: dict[str, dict[str, Any]] = {
        "relative_imports": {"modules": ["os"], "relative": ["..far", ".sibling"]},
        "match_cases": {"5:area": 4},  # 1 + two cases + and
        "annotated_constants": {
            "classes": [],
            "functions": ["area(side) -> int"],
            "constants": ["LIMIT"],
        },
        "what_is_missing": {"count": 2, "coverage": 0.0, "missing": ["1:(module)", "5:area"]},
    }
    for name, result in expected.items():
        candidate = named(name)
        assert await results_of(candidate.tool_name, candidate.code, [path]) == [result]
