"""The candidates: generated code for the engine's tools, some better and some worse than before.

The manifest also says what is expected of each.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

_FOLDER: Final = Path(__file__).with_name("candidates")

Verdict = Literal["kept", "rolled_back", "undecided", "refused"]
"""Undecided: within the time limit it was neither rolled back nor run often enough.
Refused: it was rolled back before this loop, so policy `guarded` does not deploy it again."""


@dataclass(frozen=True)
class Expected:
    """The outcome that is expected of a candidate.

    ``rule`` is the tier and the reason of the rollback; None if any of several rules may be the
    first that holds. ``breaking`` says whether its deployment must find a breaking change.
    """

    verdict: Verdict
    breaking: bool
    rule: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A candidate; its name is that of its file.

    ``investigation_report`` says why it was written: `root_cause` and `proposal`, a sentence each.
    """

    tool_name: str
    name: str
    code: str
    investigation_report: dict[str, str]
    expected: Expected


def load_candidates() -> list[Candidate]:
    """Return all candidates, in the order in which they are tried."""
    with (_FOLDER / "manifest.toml").open("rb") as file:
        return [_candidate(entry) for entry in tomllib.load(file)["candidate"]]


def _candidate(entry: dict[str, Any]) -> Candidate:
    # Code that does not parse is stored as `.py.txt`, so that linters do not read it.
    path = _FOLDER / entry["tool"] / entry["file"]
    return Candidate(
        tool_name=entry["tool"],
        name=path.name.partition(".")[0],
        code=path.read_text(encoding="utf-8"),
        investigation_report=entry["investigation_report"],
        expected=Expected(**entry["expected"]),
    )
