"""The histogram against sorted lists."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from policy.state.quality.tail import EDGES, LOWEST_BIN, MOST_BINS, Histogram, Tail, bin_of
from tests.support.policy.oracle import quality as oracle

numbers = st.one_of(
    st.floats(0, 1e300),
    st.sampled_from((0.0, 5e-324, 1.0, 100.0, 112.0, 1e300)),
    st.floats(50, 200),
    st.sampled_from(EDGES),
)


def tail_of(found: list[float]) -> Tail | None:
    histogram = Histogram()
    for number in found:
        histogram.add((number,))
    return histogram.tail()


@given(st.lists(numbers, max_size=80))
def test_the_tail_is_that_of_the_sorted_list(found: list[float]) -> None:
    tail, expected = tail_of(found), oracle.tail_of(found)
    assert (tail and (tail.threshold, tail.counted, tail.above)) == expected


@given(st.lists(numbers, min_size=1, max_size=80), st.randoms(use_true_random=False))
def test_the_order_and_the_portions_do_not_matter(found: list[float], random: Random) -> None:
    shuffled = random.sample(found, len(found))
    whole = Histogram()
    begun = 0
    while begun < len(shuffled):
        end = begun + random.randint(1, 9)
        whole.add(shuffled[begun:end])
        begun = end
    one_by_one = Histogram()
    for number in found:
        one_by_one.add((number,))
    assert whole == one_by_one
    assert whole.counted == len(found)
    assert len(whole.bins) <= MOST_BINS


@given(st.lists(numbers, min_size=1, max_size=80))
def test_at_most_one_of_twenty_lies_in_the_tail(found: list[float]) -> None:
    tail = tail_of(found)
    assert tail is not None
    if len({bin_of(number) for number in found}) <= MOST_BINS:
        assert tail.above * 20 <= len(found)
    assert tail.above == sum(number >= tail.limit for number in found)


@given(numbers)
def test_a_number_lies_between_the_edges_of_its_bin(number: float) -> None:
    found = bin_of(number)
    assert found == oracle.bin_of(number)
    above = found - LOWEST_BIN
    assert above == 0 or EDGES[above - 1] <= number
    assert above == len(EDGES) or number < EDGES[above]


def test_a_bin_is_at_most_an_eighth_wide() -> None:
    assert all(below < above <= below * 1.125 for below, above in pairwise(EDGES))


def test_without_numbers_there_is_no_tail() -> None:
    assert Histogram().tail() is None
