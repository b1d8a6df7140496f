"""The judgement of stuck, waiting and idle workers: alive or not, ready or not, and why."""

from collections.abc import Mapping

import pytest

from agents.worker.liveness import (
    JOINING_S,
    STALLED_S,
    SUSPECT_S,
    WAIT_EXPIRES_S,
    Liveness,
    Phase,
    Sample,
)
from streams.offsets import Offsets
from streams.waits import Wait, Waits

STEP_S = 3.0
"""The time between two samples, as the monitor takes them."""
PARTITION = "tool-executions[0]"


class Worker:
    """A worker of which samples are taken, one every ``STEP_S`` seconds."""

    def __init__(self) -> None:
        self.liveness = Liveness()
        self.now = 1_000.0
        self.waits: tuple[Wait, ...] = ()

    def sample(
        self,
        partitions: Mapping[str, tuple[int, int]] | None,
        times: int = 1,
        phase: Phase = "running",
        recovered: int = 0,
    ) -> None:
        """Take samples with these committed and end offsets."""
        for _ in range(times):
            self.now += STEP_S
            found = {name: Offsets(*each) for name, each in (partitions or {}).items()}
            known = None if partitions is None else found
            self.liveness.observe(Sample(self.now, phase, recovered, known, self.waits))

    def waits_for(self, part: str, failed_s_ago: float = 0.0) -> None:
        self.waits = (Wait(part, "connection refused", self.now - 12, self.now - failed_s_ago),)

    @property
    def alive(self) -> bool:
        return self.liveness.alive(self.waits, self.now).holds

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.liveness.alive(self.waits, self.now).reasons


def samples(seconds: float) -> int:
    """Return how many samples span these seconds: the intervals between them, and one more."""
    return int(seconds / STEP_S) + 1


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_without_a_sample_it_is_alive(worker: Worker) -> None:
    assert worker.alive
    assert worker.reasons == ()


def test_lag_without_a_commit_is_stuck_after_30_s(worker: Worker) -> None:
    worker.sample({PARTITION: (5, 9)}, samples(STALLED_S) - 1)
    assert worker.alive
    worker.sample({PARTITION: (5, 11)})  # 30 s after the first sample; a longer log is no progress
    assert not worker.alive
    assert worker.reasons == ("tool-executions[0]: lag 6, nothing committed for 30 s",)
    worker.sample({PARTITION: (6, 11)})
    assert worker.alive


def test_with_advancing_commits_it_is_alive_whatever_the_lag(worker: Worker) -> None:
    for committed in range(100):
        worker.sample({PARTITION: (committed, 1_000_000)})
        assert worker.alive


def test_without_lag_it_is_alive_for_ever(worker: Worker) -> None:
    worker.sample({PARTITION: (7, 7)}, 1_000)
    assert worker.alive
    worker.sample({PARTITION: (7, 8)}, samples(STALLED_S) - 1)  # the time counts from the first lag
    assert worker.alive


def test_one_stuck_partition_is_enough_to_be_stuck(worker: Worker) -> None:
    for committed in range(samples(STALLED_S)):
        worker.sample({PARTITION: (5, 9), "tool-executions[1]": (committed, 999)})
    assert not worker.alive
    assert len(worker.reasons) == 1


def test_a_partition_that_was_assigned_to_another_worker_is_forgotten(worker: Worker) -> None:
    worker.sample({PARTITION: (5, 9)}, samples(STALLED_S))
    assert not worker.alive
    worker.sample({"tool-executions[1]": (3, 3)})
    assert worker.alive
    worker.sample(
        {PARTITION: (5, 9)}, samples(STALLED_S) - 1
    )  # when it comes back, the time begins anew
    assert worker.alive


def test_a_topic_that_was_created_anew(worker: Worker) -> None:
    worker.sample({PARTITION: (500, 500)}, 5)
    worker.sample({PARTITION: (500, 3)}, 100)  # the end is below the committed offset: no lag
    assert worker.alive
    worker.sample({PARTITION: (0, 3)}, samples(STALLED_S) - 1)
    assert worker.alive
    worker.sample({PARTITION: (0, 3)})
    assert not worker.alive


def test_a_worker_that_waits_and_retries_is_alive_and_says_so(worker: Worker) -> None:
    for _ in range(1_000):
        worker.waits_for("Postgres", failed_s_ago=10)
        worker.sample({PARTITION: (5, 9)})
        assert worker.alive
    assert worker.reasons == ("waits for Postgres for 15 s: connection refused",)


