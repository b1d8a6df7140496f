"""A tool: what its calls are published as. Nothing here raises into a call."""

import logging
from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import Any, Final, TypeGuard

from rollguard_client.calls.call import Call, current_call
from rollguard_client.calls.failures import Failure, NotJson, OriginOf, failure_of, is_cancelled
from rollguard_client.calls.open_calls import OpenCalls
from rollguard_client.messages.execution import ErrorOrigin
from rollguard_client.messages.fields import error_text, storable
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.signals import is_of_a_signal_handler
from rollguard_client.spans.current_span import claim
from rollguard_client.traces.current import has_spans

log = logging.getLogger("rollguard_client")

_MOST_OF_SESSION: Final = 255
_Said = Callable[[], Any]


class Tool:
    """One tool of an engine, and how its executions are published."""

    def __init__(
        self,
        name: str,
        publisher: Publisher,
        open_calls: OpenCalls,
        *,
        failed: Callable[[Any], Any] | None,
        origin_of: OriginOf | None,
        session: _Said | None,
        version: _Said | None,
    ) -> None:
        self.name = name
        self.key = name.encode()
        self._publisher = publisher
        self._put = publisher.put
        self._open = open_calls.calls
        self._failed = failed
        self._origin_of = origin_of
        self._session = session
        self._version = version
        self._has_logged = False

    @property
    def engine_id(self) -> str:
        """The engine of this process."""
        return self._publisher.engine_id

    def begin(self, kind: type[Call] = Call) -> Call:
        """Return a new call, which is the current one from now on."""
        version = self._version
        session = self._session
        call = kind(
            self,
            None if version is None else self._version_id(version),
            None if session is None else self._session_id(session),
            current_call.get(),
            perf_counter(),
        )
        if has_spans():
            self._claim_span(call)
        outer = call.outer
        if outer is not None and outer.is_of_hook and kind is Call:
            outer.tool.forget(outer)
        current_call.set(call)
        self._open[id(call)] = call
        if not self._publisher.is_started:
            self._publisher.start()
        return call

    def _claim_span(self, call: Call) -> None:
        try:
            call.span = claim(self.name, call.version_id)
        except Exception as error:
            self._log_raised("the current span could not be marked", error)

    def forget(self, call: Call) -> None:
        """Publish nothing of a call, whatever becomes of it."""
        self._open.pop(id(call), None)

    def suspend(self, call: Call) -> None:
        """Note that a generator has given an item: it waits, and is not stuck."""
        try:
            current_call.set(call.outer)
            call.busy_s += perf_counter() - call.began
            call.began = inf
        except RecursionError:
            return

    def resume(self, call: Call) -> None:
        """Note that a generator goes on."""
        try:
            call.outer = current_call.get()
            current_call.set(call)
            call.began = perf_counter()
        except RecursionError:
            return

    def put_off(self, call: Call) -> None:
        """Note that a call only begins when somebody awaits it, which may never happen."""
        self.suspend(call)
        self.forget(call)

    def take_up(self, call: Call) -> None:
        """Note that a call begins that was put off."""
        self._open[id(call)] = call
        self.resume(call)

    def succeed(self, call: Call, result: Any) -> None:
        """Publish a call that has returned, unless there is no room on the stack for that."""
        current_call.set(call.outer)
        if self._open.pop(id(call), None) is None:
            call.told = None
            return
        try:
            call.end()
            if self._failed is not None:
                self._note_failed_result(call, result)
            call.outer = call.told = None
            self._put(call)
        except RecursionError:
            return

    def fail(self, call: Call, error: BaseException) -> None:
        """Publish a call that has raised, unless there is no room on the stack for that."""
        current_call.set(call.outer)
        if self._open.pop(id(call), None) is None:
            call.told = None
            return
        try:
            call.end()
            try:
                call.fail(self._failure_of(call, error))
            except Exception as fault:
                self._log_raised("an exception could not be read", fault)
                call.fail(Failure(None, type(error).__name__, None))
            call.outer = call.told = None
            self._put(call)
        except RecursionError:
            return

    def publish_stuck(self, call: Call, after_s: float) -> None:
        """Publish a call that has not ended. Called in another thread than the call's own."""
        call.end()
        text = f"TimeoutError: the call has not ended after {after_s:g} s"
        call.fail(Failure(text, "TimeoutError", "environment"))
        self._put(call)

    def failure_of_load(self, error: BaseException) -> Failure:
        """Return what is published of a version that cannot be loaded."""
        return failure_of(error, self._whose(error))

    def _failure_of(self, call: Call, error: BaseException) -> Failure:
        origin = self._whose(error)
        if error is call.told and origin is None:
            # An inner call of this tool has published this failure, and it counts once.
            origin = "environment"
        outer = call.outer
        while outer is not None and outer.tool.name != self.name:
            outer = outer.outer
        if outer is not None and not outer.ended_at:  # the context of a task may have it for long
            outer.told = error
        return failure_of(error, origin)

    def _whose(self, error: BaseException) -> ErrorOrigin | None:
        """Return whose failure it is, as far as the program says it."""
        if is_cancelled(error) or isinstance(error, NotJson):
            return "caller"
        if self._origin_of is None:
            return None
        origin: ErrorOrigin | None = self._origin_said(self._origin_of, error)
        return origin

    def _origin_said(self, origin_of: OriginOf, error: BaseException) -> Any:
        try:
            origin = origin_of(error)
        except Exception as fault:
            self._log_raised("origin= has raised", fault)
            return None
        if origin in (None, "tool", "caller", "environment"):
            return origin
        self._log(f"origin= has returned {origin!r:.50}")
        return None

    def _note_failed_result(self, call: Call, result: Any) -> None:
        assert self._failed is not None
        try:
            said = self._failed(result)
            if not said:
                return
            text = said if isinstance(said, str) else result
            error = error_text(text) if isinstance(text, str) else "the result is an error"
            call.fail(Failure(error, None, None))
        except Exception as error:
            self._log_raised("failed= has raised", error)

    def _session_id(self, session: _Said) -> str | None:
        try:
            said = session()
            return None if said is None else storable(str(said)[:_MOST_OF_SESSION])
        except Exception as error:
            self._log_raised("session= has raised", error)
            return None

    def _version_id(self, version: _Said) -> int | None:
        try:
            said = version()
        except Exception as error:
            self._log_raised("version= has raised", error)
            return None
        if said is None or is_version_id(said):
            return said
        self._log(f"version= has returned {said!r:.50}")
        return None

    def _log_raised(self, text: str, error: Exception) -> None:
        """Log an exception of what the program has given us; raise what interrupts the program."""
        if is_of_a_signal_handler(error):
            raise error
        self._log(text)

    def _log(self, text: str) -> None:
        """Log the first fault of what the program has given us."""
        if not self._has_logged:
            self._has_logged = True
            log.exception("tool %s: %s", self.name, text)


def is_version_id(value: Any) -> TypeGuard[int]:
    """Return whether this can be the id of a version."""
    return type(value) is int and 0 < value < 2**31
