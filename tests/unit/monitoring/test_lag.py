"""The lag in seconds is a bound: no unread record is older, and without lag it is 0."""

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from agents.worker.lag import Lag
from streams.offsets import Offsets

TP = TopicPartition("tool-executions", 0)


class Partition:
    """A partition whose records arrive and are handled, and the moments at which it is sampled."""

    def __init__(self) -> None:
        self.now = 0.0
        self.times: list[float] = []
        self.handled = 0
        self.lag = Lag()

    def sample(self) -> None:
        self.lag.observe({TP: Offsets(self.handled, len(self.times))}, self.now)

    def arrive(self) -> None:
        self.times.append(self.now)

    def handle(self) -> None:
        self.handled = min(self.handled + 1, len(self.times))

    def said(self) -> float | None:
        last = self.times[self.handled - 1] if self.handled else None
        return self.lag.age_s(TP, last, self.now)

    def true(self) -> float:
        return self.now - self.times[self.handled] if self.handled < len(self.times) else 0.0


@given(st.lists(st.sampled_from(["arrive", "handle", "sample", "wait"]), max_size=40))
def test_it_is_never_less_than_the_age_of_the_oldest_unread_record(steps: list[str]) -> None:
    partition = Partition()
    for step in steps:
        if step == "wait":
            partition.now += 3.0
        else:
            getattr(partition, step)()
    partition.sample()
    said = partition.said()
    if partition.true() == 0 and partition.handled == len(partition.times):
        assert said == 0
    elif said is None:
        assert partition.handled == 0
    else:
        assert said >= partition.true()


def test_while_a_group_lags_it_is_the_time_since_the_last_handled_record() -> None:
    partition = Partition()
    for _ in range(5):
        partition.arrive()
        partition.now += 10
    partition.handle()
    partition.handle()
    partition.sample()
    assert partition.said() == 40
    assert partition.true() == 30


def test_a_record_after_a_long_silence_is_not_old() -> None:
    partition = Partition()
    partition.arrive()
    partition.handle()
    partition.now = 10_000.0
    partition.sample()
    partition.now += 3
    partition.arrive()
    partition.sample()
    assert partition.said() == 3


def test_without_an_answer_of_the_broker_nothing_is_shown() -> None:
    partition = Partition()
    partition.arrive()
    partition.sample()
    partition.lag.observe(None, partition.now)
    assert partition.lag.offsets == {}
