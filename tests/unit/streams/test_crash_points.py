"""Crash points: the variable of the tests' worker names one, at which a signal is sent once."""

import pytest

from streams.crash_points import CRASH_POINTS, crash_point
from tests.support.systems.armed_worker import arm


@pytest.fixture(autouse=True)
def disarm_after_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.crash_points.at_crash_point", None)


@pytest.mark.parametrize(
    "text",
    ["applier.committed", "kill:nowhere", "burn:applier.committed", "kill:applier.committed@0"],
)
def test_a_text_without_a_crash_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ROLLGUARD_TEST_CRASH_POINT"):
        arm({"ROLLGUARD_TEST_CRASH_POINT": text})


def test_without_the_variable_nothing_happens() -> None:
    arm({})
    for name in CRASH_POINTS:
        crash_point(name)


def test_the_signal_is_sent_once_at_the_given_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(
        "tests.support.systems.armed_worker.os.kill", lambda _, number: sent.append(number)
    )
    arm({"ROLLGUARD_TEST_CRASH_POINT": "stop:recorder.committed@2"})
    counts = []
    for _ in range(4):
        crash_point("detector.folded")
        crash_point("recorder.committed")
        counts.append(len(sent))
    assert counts == [0, 1, 1, 1]
