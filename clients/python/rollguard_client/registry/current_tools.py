"""The current tools of an engine: `tool-versions` is followed, and the newest versions are in use.

The registry of the server and that of the client are made of this.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Container, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from rollguard_client.errors import Rejected, Retryable, RollguardError
from rollguard_client.event_log import EventLog
from rollguard_client.registry.interruption import Contained
from rollguard_client.registry.kafka_silence import KafkaSilence
from rollguard_client.registry.kept_versions import KeptVersion, KeptVersions, Proof
from rollguard_client.registry.loads import SHOWN, L, Loads
from rollguard_client.registry.versions import V, is_genuine, named
from rollguard_client.tasks import end_tasks
from rollguard_client.traces.reload import Cause, cause_in, end_reload

if TYPE_CHECKING:  # it is imported only if signatures are wanted
    from rollguard_client.registry.admission import Admission, VersionRecord

__all__ = ["CurrentTools", "Reader", "Source"]

T = TypeVar("T")

_RETRY_S: Final = 1.0
_KEEP_S: Final = 5.0
"""How long the end of the registry may wait for the disk."""


class Reader(Protocol):
    """A reader of `tool-versions`, from its beginning."""

    @property
    def heard_at(self) -> datetime:
        """The time since which some partition has not been heard."""

    async def poll(self) -> Sequence[Any]:
        """Return the next records."""

    async def caught_up(self) -> bool:
        """Return whether everything was polled that the topic held when it was opened."""


@dataclass(frozen=True)
class Source(Generic[V]):
    """Where versions come from."""

    opened: Callable[[], AbstractAsyncContextManager[Reader]]
    """Opens a reader. Raises Retryable and Misconfigured."""
    read: Callable[[bytes | None], V]
    """Makes a version of a record's value. Raises Rejected."""
    kept: KeptVersions[V]
    in_thread: Callable[..., Coroutine[Any, Any, Any]]
    """Calls a function that uses the disk with arguments, in a thread."""
    wait_s: float


