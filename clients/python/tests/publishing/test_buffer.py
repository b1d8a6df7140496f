"""The buffer has limits, drops the oldest, and counts what it drops."""

import threading
from typing import Any

import pytest

from rollguard_client.publishing.buffer import Buffer, Record


class Item:
    place = None

    def __init__(self, number: int, size: int = 1) -> None:
        self.number = number
        self.size = size

    def record(self, new_id: Any) -> Record:
        raise AssertionError


def numbers(buffer: Buffer, most: int = 1_000_000) -> list[int]:
    return [each.number for each in buffer.take(most) if isinstance(each, Item)]


@pytest.mark.parametrize(("records", "size"), [(3, 10**9), (10**9, 30)])
def test_the_oldest_are_dropped(records: int, size: int) -> None:
    buffer = Buffer(records, size)
    for number in range(10):
        buffer.put(Item(number, 10))
    assert (len(buffer), buffer.dropped) == (3, 7)
    assert numbers(buffer, 2) == [7, 8]
    for number in range(10, 12):
        buffer.put(Item(number, 10))
    assert (numbers(buffer), buffer.dropped) == ([9, 10, 11], 7)


def test_one_that_is_too_large_is_dropped_and_the_next_ones_are_kept() -> None:
    buffer = Buffer(10, 100)
    buffer.put(Item(1, 101))
    buffer.put(Item(2, 100))
    assert (numbers(buffer), buffer.dropped) == ([2], 1)


def test_many_threads_put_and_one_takes() -> None:
    buffer = Buffer(100, 10**9)
    taken: list[int] = []

    def put(begin: int) -> None:
        for number in range(begin, begin + 5_000):
            buffer.put(Item(number))

    threads = [threading.Thread(target=put, args=(begin,)) for begin in range(0, 20_000, 5_000)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += numbers(buffer, 50)
    taken += numbers(buffer)
    assert len(taken) == len(set(taken)) == 20_000 - buffer.dropped


def test_a_put_within_a_put_does_not_wait_for_itself() -> None:
    """A signal handler may call a tool while a record is put."""
    buffer = Buffer(10, 100)
    with buffer.lock:
        buffer.put(Item(1))
    assert len(buffer) == 1
