"""An event loop in a thread of its own, made anew in each process that uses it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from rollguard_client.publishing.quiet import end_quiet, keep_quiet

T = TypeVar("T")

_OF_PARENT: Final[list[object]] = []
"""Loops of the process before a fork. They are kept, because to close one would take the sockets
out of the parent's loop, too: both have the same list of sockets in the kernel."""


class Background:
    """A loop that is started when it is first used, and after a fork again.

    A plain one has threads for what blocks, and logs what its libraries log.
    """

    def __init__(self, name: str = "rollguard-client", *, is_plain: bool = False) -> None:
        self._name = name
        self._is_plain = is_plain
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started in this process."""
        return self._loop is not None

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller runs in the background thread."""
        return threading.current_thread() is self._thread

    def start(self, work: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Start the thread unless it runs, and begin this work with it. Raises RuntimeError."""
        with self._lock:
            if self._loop is not None:
                return
            # Not what a policy may give, such as uvloop: it must survive a fork.
            loop = asyncio.SelectorEventLoop()
            if not self._is_plain:
                loop.set_default_executor(_InThisThread(1))
            thread = threading.Thread(
                target=_run, args=(loop, work, self._is_plain), name=self._name, daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                loop.close()
                raise
            self._loop, self._thread = loop, thread

    def call(self, function: Callable[[], None]) -> None:
        """Call the function in the loop, soon."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(function)
            except RuntimeError:
                return  # it was closed meanwhile

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin the work in the loop, and return its future."""
        self.start()
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self, wait_s: float) -> None:
        """End the thread, and wait for that at most ``wait_s`` seconds."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(wait_s)

    def after_fork(self) -> None:
        """Forget the thread, which is in the parent."""
        _OF_PARENT.append((self._loop, self._thread))
        self._lock = threading.Lock()
        self._loop = self._thread = None


def _run(
    loop: asyncio.AbstractEventLoop,
    work: Callable[[], Coroutine[Any, Any, None]] | None,
    is_plain: bool,
) -> None:
    if not is_plain:
        keep_quiet(threading.get_ident())
    try:
        _run_loop(loop, work)
    finally:  # now the tasks are gone, of which asyncio may say something
        end_quiet(threading.get_ident())


def _run_loop(
    loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, None]] | None
) -> None:
    asyncio.set_event_loop(loop)
    task = None if work is None else loop.create_task(work())
    try:
        loop.run_forever()
        others = asyncio.all_tasks(loop)
        for each in others:
            each.cancel()
        if others:
            loop.run_until_complete(asyncio.wait(others, timeout=2.0))
    finally:
        del task
        loop.close()


class _InThisThread(ThreadPoolExecutor):
    """Does the work at once. Nothing else uses the loop, and a program that ends has no threads."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future