class CurrentTools(Generic[V, L]):
    """The tools that are in use, in one event loop; any thread may call ``get``.

    Of each chosen tool it loads the version with the largest ``activation``; the version before
    stays in use until that is done. A tool for which ``is_lazy`` holds is loaded when it is first
    asked for. ``loaded`` is what is in use already.
    """

    def __init__(
        self,
        source: Source[V],
        loads: Loads[V, L],
        log: EventLog,
        *,
        chosen: Container[str],
        is_lazy: Callable[[str], bool],
        loaded: Mapping[str, L] | None = None,
    ) -> None:
        self._source = source
        self._loads = loads
        self._log = log
        self._chosen = chosen
        self._is_lazy = is_lazy
        self._kept = source.kept
        self.admission: Admission[V] | None = None
        """What admits versions if signatures are wanted. Set it before the tools are followed."""
        self._wanted: set[str] = set()  # tools that were asked for
        self._loop: asyncio.AbstractEventLoop | None = None  # while it is begun
        self._is_reading = False  # whether the topic was not read to its end yet
        self._following: asyncio.Task[None] | None = None
        self._loaded: dict[str, L] = dict(loaded or {})
        self._newest: dict[str, V] = {}
        self._causes: dict[str, Cause] = {}  # of versions that came while others were in use
        self._to_load: dict[str, None] = {}  # a dict as an ordered set: the order of the offers
        self._change = asyncio.Condition()
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeping = asyncio.Lock()
        self._keep_tasks: set[asyncio.Task[None]] = set()
        self._unconfirmed: dict[str, V] = {}  # versions that only the disk has named
        self._unused: dict[str, None] = {}  # tools with a newer version that nobody asked for
        self._silence = KafkaSilence(log)
        self.caught_up = asyncio.Event()
        self.on_change: list[Callable[[L], None]] = []
        self.on_drop: list[Callable[[L], None]] = []

    @property
    def silent_since(self) -> datetime | None:
        """Since when nothing is heard from Kafka; None while it answers."""
        return self._silence.since

    @property
    def loaded(self) -> dict[str, L]:
        """What is in use now, by the name of the tool."""
        return dict(self._loaded)

    def get(self, tool_name: str) -> L | None:
        """Return what is in use now; the first call for a tool begins to load it."""
        loaded = self._loaded.get(tool_name)
        if loaded is None and self._want(tool_name) and self._loop is not None:
            self._loop.call_soon_threadsafe(self._load_soon, tool_name)
        return loaded

    async def load(self, tool_name: str) -> L | None:
        """Load the current version of a tool unless the tool is in use, and return what is in use.

        If the topic is not read to its end yet, wait until it is. Return None if the tool has no
        version, or is not one of the chosen ones.
        """
        if not self._want(tool_name) and self._is_reading:
            await self.caught_up.wait()
        if tool_name not in self._loaded and self._want(tool_name):
            await self._swap(tool_name)
        return self._loaded.get(tool_name)

    def _want(self, tool_name: str) -> bool:
        """Note that the tool is asked for, and return whether a version of it can be loaded now.

        As long as the topic is read, only a kept version can be: the topic may hold a newer one
        than the one that was read last.
        """
        if tool_name not in self._chosen:
            return False
        self._wanted.add(tool_name)
        if self._is_reading:
            return tool_name in self._unconfirmed
        return tool_name in self._newest

    def _load_soon(self, tool_name: str) -> None:
        if self._loop is not None and not self._loading[tool_name].locked():
            self._start(self._swap(tool_name))

    async def wait_for(self, tool_name: str, predicate: Callable[[L], bool], timeout: float) -> L:
        """Return what is in use as soon as the predicate holds for it. Raises TimeoutError."""
        if tool_name not in self._loaded and self._want(tool_name):
            self._load_soon(tool_name)

        def holds() -> bool:
            loaded = self._loaded.get(tool_name)
            return loaded is not None and predicate(loaded)

        await self._wait_until(holds, timeout)
        return self._loaded[tool_name]

    async def _wait_until(self, holds: Callable[[], bool], timeout: float) -> None:
        """Return when this holds; it is asked now, and after each change. Raises TimeoutError."""

        async def wait() -> None:
            async with self._change:
                await self._change.wait_for(holds)

        try:
            await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            raise TimeoutError from None

    async def reload(self, version: V) -> None:
        """Bring this version into use at once, unless a newer one of its tool is in use.

        A load that failed before is tried again. If signatures are wanted, wait for the topic at
        most ``wait_s`` seconds, because the version is signed there.
        """
        if version.tool_name not in self._chosen:
            return
        self._want(version.tool_name)
        if self.admission is None:
            self._take_in(version)
        elif not await self._is_admitted(version):
            return
        self._to_load.pop(version.tool_name, None)
        if version.tool_name in self._newest:
            self._unconfirmed.pop(version.tool_name, None)
            await self._swap(version.tool_name)

    async def _is_admitted(self, version: V) -> bool:
        """Return whether the topic has this version, or a newer one, within ``wait_s`` seconds."""
        tool_name, wait_s = version.tool_name, self._source.wait_s

        def is_here() -> bool:
            newest = self._newest.get(tool_name)
            return newest is not None and newest.activation >= version.activation

        try:
            await self._wait_until(is_here, wait_s)
        except TimeoutError:
            self._log.error("tool_version_not_signed", **named(version), waited_s=wait_s)
            return False
        return True

    def offer(self, value: bytes | None, record: "VersionRecord | None" = None) -> None:
        """Take one value of `tool-versions`. ``load_offered`` then loads what is new.

        A value that is no version, or whose code is not genuine, is logged and ignored. If
        signatures are wanted, ``record`` is needed, which has the signature.
        """
        try:
            version = self._source.read(value)
        except Rejected as error:
            self._log.error("tool_version_unreadable", error=str(error)[:SHOWN])
            return
        self._take_in(version, record)

    def _take_in(self, version: V, record: "VersionRecord | None" = None) -> None:
        if version.tool_name not in self._chosen:
            return
        newest = self._newest.get(version.tool_name)
        is_old = newest is not None and version.activation <= newest.activation
        if is_old and self.admission is None:
            return
        try:
            if not is_genuine(version):
                raise Rejected("code_hash is not the SHA-256 of the code")
            if self.admission is not None:
                self.admission.admit(version, record)
        except Rejected as error:
            self._log_refused(version, error)
            return
        if is_old:
            return  # somebody has vouched for it again
        self._newest[version.tool_name] = version
        if self._waits_to_be_asked(version.tool_name):
            self._unused[version.tool_name] = None
        else:
            self._to_load[version.tool_name] = None
            self._note_cause(version, record)

    def _note_cause(self, version: V, record: Any) -> None:
        """Remember in which trace a version became current; what is read at a start has none."""
        self._causes.pop(version.tool_name, None)
        cause = None if self._is_reading else cause_in(record, version)
        if cause is not None:
            self._causes[version.tool_name] = cause

    def _waits_to_be_asked(self, tool_name: str) -> bool:
        return self._is_lazy(tool_name) and tool_name not in self._wanted

    async def load_offered(self) -> None:
        """Load the versions that were offered and not loaded yet, of each tool only the newest.

        Some of them are loaded side by side, so that a slow tool does not delay the others. Of
        tools that nobody has asked for nothing is loaded.
        """
        tools = tuple(self._to_load)
        self._to_load.clear()
        await asyncio.gather(*(self._swap(tool_name) for tool_name in tools))
        await self._keep_unused()

    async def _keep_unused(self) -> None:
        """Replace the kept versions of tools that nobody asked for since the start."""
        versions = [self._newest[tool_name] for tool_name in self._unused]
        self._unused.clear()
        if versions:
            kept = [KeptVersion(version, self._proof_of(version)) for version in versions]
            async with self._keeping:
                await self._source.in_thread(self._kept.replace, kept)

    async def begin(self, *, is_patient: bool = False) -> None:
        """Return when the topic can be read, or when the kept versions are in use.

        Raises Retryable if the broker does not answer and no version is kept, and Misconfigured; a
        patient engine goes on trying instead.
        """
        self._loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = self._loop.create_future()
        self._is_reading = True
        self._following = self._start(self._follow(started))
        try:
            await started
        except RollguardError as error:
            is_away = isinstance(error, Retryable)
            uses_kept = (is_away or is_patient) and await self._load_kept()
            if not (uses_kept or is_patient):
                raise
            if is_away:
                self._silence.began(str(error))
            else:
                self._log.error("tool_versions_interrupted", error=str(error))
            if self._loop is None:
                return  # it was stopped meanwhile
            self._following = self._start(self._follow(started))

    def read_again(self) -> None:
        """Read the topic from its beginning: tools are chosen now that were not chosen before."""
        if self._following is None or self._loop is None:
            return
        self._following.cancel()
        self._is_reading = True
        self.caught_up.clear()
        started = self._loop.create_future()
        started.set_result(None)
        self._following = self._start(self._follow(started))

    async def _follow(self, started: "asyncio.Future[None]") -> None:
        """Read without end.

        An error before ``started`` is set becomes the error of ``started``. After that, reading is
        tried again; the same error is logged once.
        """
        logged = ""
        while True:
            try:
                await self._read(started)
            except Exception as error:  # noqa: PERF203 - reading is tried again
                if not started.done():
                    started.set_exception(error)
                    return
                if isinstance(error, Retryable):
                    self._silence.began(str(error))
                elif logged != str(error):
                    logged = str(error)
                    self._log.exception("tool_versions_interrupted", retry_after_s=_RETRY_S)
                await asyncio.sleep(_RETRY_S)

    async def _read(self, started: "asyncio.Future[None]") -> None:
        async with self._source.opened() as reader:
            if not started.done():
                started.set_result(None)
            has_read_all = False
            while True:
                await self._offer_all(await reader.poll())
                self._silence.listened(reader.heard_at)
                if has_read_all:
                    if self._to_load or self._unused:
                        self._start(self.load_offered())
                elif has_read_all := await reader.caught_up():
                    await self._confirm()
                    await self._source.in_thread(
                        self._kept.keep_only, tuple(self._newest), self._chosen
                    )
                    self.caught_up.set()

    async def _offer_all(self, records: Sequence[Any]) -> None:
        for record in records:
            self.offer(record.value, record)
            if self.admission is not None:  # a signature takes a third of a millisecond
                await asyncio.sleep(0)
        if self.admission is not None:
            await self._source.in_thread(self.admission.save)
            self.admission.report_overdue(tuple(self._loaded))

    async def _confirm(self) -> None:
        """Use what the topic says, now that it is read to its end."""
        self._is_reading = False
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        self._to_load |= dict.fromkeys(self._wanted & self._newest.keys())
        await self.load_offered()
        for tool_name in unconfirmed.keys() - self._newest.keys():
            await self._drop(tool_name)

    async def _load_kept(self) -> bool:
        """Know the kept versions; return whether there are any.

        They are not among the newest of the topic, so that the first one of the topic replaces them
        whatever its activation is.
        """
        for kept in await self._source.in_thread(self._kept.load):
            tool_name = kept.version.tool_name
            if tool_name in self._chosen and self._admits(kept):
                self._unconfirmed[tool_name] = kept.version
                if not self._waits_to_be_asked(tool_name):
                    self._to_load[tool_name] = None
        await self.load_offered()
        if self._unconfirmed:
            self._log.warning("kept_versions_in_use", tools=len(self._unconfirmed))
            self.caught_up.set()
        return bool(self._unconfirmed)

    def _admits(self, kept: KeptVersion[V]) -> bool:
        if self.admission is None:
            return True
        try:
            self.admission.admit_kept(kept)
        except Rejected as error:
            self._log_refused(kept.version, error)
            return False
        return True

    async def _drop(self, tool_name: str) -> None:
        """Stop using a tool that only the disk has named: no version of it is current."""
        async with self._change:
            dropped = self._loaded.pop(tool_name, None)
            self._change.notify_all()
        if dropped is not None:
            self._log.warning("kept_version_unknown", **named(dropped.version))
            self._tell(self.on_drop, dropped)
            self._start(self._loads.unload(dropped))

    async def _swap(self, tool_name: str) -> None:
        """Load the newest version of a tool, use it from then on, and unload the old one.

        That is the kept version, as long as there is one that the topic has not confirmed.
        """
        async with self._loading[tool_name]:
            version = self._unconfirmed.get(tool_name) or self._newest.get(tool_name)
            if version is None:  # it was a kept one, and the topic has none
                return
            old = self._loaded.get(tool_name)
            if old is not None and old.version == version and old.error is None:
                return
            new = await self._loads.load(version)
            await self._use(new)
            cause = self._causes.get(tool_name)
            if cause is not None and cause.activation == new.version.activation:
                del self._causes[tool_name]
                end_reload(cause, new.version, new.error)
        if old is not None:
            self._start(self._loads.unload(old))
        keep = self._start(self._keep(tool_name))
        self._keep_tasks.add(keep)
        keep.add_done_callback(self._keep_tasks.discard)

    async def _use(self, new: L) -> None:
        version = new.version
        async with self._change:
            self._loaded[version.tool_name] = new
            self._change.notify_all()
        self._log.info("tool_swapped", **named(version), activation=version.activation)
        self._tell(self.on_change, new)

    async def _keep(self, tool_name: str) -> None:
        """Keep the version that is in use, one at a time, so that the newest remains."""
        async with self._keeping:
            loaded = self._loaded.get(tool_name)
            if loaded is not None:
                version: Any = loaded.version
                await self._source.in_thread(self._kept.keep, version, self._proof_of(version))

    def _proof_of(self, version: V) -> Proof | None:
        return None if self.admission is None else self.admission.proof_of(version)

    def _tell(self, callbacks: Sequence[Callable[[L], None]], loaded: L) -> None:
        for callback in tuple(callbacks):
            with Contained() as call:
                callback(loaded)
            if call.error is not None:
                self._log.error("on_change_failed", **named(loaded.version), exc_info=call.error)

    def _log_refused(self, version: V, error: Rejected) -> None:
        self._log.error("tool_version_refused", **named(version), error=str(error))

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end(self) -> None:
        """Stop following, and unload everything."""
        await self.stop()
        for loaded in self._loaded.values():
            await self._loads.unload(loaded)
        self._loaded.clear()

    async def stop(self) -> None:
        """Stop following, after what is in use was kept. It stays in use."""
        self._loop = None
        if self._keep_tasks:
            await asyncio.wait(self._keep_tasks, timeout=_KEEP_S)
        await end_tasks(self._tasks)
