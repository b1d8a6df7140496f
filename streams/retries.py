"""Retries: a call is repeated for as long as it raises Retryable."""

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
from schemas.printable import printable
from streams.waits import Ticket, Waits

log = structlog.get_logger()
T = TypeVar("T")


async def retry_without_limit(call: Callable[[], Awaitable[T]], waits: Waits) -> T:
    """Return the result of ``call``, for a worker that handles records.

    The call is repeated without limit, because later records must wait for it. Each wait is logged.
    """
    return await _again(call, wait_random_exponential(multiplier=0.1, max=10), _log_waiting, waits)


async def when_it_answers(call: Callable[[], Awaitable[T]], waits: Waits | None = None) -> T:
    """Return the result of ``call``, for a process that starts.

    The call is repeated without limit. Each wait is printed on stderr.
    """
    return await _again(
        call, wait_exponential_jitter(multiplier=0.5, max=10), _print_waiting, waits or Waits()
    )


async def _again(
    call: Callable[[], Awaitable[T]],
    wait: wait_base,
    report: Callable[[RetryCallState], None],
    waits: Waits,
) -> T:
    ticket = waits.ticket()

    def note(state: RetryCallState) -> None:
        report(state)
        _note(ticket, _cause(state))

    try:
        async for attempt in AsyncRetrying(
            wait=wait, retry=retry_if_exception_type(Retryable), before_sleep=note
        ):
            with attempt:
                result = await call()
    finally:
        ticket.over()
    return result


def _note(ticket: Ticket, cause: BaseException | None) -> None:
    if isinstance(cause, Retryable):
        ticket.failed(cause.part, cause.cause)


def _log_waiting(state: RetryCallState) -> None:
    log.warning("waiting", attempt=state.attempt_number, cause=str(_cause(state)))


def _print_waiting(state: RetryCallState) -> None:
    print(f"waiting for {printable(str(_cause(state)))}", file=sys.stderr, flush=True)


def _cause(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
