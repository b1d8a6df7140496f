"""The suspend watchdog ends a process that stood still for too long, before it sends."""

import asyncio

import pytest

from streams.suspend_watchdog import TICK_S, SuspendWatchdog, limit_of


class Process:
    """A process with a clock that can be set, and the texts with which it was ended."""

    def __init__(self, limit_s: float = 5.0) -> None:
        self.now = 100.0
        self.ends: list[str] = []
        self.watchdog = SuspendWatchdog(limit_s, lambda: self.now, self.ends.append)


@pytest.mark.parametrize(
    ("stood_s", "ends"), [(0, False), (5.0, False), (5.1, True), (3_600, True)]
)
def test_it_ends_if_it_stood_still_for_longer_than_the_limit(stood_s: float, ends: bool) -> None:
    for method in ("check", "tick"):
        process = Process()
        process.now += stood_s
        getattr(process.watchdog, method)()
        assert bool(process.ends) == ends


def test_ticks_prevent_the_end() -> None:
    process = Process()
    for _ in range(10):
        process.now += 4
        process.watchdog.tick()
    process.now += 5
    process.watchdog.check()
    assert process.ends == []


@pytest.mark.parametrize("session_s", [6, 10, 45])
def test_the_limit_ends_before_the_session_can_end(session_s: int) -> None:
    """When the process stops, its last heartbeat is at most a fifth of the session old.

    Its last tick is at most one tick old.
    """
    assert limit_of(session_s) + TICK_S + session_s / 5 <= session_s + 1e-9


def test_nothing_is_sent_after_standing_still() -> None:
    class Client:
        def __init__(self) -> None:
            self.sent: list[str] = []

        async def send(self, node: int, request: str) -> None:
            self.sent.append(request)

    class Ended(Exception):
        pass

    def end(_: str) -> None:
        raise Ended

    now = 0.0
    watchdog = SuspendWatchdog(5.0, lambda: now, end)
    client = Client()
    watchdog.before_requests_of(client)
    asyncio.run(client.send(1, "row"))
    now = 60.0
    with pytest.raises(Ended):
        asyncio.run(client.send(1, "old row"))
    assert client.sent == ["row"]
