"""Alive or not, ready or not, and why: samples of stuck, waiting and idle workers."""

from collections.abc import Mapping

import pytest

from agents.worker.liveness import (
    BELIEVED_S,
    JOINING_S,
    STALLED_S,
    SUSPECT_S,
    Liveness,
    Phase,
    Sample,
)
from streams.offsets import Offsets
from streams.waits import Wait, Waits

STEP_S = 3.0
"""The time between two samples, as the monitor takes them."""
PLACE = "tool-executions[0]"


class Worker:
    """Feeds samples to a judge, one every ``STEP_S`` seconds."""

    def __init__(self) -> None:
        self.judge = Liveness()
        self.now = 1_000.0
        self.waits: tuple[Wait, ...] = ()

    def sees(
        self,
        partitions: Mapping[str, tuple[int, int]] | None,
        times: int = 1,
        phase: Phase = "running",
        recovered: int = 0,
    ) -> None:
        """Feed samples with these committed and end offsets."""
        for _ in range(times):
            self.now += STEP_S
            found = {name: Offsets(*each) for name, each in (partitions or {}).items()}
            known = None if partitions is None else found
            self.judge.observe(Sample(self.now, phase, recovered, known, self.waits))

    def waits_for(self, part: str, failed_s_ago: float = 0.0) -> None:
        self.waits = (Wait(part, "connection refused", self.now - 12, self.now - failed_s_ago),)

    @property
    def alive(self) -> bool:
        return self.judge.alive(self.waits, self.now).holds

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.judge.alive(self.waits, self.now).reasons


def samples(seconds: float) -> int:
    """Return how many samples make up these seconds; one more, because the first only begins."""
    return int(seconds / STEP_S) + 1


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_without_a_sample_it_is_alive(worker: Worker) -> None:
    assert worker.alive
    assert worker.reasons == ()


def test_lag_without_a_commit_is_stuck_after_30_s(worker: Worker) -> None:
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S) - 1)
    assert worker.alive
    worker.sees({PLACE: (5, 11)})  # 10 steps of 3 s after the first; that the log grows is no help
    assert not worker.alive
    assert worker.reasons == ("tool-executions[0]: 6 behind, nothing committed for 30 s",)
    worker.sees({PLACE: (6, 11)})
    assert worker.alive


def test_commits_that_advance_are_alive_however_far_behind(worker: Worker) -> None:
    for committed in range(100):
        worker.sees({PLACE: (committed, 1_000_000)})
        assert worker.alive


def test_no_lag_is_alive_for_ever(worker: Worker) -> None:
    worker.sees({PLACE: (7, 7)}, 1_000)
    assert worker.alive
    worker.sees({PLACE: (7, 8)}, samples(STALLED_S) - 1)  # its time begins with the record
    assert worker.alive


def test_one_stuck_partition_among_others_that_advance(worker: Worker) -> None:
    for committed in range(samples(STALLED_S)):
        worker.sees({PLACE: (5, 9), "tool-executions[1]": (committed, 999)})
    assert not worker.alive
    assert len(worker.reasons) == 1


def test_a_partition_that_moved_away_is_not_ours_to_judge(worker: Worker) -> None:
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S))
    assert not worker.alive
    worker.sees({"tool-executions[1]": (3, 3)})
    assert worker.alive
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S) - 1)  # and begins anew when it comes back
    assert worker.alive


def test_a_topic_made_anew(worker: Worker) -> None:
    worker.sees({PLACE: (500, 500)}, 5)
    worker.sees({PLACE: (500, 3)}, 100)  # shorter than what was committed: nothing to commit
    assert worker.alive
    worker.sees({PLACE: (0, 3)}, samples(STALLED_S) - 1)
    assert worker.alive
    worker.sees({PLACE: (0, 3)})
    assert not worker.alive


def test_a_wait_with_retries_is_alive_and_said(worker: Worker) -> None:
    for _ in range(1_000):
        worker.waits_for("Postgres", failed_s_ago=10)
        worker.sees({PLACE: (5, 9)})
        assert worker.alive
    assert worker.reasons == ("waits for Postgres for 15 s: connection refused",)


def test_after_a_wait_the_worker_has_its_time_again(worker: Worker) -> None:
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S))
    worker.waits_for("Kafka")
    worker.sees(None)
    worker.waits = ()
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S) - 1)
    assert worker.alive
    worker.sees({PLACE: (5, 9)})
    assert not worker.alive


