"""The CPU time of decisions, compared with that of another checkout of Rollguard."""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Annotated, Final, get_args

import typer

from bench.results import Result, show
from schemas.rules.rules import PolicyName

PART: Final = "decisions"
_HERE: Final = Path(__file__).parents[2]
_PROGRAM: Final = _HERE / "bench" / "flow" / "deciding.py"
SAID: Final[dict[str, tuple[str, ...]]] = {
    "nothing more": (),
    "durations": ("duration_ms",),
    "durations and costs": ("duration_ms", "cost"),
}


def main(
    beside: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Another checkout, such as of main.")
    ],
    rounds: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Read, count and judge executions of which one of twenty fails, here and there in turn.

    The last column is this checkout divided by the other one, round by round.
    """
    results = []
    for policy in get_args(PolicyName):
        for what, fields in SAID.items():
            taken = defaultdict(list)
            for _ in range(rounds):
                for checkout in (_HERE, beside.resolve()):
                    taken[checkout].append(_cpu_us(checkout, policy, fields))
            here, there = taken.values()
            name = f"{policy}, executions say {what}"
            times = tuple(a / b for a, b in zip(here, there, strict=True))
            results += [
                Result(PART, name, "here", "µs", tuple(here)),
                Result(PART, name, "there", "µs", tuple(there)),
                Result(PART, name, "here", "times there", times),
            ]
            print(f"{name}: {median(times):.2f}", file=sys.stderr)
    show(PART, results)


def _cpu_us(checkout: Path, policy: str, fields: tuple[str, ...]) -> float:
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), policy, *fields],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:  # such as: a module has another name there
        raise SystemExit(f"{checkout}: {done.stderr.splitlines()[-1]}")
    return float(done.stdout)


if __name__ == "__main__":
    typer.run(main)
