"""The order of an applier's changes, compared with a model, while tools are locked and workers die.

The model is the log: each tool's records in their order, each once. Locks, comparisons, rebalances
and crashes are drawn at random.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from agents.applier.apply_changes import ApplyChanges
from agents.applier.comparisons import NotCompared
from agents.applier.waiting import attempts
from agents.applier.waiting.attempts import Request
from agents.applier.waiting.set_aside_report import SetAsideReport, numbers_set_aside
from agents.dead_letters.box import DeadLetterBox
from schemas.deployment import Deployment
from schemas.errors import Locked, Rejected
from schemas.settings import Settings
from streams.broker_topics.watch import TopicWatch
from streams.driver.batch import Batch
from streams.driver.progress import Progress
from streams.waits import Waits
from tests.support.inputs.stored import deployment

TOOLS = "abcd"


class Store:
    """What outlives a worker: the applied records of each tool, and the committed offset."""

    def __init__(self) -> None:
        self.applied: defaultdict[str, list[int]] = defaultdict(list)
        self.committed = 0


class World:
    """One worker with its partition, and everything that may keep it from applying a change."""

    def __init__(self, store: Store, log: Sequence[Any]) -> None:
        self.store, self.log = store, log
        self.locked: set[str] = set()
        self.names_locked = True
        self.slow: dict[int, asyncio.Future[Any]] = {}
        self.progress, self.epoch, self.read_to = Progress(), 0, store.committed
        self.progress.handled_to(store.committed)
        outbox: Any = self
        pool: Any = None
        changes: Any = self
        waits, settings = Waits(), Settings(partitions=1)
        registry = CollectorRegistry()
        dead_letters = DeadLetterBox("applier", settings, registry)
        report = SetAsideReport(waits.ticket(), numbers_set_aside(registry).labels("deployment"))
        self.changes: ApplyChanges[Deployment] = ApplyChanges(
            changes, pool, outbox, dead_letters, waits, TopicWatch(settings, 1, waits), report
        )

    # What ApplyChanges asks for.

    def read(self, record: ConsumerRecord) -> Deployment:
        if record.value is None:
            raise Rejected("bad")
        return deployment(str(record.offset), record.value)

    async def apply(self, group: Sequence[Request[Deployment]]) -> None:
        await asyncio.sleep(0)
        tools = [request.tool_name for request in group]
        assert len(set(tools)) == len(tools)
        if locked := self.locked & set(tools):
            raise Locked("locked", locked if self.names_locked else ())
        slow = {
            request.tool_name: self.slow[request.offset]
            for request in group
            if request.offset in self.slow and not self.slow[request.offset].done()
        }
        if slow:
            raise NotCompared(slow)
        for request in group:
            if request.offset not in self.store.applied[request.tool_name]:  # its id is known
                self.store.applied[request.tool_name].append(request.offset)

    async def rejected(self, record: ConsumerRecord, error: Rejected) -> None:
        pass

    async def publish(self, messages: Any) -> None:
        pass

    # What the consumer does.

    def batch(self, size: int) -> Batch | None:
        records: Any = [
            ConsumerRecord("t", 0, offset, 0, 0, b"", tool, None, 0, 0, ())
            for offset, tool in enumerate(self.log)
        ][self.read_to : self.read_to + size]
        if not records:
            return None
        self.read_to += len(records)
        batch = Batch(records, epoch=self.epoch)
        batch.is_ours = lambda batch: batch.epoch == self.epoch
        batch.mark_done = lambda batch, offset: self._note(batch, "handled_to", offset + 1)
        batch.set_aside = lambda batch, offset: self._note(batch, "set_aside", offset)
        batch.resume = lambda batch, offset: self._note(batch, "resume", offset)
        return batch

    def _note(self, batch: Batch, what: str, offset: int) -> None:
        if batch.epoch == self.epoch:
            getattr(self.progress, what)(offset)
            self.store.committed = max(self.store.committed, self.progress.committable)
            self.check()

    def check(self) -> None:
        """Require the order of each tool, and that nothing before the committed offset is left."""
        for tool in TOOLS:
            expected = [offset for offset, name in enumerate(self.log) if name == tool]
            applied = self.store.applied[tool]
            assert applied == expected[: len(applied)], (tool, applied)
            assert set(expected[len(applied) :]).isdisjoint(range(self.store.committed))

    # What happens to it.

    async def handle(self, size: int) -> None:
        if (batch := self.batch(size)) is not None:
            await self.changes.handle(batch)
            batch.done_to(batch.last.offset)

    async def retry(self) -> None:
        if self.changes.is_any_aside:
            await self.changes.retry()

    def rebalance(self) -> None:
        """Lose the partition and get it back: it is read again from the committed offset on."""
        self.epoch += 1
        self.progress, self.read_to = Progress(), self.store.committed
        self.progress.handled_to(self.store.committed)

    def disturb(self, step: str, argument: Any) -> None:
        match step:
            case "lock":
                self.locked.add(argument)
            case "unlock":
                self.locked.discard(argument)
            case "name locked tools":
                self.names_locked = argument
            case "compare slowly":
                future = asyncio.get_running_loop().create_future()
                self.slow.setdefault(argument, future)
            case "finish":
                self.finish_comparisons()

    def finish_comparisons(self) -> None:
        for each in self.slow.values():
            if not each.done():
                each.set_result(None)


STEPS = st.one_of(
    st.tuples(st.just("handle"), st.integers(1, 6)),
    st.tuples(st.just("retry"), st.just(0)),
    st.tuples(st.just("lock"), st.sampled_from(TOOLS)),
    st.tuples(st.just("unlock"), st.sampled_from(TOOLS)),
    st.tuples(st.just("name locked tools"), st.booleans()),
    st.tuples(st.just("compare slowly"), st.integers(0, 29)),
    st.tuples(st.just("finish"), st.just(0)),
    st.tuples(st.just("rebalance"), st.just(0)),
    st.tuples(st.just("crash"), st.just(0)),
    st.tuples(st.just("handle and retry at once"), st.integers(1, 6)),
    st.tuples(st.just("handle and rebalance"), st.tuples(st.integers(2, 12), st.integers(0, 9))),
)
LOGS = st.lists(st.one_of(st.sampled_from(TOOLS), st.none()), min_size=1, max_size=30)


async def take(world: World, step: str, argument: Any) -> World:
    """Let one thing happen; return the worker that runs then."""
    match step:
        case "handle":
            await world.handle(argument)
        case "retry":
            await world.retry()
        case "handle and retry at once":
            await asyncio.gather(world.handle(argument), world.retry())
        case "handle and rebalance":
            size, turns = argument
            await asyncio.gather(world.handle(size), rebalance_after(turns, world))
        case "rebalance":
            world.rebalance()
        case "crash":
            return World(world.store, world.log)
        case _:
            world.disturb(step, argument)
    return world


async def rebalance_after(turns: int, world: World) -> None:
    """Rebalance while a batch is handled, after so many turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    world.rebalance()