def test_a_call_that_hangs_is_no_wait(worker: Worker) -> None:
    worker.waits_for("Postgres")
    worker.sees({PLACE: (5, 9)}, samples(BELIEVED_S))
    assert worker.alive
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S))
    assert not worker.alive
    assert [reason.split(" for ")[0] for reason in worker.reasons] == [
        "tool-executions[0]: 4 behind, nothing committed",
        "waits",
    ]


@pytest.mark.parametrize("phase", ["starting", "rebalancing", "recovering"])
def test_joining_that_never_ends_is_stuck(worker: Worker, phase: Phase) -> None:
    worker.sees(None, samples(JOINING_S), phase)
    assert worker.alive
    worker.sees(None, 1, phase)
    assert not worker.alive
    assert worker.reasons == (f"{phase} for 51 s without progress",)
    worker.sees({PLACE: (5, 9)})
    assert worker.alive


def test_a_recovery_that_gets_on_may_take_its_time(worker: Worker) -> None:
    for recovered in range(1_000):
        worker.sees(None, 1, "recovering", recovered * 10)
        assert worker.alive


def test_rebalances_without_end_are_stuck_though_each_recovers_something(worker: Worker) -> None:
    for _ in range(samples(JOINING_S)):
        worker.sees(None, 1, "rebalancing", 0)
        worker.sees(None, 1, "recovering", 40)
    assert not worker.alive


def test_rebalances_do_not_turn_the_clocks_of_partitions_back(worker: Worker) -> None:
    for _ in range(samples(STALLED_S)):
        worker.sees({PLACE: (5, 9)})
        worker.sees(None, 2, "rebalancing")
    assert not worker.alive


def test_a_process_that_stood_still_is_not_stuck(worker: Worker) -> None:
    worker.sees({PLACE: (5, 9)}, 3)
    worker.now += 3_600
    worker.sees({PLACE: (5, 9)}, 3)
    assert worker.alive


def test_a_broker_that_does_not_say_turns_no_clock_back(worker: Worker) -> None:
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S) - 1)
    worker.sees(None)
    worker.sees({PLACE: (5, 9)})
    assert not worker.alive


def test_what_may_be_stuck_is_known_before(worker: Worker) -> None:
    worker.sees({PLACE: (5, 9), "b": (9, 9)}, samples(SUSPECT_S))
    assert worker.judge.suspects() == [PLACE]


def ready(worker: Worker, phase: Phase = "running", assigned: int = 1) -> list[str]:
    answer = worker.judge.ready(worker.waits, worker.now, phase, assigned)
    assert answer.holds == (not answer.reasons)
    return list(answer.reasons)


def test_ready_says_each_reason_why_not(worker: Worker) -> None:
    assert ready(worker, "starting", 0) == ["starting"]
    assert ready(worker) == ["the broker was not asked yet"]
    worker.sees({PLACE: (5, 5)})
    assert ready(worker) == []
    assert ready(worker, "recovering") == ["recovering"]
    assert ready(worker, assigned=0) == ["no partitions assigned"]
    worker.waits_for("Postgres")
    assert ready(worker, "rebalancing") == [
        "waits for Postgres for 12 s: connection refused",
        "rebalancing",
    ]
    worker.waits = ()
    worker.sees({PLACE: (5, 9)}, samples(STALLED_S))
    assert ready(worker) == ["tool-executions[0]: 4 behind, nothing committed for 30 s"]


def test_waits_know_since_when_and_when_they_last_tried() -> None:
    clock = iter([10.0, 20.0, 30.0, 40.0])
    waits = Waits(lambda: next(clock))
    first, second = waits.ticket(), waits.ticket()
    assert waits.now() == ()
    first.failed("Kafka", "a")
    second.failed("Postgres", "b")
    first.failed("Kafka", "c")
    assert waits.now() == (Wait("Kafka", "c", 10.0, 30.0), Wait("Postgres", "b", 20.0, 20.0))
    first.failed("Postgres", "d")  # another part: another wait
    assert waits.now()[1] == Wait("Postgres", "d", 40.0, 40.0)
    first.over()
    second.over()
    second.over()
    assert waits.now() == ()
