"""The candidates: generated code for the tools of the engine, better and worse than what it is to
replace, and what must come of each.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

_FOLDER: Final = Path(__file__).with_name("candidates")

Verdict = Literal["kept", "rolled_back", "undecided", "refused"]
"""Undecided: in the time that it was given it was neither rolled back nor run often enough.
Refused: it was rolled back before this loop, and under policy `guarded` not deployed again."""


@dataclass(frozen=True)
class Expected:
    """``rule`` is the tier and the reason of the rollback, None where several rules may be the
    first to hold. ``breaking``: whether a breaking change must be found at its deployment.
    """

    verdict: Verdict
    breaking: bool
    rule: str | None = None


@dataclass(frozen=True)
class Candidate:
    """``name`` is that of its file. ``investigation_report`` is what led to it: `root_cause` and
    `proposal`, in a sentence each.
    """

    tool_name: str
    name: str
    code: str
    investigation_report: dict[str, str]
    expected: Expected


def load_candidates() -> list[Candidate]:
    """All candidates, in the order in which each tool gets them."""
    with (_FOLDER / "manifest.toml").open("rb") as file:
        return [_candidate(entry) for entry in tomllib.load(file)["candidate"]]


def _candidate(entry: dict[str, Any]) -> Candidate:
    # code that does not parse is stored as `.py.txt`: tools that read all sources pass it over
    path = _FOLDER / entry["tool"] / entry["file"]
    return Candidate(
        tool_name=entry["tool"],
        name=path.name.partition(".")[0],
        code=path.read_text(encoding="utf-8"),
        investigation_report=entry["investigation_report"],
        expected=Expected(**entry["expected"]),
    )
