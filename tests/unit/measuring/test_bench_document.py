"""The document of the benchmarks: a part's section is replaced, and nothing else."""

from pathlib import Path

import pytest

from bench.results import Result, cells_of, quantiles
from documentation.sections import MeasuredDocument
from documentation.tables import section

HEADER = "# Measured\n\nHow.\n"
DOCUMENT = MeasuredDocument(Path("measured.md"), HEADER, ("first", "the second"))


def written(part: str, *values: float) -> str:
    result = Result(part, "all", "CPU", "µs", values)
    return section(part, "What was measured.", "2 cores", cells_of([result]))


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((12.34,), "12.3"),
        ((1.234, 3.0, 2.0), "2 (1.23–3)"),
        ((1_234_567.8,), "1,234,568"),
        ((0.0, 0.0), "0 (0–0)"),
    ],
)
def test_a_cell_is_the_median_with_its_spread(values: tuple[float, ...], shown: str) -> None:
    assert Result("part", "all", "CPU", "µs", values).shown == shown


def test_cells_without_a_value_are_empty() -> None:
    text = section(
        "part",
        "About.",
        "2 cores",
        cells_of([Result("part", "a", "x", "s", (1.0,)), Result("part", "b", "y", "", (2.0,))]),
    )
    assert text.splitlines()[-4:] == [
        "| | x, s | y |",
        "|---|---:|---:|",
        "| a | 1 |  |",
        "| b |  | 2 |",
    ]


def test_sections_stand_in_their_order_and_the_others_stay() -> None:
    second = DOCUMENT.replaced("", "the second", written("the second", 1.0))
    both = DOCUMENT.replaced(second, "first", written("first", 2.0))
    assert both == "\n".join([HEADER, written("first", 2.0), written("the second", 1.0)])
    again = DOCUMENT.replaced(both, "first", written("first", 3.0))
    assert again == both.replace(written("first", 2.0), written("first", 3.0))


def test_a_part_that_is_no_more_is_left_out() -> None:
    old = DOCUMENT._replace(order=("old",)).replaced("", "old", written("old", 1.0))
    assert "## old" not in DOCUMENT.replaced(old, "first", written("first", 2.0))


def test_a_file_is_made_and_then_changed_in_one_section(tmp_path: Path) -> None:
    document = DOCUMENT._replace(path=tmp_path / "measured.md")
    document.write("first", written("first", 1.0))
    document.write("the second", written("the second", 2.0))
    assert document.path.read_text() == "\n".join(
        [HEADER, written("first", 1.0), written("the second", 2.0)]
    )


def test_quantiles_are_of_each_round_and_in_milliseconds() -> None:
    rounds = [[number / 1000 for number in range(101)], [1.0] * 101]
    found = {result.measure: result.values for result in quantiles("part", "all", rounds)}
    assert found["p50"] == pytest.approx((50.0, 1000.0))
    assert found["p99"] == pytest.approx((99.0, 1000.0))
    assert found["max"] == pytest.approx((100.0, 1000.0))
