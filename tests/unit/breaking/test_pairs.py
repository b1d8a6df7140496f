"""Pairs of versions, each with its right verdict and a call that proves it on both."""

import gc
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from policy.breaking.compare import compare_code
from policy.breaking.finding import is_breaking, sentences

DATA: Final = Path(__file__).parents[2] / "data" / "breaking_pairs.json"
PAIRS: Final[list[dict[str, str]]] = json.loads(DATA.read_text())
pairs = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["name"].replace(" ", "-"))


@pairs
def test_the_verdict(pair: dict[str, str]) -> None:
    findings = compare_code(pair["old"], pair["new"])
    verdicts = {
        "breaking": is_breaking(findings),
        "not breaking": not is_breaking(findings),
        "nothing listed": not sentences(findings),
        "something listed": bool(sentences(findings)) and not is_breaking(findings),
    }
    assert verdicts[pair["want"]], sentences(findings)


@pytest.mark.exhaustive
@pairs
@pytest.mark.filterwarnings("ignore")
def test_the_call_proves_it(pair: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    _call(pair["old"], pair["call"], monkeypatch)
    if pair["want"] == "breaking":
        with pytest.raises((Exception, SystemExit)):
            _call(pair["new"], pair["call"], monkeypatch)
    else:
        _call(pair["new"], pair["call"], monkeypatch)
    if "async def" in pair["new"]:
        gc.collect()  # a coroutine that an exception holds would warn in some later test


def test_names_are_unique() -> None:
    names = [pair["name"] for pair in PAIRS]
    assert len(names) == len(set(names))


def _call(code: str, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the code as Python runs a file that holds it, then the call."""
    module = ModuleType("m")
    monkeypatch.setitem(sys.modules, "m", module)  # dataclasses look up the module of a class
    exec(compile(code.removeprefix("\ufeff"), "<m>", "exec", dont_inherit=True), vars(module))
    eval(call, {"m": module, "use": _use})


async def _use(manager: Any) -> None:
    async with manager:
        pass
