"""The offset that may be committed while records are set aside."""

from hypothesis import given
from hypothesis import strategies as st

from streams.driver.progress import Progress


def test_the_oldest_record_that_is_set_aside_holds_the_offset() -> None:
    progress = Progress()
    progress.handled_to(5)
    assert progress.committable == 5
    for offset in (9, 7):
        progress.set_aside(offset)
    progress.handled_to(12)
    assert progress.committable == 7
    progress.resume(7)
    assert progress.committable == 9
    progress.resume(9)
    assert progress.committable == 12


@given(st.lists(st.sampled_from(["done", "aside", "resume"])))
def test_nothing_before_the_offset_is_left(steps: list[str]) -> None:
    progress, read = Progress(), 0
    left: list[int] = []
    for step in steps:
        if step == "resume":
            if left:
                progress.resume(left.pop(len(left) // 2))
        else:
            if step == "aside":
                progress.set_aside(read)
                left.append(read)
            read += 1
            progress.handled_to(read)
        assert progress.committable == min([*left, read])
