"""The ids of events."""

import pytest

from console.events.positions import MAX_TEXT, Positions


@pytest.mark.parametrize(
    "text", ["r5.0.7-d1.2", "r-d", "r0-d0", "r-d3", f"r{10**18}-d", "r1.2.3.4-d4.3.2.1"]
)
def test_an_id_is_read_as_it_was_written(text: str) -> None:
    assert Positions.parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "r", "r1", "d1-r1", "r1-d1 ", "r1-d-1", "r1,2-d3", "r1..2-d3", "r.1-d3", "r1.-d3"),
        *("r٣-d1", "r1-d1\n", "r" + "1." * MAX_TEXT + "1-d1", f"r{10**19}-d1"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the id of an event"):
        Positions.parse(text)


def test_the_id_after_an_event_leads_to_the_next_one() -> None:
    before = Positions.parse("r5.0-d1")
    after = before.after(("rollbacks", 1), 7)
    assert after.text == "r5.8-d1"
    assert after.after(("rollbacks", 1), 3) == after
    assert after.after(("deployments", 2), 0).text == "r5.8-d1.0.1"
    assert before.text == "r5.0-d1"
