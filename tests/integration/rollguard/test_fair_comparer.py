"""`FairComparer`: what is slow delays nothing else, and nothing is compared twice."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from agents.comparer import fair_comparer
from agents.comparer.code_comparer import CodeComparer, NotComparable
from agents.comparer.fair_comparer import FairComparer
from policy.breaking.compare import compare_code
from policy.breaking.finding import Finding, new_finding

SLOW = "class C0:\n    x = 0\n" + "".join(
    f"class C{n}(C{n - 1}):\n    x{n} = 1\n" for n in range(1, 2_500)
)
OLD = "def execute(path, depth=1): ...\n"
NEW = "async def execute(path): ...\n"


async def test_slow_comparisons_delay_no_other() -> None:
    comparer = FairComparer(CodeComparer(0.5), CodeComparer(0.6))
    await comparer.start()
    slow = [comparer.begin(SLOW, f"{SLOW}X = {number}\n") for number in range(3)]
    began = time.monotonic()
    for number in range(5):
        new = f"{NEW}X = {number}\n"
        assert await comparer.compare(OLD, new) == compare_code(OLD, new)
    took = time.monotonic() - began
    assert not slow[-1].done(), "they were not slow"
    for each in slow:
        [finding] = await each
        assert (finding.kind, "more than" in finding.sentence) == ("not_comparable", True)
    assert time.monotonic() - began > took
    await comparer.close()


async def test_the_child_has_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_POSTGRES_DSN", "postgresql://user:password@host/db")
    async with CodeComparer() as comparer:
        process = comparer._process
        assert process is not None
        assert Path(f"/proc/{process.pid}/environ").read_bytes() == b""
        assert "ROLLGUARD_POSTGRES_DSN" in os.environ
        limit, _ = psutil.Process(process.pid).rlimit(psutil.RLIMIT_AS)
        assert limit <= 1024**3


class _Fake:
    """A comparer that counts the questions and answers with what it was given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def try_compare(self, old: str | None, new: str) -> list[Finding]:
        self.asked += 1
        await asyncio.sleep(0.01)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: list[Finding] = answer
        return found

    async def close(self) -> None:
        pass

    async def try_hunks(self, before: str, after: str) -> str:
        raise NotComparable("too slow", "cpu")


def fair(quick: _Fake, thorough: _Fake) -> FairComparer:
    first: Any = quick
    second: Any = thorough
    return FairComparer(first, second)


FOUND = [new_finding("default_changed", "", "A default has changed.", None)]


async def test_nothing_is_compared_twice() -> None:
    quick = _Fake(FOUND)
    comparer = fair(quick, _Fake())
    at_once = [comparer.compare("a", "b") for _ in range(2)]
    assert await asyncio.gather(*at_once) == [FOUND, FOUND]
    assert comparer.begin("a", "b").done()
    assert await comparer.compare("a", "b") == FOUND
    assert quick.asked == 1


async def test_code_that_takes_too_much_time_is_not_tried_again() -> None:
    quick = _Fake(NotComparable("0.5 s", "cpu"))
    thorough = _Fake(NotComparable("it took more than 5 s of CPU time", "cpu"))
    comparer = fair(quick, thorough)
    for _ in range(3):
        [finding] = await comparer.compare("a", "b")
        assert finding.kind == "not_comparable"
    assert (quick.asked, thorough.asked) == (1, 1)


async def test_what_a_busy_machine_has_spoiled_is_told_once_and_tried_again() -> None:
    quick = _Fake(NotComparable("2.5 s", "time"), FOUND)
    comparer = fair(quick, _Fake(NotComparable("25 s", "time")))
    [finding] = await comparer.begin("a", "b")
    assert finding.kind == "not_comparable"
    # the next who asks gets what was waited for, and only the one after it compares again
    assert await comparer.begin("a", "b") == [finding]
    assert await comparer.begin("a", "b") == FOUND


async def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_comparer, "MAX_KEPT_FINDINGS", 5)
    comparer = fair(_Fake(FOUND * 3, FOUND * 3, FOUND * 9), _Fake())
    for new in "abc":
        await comparer.compare(None, new)
    assert [comparer.begin(None, new).done() for new in "cba"] == [True, False, False]
    await comparer.close()


async def test_a_diff_that_takes_too_long_is_complete_but_longer() -> None:
    before, after = "a\nb\nc\nd\n", "a\nx\nc\nd\n"
    hunks = await fair(_Fake(), _Fake()).hunks(before, after)
    assert hunks == "@@ -1,4 +1,4 @@\n a\n-b\n+x\n c\n d\n"