async def follow(log: Sequence[str | None], steps: Sequence[tuple[str, Any]]) -> None:
    world = World(Store(), log)
    for step, argument in steps:
        world = await take(world, step, argument)
        world.check()
    world.locked.clear()
    world.finish_comparisons()
    for _ in range(2 * len(log)):
        await world.handle(6)
        await world.retry()
        await asyncio.sleep(0)
    assert world.store.committed == len(log)
    for tool in TOOLS:
        assert world.store.applied[tool] == [at for at, name in enumerate(log) if name == tool]
    assert not world.changes.is_any_aside


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every tool that is set aside be due at once, and ask no Postgres."""

    async def alone(self: Any, member: Any) -> Any:
        return await self.alone(member)

    async def none_known(self: Any, tools: Any) -> Any:
        return ()

    monkeypatch.setattr("agents.applier.waiting.set_aside.FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("agents.applier.waiting.set_aside.MAX_PAUSE_S", 0.0)
    monkeypatch.setattr(
        "agents.applier.waiting.set_aside_report.log.warning", lambda *_, **__: None
    )
    monkeypatch.setattr(attempts.log, "warning", lambda *_, **__: None)
    monkeypatch.setattr(attempts.Attempts, "watched", alone)
    monkeypatch.setattr(attempts.Attempts, "_locked_among", none_known)


@pytest.mark.usefixtures("without_pauses")
@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("log", ["aaa", "aba", "aab", "baba"])
async def test_a_partition_is_lost_while_a_change_cannot_be_made(log: str, turns: int) -> None:
    """What was read before comes again, so a later change of the tool must wait for that."""
    first = ("compare slowly", log.index("a"))
    await follow([*log], [first, ("handle and rebalance", (len(log), turns))])
    await follow([*log], [("lock", "a"), ("handle and rebalance", (len(log), turns))])


@pytest.mark.usefixtures("without_pauses")
def test_each_tools_records_are_applied_once_and_in_order() -> None:
    with asyncio.Runner() as runner:

        @settings(max_examples=400)
        @given(LOGS, st.lists(STEPS, max_size=40))
        def follows(log: list[str | None], steps: list[tuple[str, Any]]) -> None:
            runner.run(follow(log, steps))

        follows()
