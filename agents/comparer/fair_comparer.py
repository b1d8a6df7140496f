"""Comparisons of code for several tools at once: each is made once, and a slow one delays no other.

Each comparison first gets a short time in one child process. One that needs more goes to a second
child process, which gives each the whole time, in turn. So a tool whose code is slow to compare
waits for it, and other tools do not. If each tool has one comparison at a time, every tool gets its
turn.
"""

import asyncio
from collections import OrderedDict
from hashlib import sha256
from time import perf_counter
from typing import Final, Protocol, Self

from agents.comparer.code_comparer import CodeComparer, NotComparable
from agents.comparer.line_diff import one_hunk
from policy.breaking.finding import Finding

QUICK_CPU_S: Final = 0.5
"""Code of 50 KB takes less."""
MAX_KEPT: Final = 512
MAX_KEPT_FINDINGS: Final = 20_000
"""How many comparisons, and how many findings of them together, are kept."""

_Key = tuple[bytes | None, bytes]


class ComparerWatch(Protocol):
    """Whoever is told what a comparer does."""

    def compared(self, seconds: float, *, is_thorough: bool, is_comparable: bool) -> None:
        """Take note of a comparison, and of which child process answered."""

    def kept(self) -> None:
        """Take note of findings that were known already."""


class FairComparer:
    """Compares code in two child processes, a quick one and a thorough one."""

    def __init__(
        self, quick: CodeComparer, thorough: CodeComparer, watch: ComparerWatch | None = None
    ) -> None:
        self._watch = watch
        self._quick = quick
        self._thorough = thorough
        self._kept: OrderedDict[_Key, list[Finding]] = OrderedDict()
        self._kept_findings = 0
        self._kept_once: set[_Key] = set()
        """Failures that may depend on what else the machine did: they are told only once."""
        self._running: dict[_Key, asyncio.Task[list[Finding]]] = {}

    @classmethod
    def with_limit(cls, cpu_s: float, watch: ComparerWatch | None = None) -> Self:
        """Return a comparer by which a comparison takes at most so many seconds of CPU time."""
        return cls(CodeComparer(min(QUICK_CPU_S, cpu_s)), CodeComparer(cpu_s), watch)

    async def start(self) -> None:
        """Start the quick process. The thorough one starts when it is needed."""
        await self._quick.start()

    async def close(self) -> None:
        """End both processes, and what they do."""
        running = list(self._running.values())
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._quick.close()
        await self._thorough.close()

    async def compare(self, old: str | None, new: str) -> list[Finding]:
        """Return what ``CodeComparer.compare`` returns."""
        return await self.begin(old, new)

    async def hunks(self, before: str, after: str) -> str:
        """Return the hunks of a unified diff that ``patch`` accepts.

        If they cannot be found in time, they are longer than necessary, and nothing is left out.
        """
        for comparer in (self._quick, self._thorough):
            try:
                return await comparer.try_hunks(before, after)
            except NotComparable as error:
                if error.limit is None:
                    break
        return one_hunk(before, after)

    def begin(self, old: str | None, new: str) -> "asyncio.Future[list[Finding]]":
        """Begin to compare, unless that was begun or done already; return the future findings.

        They are those of ``CodeComparer.compare``. Cancelling the future has no effect on others
        that wait for the same comparison.
        """
        key = _key(old, new)
        if key in self._kept:
            self._kept.move_to_end(key)
            if self._watch is not None:
                self._watch.kept()
            known: asyncio.Future[list[Finding]] = asyncio.get_running_loop().create_future()
            known.set_result(self._kept[key])
            if key in self._kept_once:
                self._remove(key)
            return known
        if key not in self._running:
            task = asyncio.ensure_future(self._compare(key, old, new))
            task.add_done_callback(lambda done: self._end(key, done))
            self._running[key] = task
        return asyncio.shield(self._running[key])

    async def _compare(self, key: _Key, old: str | None, new: str) -> list[Finding]:
        began, is_comparable = perf_counter(), True
        try:
            findings = await self._quick.try_compare(old, new)
        except NotComparable as error:
            if error.limit is not None:
                return await self._compare_thoroughly(key, old, new, began)
            findings, is_comparable = error.findings, False
            self._kept_once.add(key)
        self._tell(began, is_thorough=False, is_comparable=is_comparable)
        self._keep(key, findings)
        return findings

    async def _compare_thoroughly(
        self, key: _Key, old: str | None, new: str, began: float
    ) -> list[Finding]:
        is_comparable = True
        try:
            findings = await self._thorough.try_compare(old, new)
        except NotComparable as error:
            findings, is_comparable = error.findings, False
            if error.limit != "cpu":
                self._kept_once.add(key)
        self._tell(began, is_thorough=True, is_comparable=is_comparable)
        self._keep(key, findings)
        return findings

    def _tell(self, began: float, *, is_thorough: bool, is_comparable: bool) -> None:
        if self._watch is not None:
            seconds = perf_counter() - began
            self._watch.compared(seconds, is_thorough=is_thorough, is_comparable=is_comparable)

    def _keep(self, key: _Key, findings: list[Finding]) -> None:
        self._kept[key] = findings
        self._kept_findings += len(findings)
        while len(self._kept) > MAX_KEPT or (
            self._kept_findings > MAX_KEPT_FINDINGS and len(self._kept) > 1
        ):
            self._remove(next(iter(self._kept)))

    def _remove(self, key: _Key) -> None:
        self._kept_findings -= len(self._kept.pop(key))
        self._kept_once.discard(key)

    def _end(self, key: _Key, task: "asyncio.Task[list[Finding]]") -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # whoever waits for it raises it


def _key(old: str | None, new: str) -> _Key:
    return None if old is None else _hash(old), _hash(new)


def _hash(code: str) -> bytes:
    return sha256(code.encode("utf-8", "surrogatepass")).digest()