def test_after_a_wait_all_stalls_begin_anew(worker: Worker) -> None:
    worker.sample({PARTITION: (5, 9)}, samples(STALLED_S))
    worker.waits_for("Kafka")
    worker.sample(None)
    worker.waits = ()
    worker.sample({PARTITION: (5, 9)}, samples(STALLED_S) - 1)
    assert worker.alive
    worker.sample({PARTITION: (5, 9)})
    assert not worker.alive


def test_a_wait_whose_newest_try_hangs_does_not_count(worker: Worker) -> None:
    worker.waits_for("Postgres")
    worker.sample({PARTITION: (5, 9)}, samples(WAIT_EXPIRES_S))
    assert worker.alive
    worker.sample({PARTITION: (5, 9)}, samples(STALLED_S))
    assert not worker.alive
    assert [reason.split(" for ")[0] for reason in worker.reasons] == [
        "tool-executions[0]: lag 4, nothing committed",
        "waits",
    ]


@pytest.mark.parametrize("phase", ["starting", "rebalancing", "recovering"])
def test_a_worker_that_never_finishes_joining_is_stuck(worker: Worker, phase: Phase) -> None:
    worker.sample(None, samples(JOINING_S), phase)
    assert worker.alive
    worker.sample(None, 1, phase)
    assert not worker.alive
    assert worker.reasons == (f"{phase} for 51 s without progress",)
    worker.sample({PARTITION: (5, 9)})
    assert worker.alive


def test_a_recovery_that_makes_progress_may_take_long(worker: Worker) -> None:
    for recovered in range(1_000):
        worker.sample(None, 1, "recovering", recovered * 10)
        assert worker.alive


def test_endless_rebalances_are_stuck_although_each_recovers_some_records(worker: Worker) -> None:
    for _ in range(samples(JOINING_S)):
        worker.sample(None, 1, "rebalancing", 0)
        worker.sample(None, 1, "recovering", 40)
    assert not worker.alive


def test_rebalances_do_not_reset_the_stalls_of_partitions(worker: Worker) -> None:
    for _ in range(samples(STALLED_S)):
        worker.sample({PARTITION: (5, 9)})
        worker.sample(None, 2, "rebalancing")
    assert not worker.alive


def test_a_process_that_stood_still_is_not_stuck(worker: Worker) -> None:
    worker.sample({PARTITION: (5, 9)}, 3)
    worker.now += 3_600
    worker.sample({PARTITION: (5, 9)}, 3)
    assert worker.alive


def test_a_sample_without_an_answer_does_not_reset_the_stalls(worker: Worker) -> None:
    worker.sample({PARTITION: (5, 9)}, samples(STALLED_S) - 1)
    worker.sample(None)
    worker.sample({PARTITION: (5, 9)})
    assert not worker.alive


def test_a_partition_is_suspect_before_it_is_stuck(worker: Worker) -> None:
    worker.sample({PARTITION: (5, 9), "b": (9, 9)}, samples(SUSPECT_S))
    assert worker.liveness.suspects() == [PARTITION]


def ready(worker: Worker, phase: Phase = "running", assigned: int = 1) -> list[str]:
    answer = worker.liveness.ready(worker.waits, worker.now, phase, assigned)
    assert answer.holds == (not answer.reasons)
    return list(answer.reasons)


def test_ready_gives_each_reason_against_it(worker: Worker) -> None:
    assert ready(worker, "starting", 0) == ["starting"]
    assert ready(worker) == ["the broker was not asked yet"]
    worker.sample({PARTITION: (5, 5)})
    assert ready(worker) == []
    assert ready(worker, "recovering") == ["recovering"]
    assert ready(worker, assigned=0) == ["no partitions assigned"]
    worker.waits_for("Postgres")
    assert ready(worker, "rebalancing") == [
        "waits for Postgres for 12 s: connection refused",
        "rebalancing",
    ]
    worker.waits = ()
    worker.sample({PARTITION: (5, 9)}, samples(STALLED_S))
    assert ready(worker) == ["tool-executions[0]: lag 4, nothing committed for 30 s"]


def test_a_wait_has_the_times_of_its_first_and_its_newest_try() -> None:
    clock = iter([10.0, 20.0, 30.0, 40.0])
    waits = Waits(lambda: next(clock))
    first, second = waits.ticket(), waits.ticket()
    assert waits.now() == ()
    first.failed("Kafka", "a")
    second.failed("Postgres", "b")
    first.failed("Kafka", "c")
    assert waits.now() == (Wait("Kafka", "c", 10.0, 30.0), Wait("Postgres", "b", 20.0, 20.0))
    first.failed("Postgres", "d")  # another part, so another wait
    assert waits.now()[1] == Wait("Postgres", "d", 40.0, 40.0)
    first.over()
    second.over()
    second.over()
    assert waits.now() == ()
