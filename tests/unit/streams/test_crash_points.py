"""The steps at which a test has a worker die: what the variable may say."""

import pytest

from schemas.errors import Misconfigured
from streams import crash_points as steps


@pytest.mark.parametrize(
    "text",
    ["applier.committed", "kill:nowhere", "burn:applier.committed", "kill:applier.committed@0"],
)
def test_what_names_no_step_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="ROLLGUARD_TEST_STEP"):
        steps.arm({"ROLLGUARD_TEST_STEP": text})


def test_without_the_variable_nothing_happens() -> None:
    steps.arm({})
    for step in steps.CRASH_POINTS:
        steps.crash_point(step)


def test_it_happens_once_at_the_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("streams.crash_points.os.kill", lambda _, number: sent.append(number))
    steps.arm({"ROLLGUARD_TEST_STEP": "stop:recorder.committed@2"})
    counts = []
    for _ in range(4):
        steps.crash_point("detector.folded")
        steps.crash_point("recorder.committed")
        counts.append(len(sent))
    assert counts == [0, 1, 1, 1]
