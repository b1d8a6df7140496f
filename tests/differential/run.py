"""The run of many pairs: the verdict of the comparison on each, and what really happened."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from policy.breaking.compare import compare_code
from policy.breaking.finding import is_breaking, sentences
from tests.differential.pair import Pair

ROOT: Final = Path(__file__).parents[2]
Generator = Callable[[Random], Pair]


@dataclass
class Counts:
    """What came of the pairs of one subject."""

    pairs: int = 0
    #: Pairs of which a call that worked before no longer works.
    broken: int = 0
    misses: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)


def judge_pairs(generate: Generator, count: int, seed: int) -> Counts:
    """Compare so many generated pairs, and run the calls of each on both versions in a child.

    A pair of which either version does not run is left out and replaced by another one.
    """
    counts, random = Counts(), Random(seed)
    with _child() as child:
        while counts.pairs < count:
            pair = generate(random)
            broken = _ask(child, pair)
            if broken is None:
                continue
            counts.pairs += 1
            counts.broken += bool(broken)
            findings = compare_code(pair.old, pair.new)
            if bool(broken) != is_breaking(findings):
                text = "\n".join((pair.old, "--- becomes", pair.new, "---"))
                if broken:
                    counts.misses.append(f"{text}\nbroken: {broken[:3]}")
                else:
                    counts.false_alarms.append(f"{text}\nfound: {sentences(findings)}")
    return counts


def _child() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.differential.child"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(child: "subprocess.Popen[str]", pair: Pair) -> list[list[str]] | None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps([pair.old, pair.new, pair.calls, pair.needed]) + "\n")
    child.stdin.flush()
    answer: list[list[str]] | None = json.loads(child.stdout.readline())
    return answer
