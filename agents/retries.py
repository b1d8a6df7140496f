"""Waiting for another part: the same call again, in place, for as long as it raises Retryable."""

import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_exponential_jitter,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from schemas.errors import Retryable

log = structlog.get_logger()
T = TypeVar("T")


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The result of ``call`` while work is in hand: without limit, so that the order holds; each
    wait is logged."""
    return await _again(call, wait_random_exponential(multiplier=0.1, max=10), _log_waiting)


async def when_it_answers(call: Callable[[], Awaitable[T]]) -> T:
    """The result of ``call`` at start, without limit; each wait is said on stderr."""
    return await _again(call, wait_exponential_jitter(multiplier=0.5, max=10), _say_waiting)


async def _again(
    call: Callable[[], Awaitable[T]], wait: wait_base, tell: Callable[[RetryCallState], None]
) -> T:
    async for attempt in AsyncRetrying(
        wait=wait, retry=retry_if_exception_type(Retryable), before_sleep=tell
    ):
        with attempt:
            result = await call()
    return result


def _log_waiting(state: RetryCallState) -> None:
    log.warning("waiting", attempt=state.attempt_number, cause=str(_cause(state)))


def _say_waiting(state: RetryCallState) -> None:
    print(f"waiting for {_cause(state)}", file=sys.stderr, flush=True)


def _cause(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
