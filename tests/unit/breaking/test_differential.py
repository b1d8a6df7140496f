"""The verdict on generated pairs, against what the running Python does with them."""

import pytest

from tests.differential.run import judge_pairs
from tests.differential.subjects import SUBJECTS
from tests.support.cases import cases


@pytest.mark.exhaustive
@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_verdict_is_what_happens(subject: str) -> None:
    """Few pairs; ``make differential`` takes 5,000 of each subject."""
    pairs = cases(360)
    counts = judge_pairs(SUBJECTS[subject], pairs, seed=7)
    assert counts.misses == []
    assert len(counts.false_alarms) <= 2, counts.false_alarms
    assert counts.broken > pairs // 8
