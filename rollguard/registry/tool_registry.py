"""The registry: it follows `tool-versions`, and has the current tools of an engine in use."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

import structlog

from rollguard.interruption import Contained
from rollguard.registry.chosen_tools import ChosenTools
from rollguard.registry.kafka_silence import KafkaSilence
from rollguard.registry.kept_versions import KeptVersion, KeptVersions, Proof
from rollguard.registry.loading import SHOWN, LoadedTool, Loader, Loads, named
from schemas.deployment import ToolVersion, is_genuine
from schemas.errors import Rejected, Retryable
from schemas.settings import Settings
from signatures import signatures_of
from streams.topic_reader import open_reader
from streams.topics import Topics

if TYPE_CHECKING:  # it is imported only if signatures are wanted
    from rollguard.registry.admission import Admission, VersionRecord

log = structlog.get_logger()

T = TypeVar("T")

_RETRY_S: Final = 1.0
LOADS_AT_ONCE: Final = 8
"""How many versions a registry loads at the same time, unless it is told otherwise."""
_KEEP_S: Final = 5.0
"""How long the end of the registry may wait for the disk."""


Changed = Callable[[LoadedTool[T]], None]


class ToolRegistry(Generic[T]):
    """The current tools of an engine: ``async with ToolRegistry(settings, loader) as registry``.

    It follows the topic `tool-versions`. Of each tool it loads the version with the largest
    ``activation``; the version before stays in use until that is done. Code whose SHA-256 is not
    ``code_hash`` is never loaded. If signatures are required, only versions are loaded that are
    signed (``rollguard.registry.admission``).

    ``tools`` are the names of the tools that the engine runs, or globs such as ``"web-*"``. Of all
    others nothing is kept and nothing is loaded. Without it, the registry knows every tool on the
    topic.

    A tool is loaded when it is first asked for (``load``, ``get``, ``wait_for``, ``reload``). From
    then on its newest version is always in use. With ``lazy=False`` all tools are loaded as soon as
    they are known. At most ``loads_at_once`` versions are loaded at the same time.

    The versions in use are kept in ``settings.data_dir``. If Kafka does not answer when the engine
    starts, the kept versions are loaded. When Kafka answers again, each is replaced by the one that
    is current then.

    Entering raises ``Retryable`` if the broker does not answer and no version is kept,
    ``Misconfigured`` if the topic is missing, the broker refuses us, or the trust file cannot be
    used. After that nothing is raised: if the broker is away, the registry waits for it, and the
    tools stay in use.
    """

    def __init__(
        self,
        settings: Settings,
        loader: Loader[T],
        *,
        tools: Iterable[str] | None = None,
        lazy: bool = True,
        loads_at_once: int = LOADS_AT_ONCE,
    ) -> None:
        self._settings = settings
        self._loads = Loads(loader, loads_at_once)
        self._chosen = ChosenTools.of(tools)
        self._lazy = lazy
        self._wanted: set[str] = set()  # tools that were asked for
        self._loop: asyncio.AbstractEventLoop | None = None  # while the registry is entered
        self._is_reading = False  # whether the topic was not read to its end yet
        self._loaded: dict[str, LoadedTool[T]] = {}
        self._newest: dict[str, ToolVersion] = {}
        self._to_load: dict[str, None] = {}  # a dict as an ordered set: the order of the offers
        self._change = asyncio.Condition()
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept = KeptVersions(settings)
        self._admission: Admission | None = None  # if signatures are off
        self._keeping = asyncio.Lock()
        self._keep_tasks: set[asyncio.Task[None]] = set()
        self._unconfirmed: dict[str, ToolVersion] = {}  # versions that only the disk has named
        self._unused: dict[str, None] = {}  # tools with a newer version that nobody asked for
        self._silence = KafkaSilence()
        self.caught_up = asyncio.Event()
        """Set as soon as the topic is read as it was at the start, and every tool in it is loaded
        that was asked for. If Kafka is away at the start, the same holds for the kept versions."""
        self.on_change: list[Changed[T]] = []
        """Functions to call with each ``LoadedTool`` when it comes into use; must not block."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        signatures = signatures_of(self._settings)
        if signatures is not None:
            from rollguard.registry.admission import Admission

            self._admission = Admission(signatures, self._settings, self._kept.folder)
        try:
            await self._begin()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def silent_since(self) -> datetime | None:
        """Since when nothing is heard from Kafka; None while it answers.

        After a start without Kafka it is the time of the start.
        """
        return self._silence.since

    def get(self, tool_name: str) -> LoadedTool[T] | None:
        """Return what is in use now; None if the tool is not known or not loaded (yet).

        The first call for a tool begins to load it. Any thread may call this.
        """
        loaded = self._loaded.get(tool_name)
        if loaded is None and self._want(tool_name) and self._loop is not None:
            self._loop.call_soon_threadsafe(self._load_soon, tool_name)
        return loaded

    async def load(self, tool_name: str) -> LoadedTool[T] | None:
        """Load the current version of a tool unless the tool is in use, and return what is in use.

        If the registry has not caught up yet, wait until it has. Return None if the tool has no
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

    async def wait_for(
        self,
        tool_name: str,
        predicate: Callable[[LoadedTool[T]], bool],
        timeout: float,
    ) -> LoadedTool[T]:
        """Return what is in use as soon as the predicate holds for it.

        The predicate is asked now, and again after each change of a tool. Raises ``TimeoutError``
        if it does not hold within ``timeout`` seconds.
        """
        if tool_name not in self._loaded and self._want(tool_name):
            self._load_soon(tool_name)
        async with asyncio.timeout(timeout), self._change:
            while True:
                loaded = self._loaded.get(tool_name)
                if loaded is not None and predicate(loaded):
                    return loaded
                await self._change.wait()

    async def reload(self, version: ToolVersion) -> None:
        """Bring this version into use at once, unless a newer one of its tool is in use.

        Whoever made the version current calls this, so that the engine does not have to wait for
        the topic. Returns after the version is loaded. A load that failed before is tried again.
        Nothing happens for a tool that is not one of the chosen ones.

        If signatures are wanted, this does wait for the topic, at most ``settings.wait_s``
        seconds, because the version is signed there.
        """
        if version.tool_name not in self._chosen:
            return
        self._want(version.tool_name)
        if self._admission is None:
            self._take_in(version)
        elif not await self._is_admitted(version):
            return
        self._to_load.pop(version.tool_name, None)
        if version.tool_name in self._newest:
            self._unconfirmed.pop(version.tool_name, None)
            await self._swap(version.tool_name)

    async def _is_admitted(self, version: ToolVersion) -> bool:
        """Return whether the topic has this version, or a newer one, within ``wait_s`` seconds."""
        tool_name = version.tool_name

        def is_here() -> bool:
            newest = self._newest.get(tool_name)
            return newest is not None and newest.activation >= version.activation

        try:
            async with asyncio.timeout(self._settings.wait_s), self._change:
                await self._change.wait_for(is_here)
        except TimeoutError:
            log.error("tool_version_not_signed", **named(version), waited_s=self._settings.wait_s)
            return False
        return True

    def offer(self, value: bytes | None, record: "VersionRecord | None" = None) -> None:
        """Take one value of `tool-versions`. ``load_offered`` then loads what is new.

        A value that is no version, or whose code is not genuine, is logged and ignored. If
        signatures are wanted, ``record`` is needed, which has the signature.
        """
        try:
            version = ToolVersion.from_bytes(value)
        except Rejected as error:
            log.error("tool_version_unreadable", error=str(error)[:SHOWN])
            return
        self._take_in(version, record)

    def _take_in(self, version: ToolVersion, record: "VersionRecord | None" = None) -> None:
        if version.tool_name not in self._chosen:
            return
        newest = self._newest.get(version.tool_name)
        is_old = newest is not None and version.activation <= newest.activation
        if is_old and self._admission is None:
            return
        try:
            if not is_genuine(version):
                raise Rejected("code_hash is not the SHA-256 of the code")
            if self._admission is not None:
                self._admission.admit(version, record)
        except Rejected as error:
            _log_refused(version, error)
            return
        if is_old:
            return  # somebody has vouched for it again
        self._newest[version.tool_name] = version
        if self._lazy and version.tool_name not in self._wanted:
            self._unused[version.tool_name] = None
        else:
            self._to_load[version.tool_name] = None

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
                await asyncio.to_thread(self._kept.replace, kept)

    async def _begin(self) -> None:
        """Return when the topic is read, or when the kept versions are in use."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_reading = True
        self._start(self._follow(started))
        try:
            await started
        except Retryable as error:
            if not await self._load_kept():
                raise
            self._silence.began(str(error))
            self._start(self._follow(started))

    async def _follow(self, started: asyncio.Future[None]) -> None:
        """Read without end.

        An error before ``started`` is set becomes the error of ``started``. After that, reading is
        tried again; the same error is logged once.
        """
        logged = ""
        while True:
            try:
                await self._read(started)
            except Exception as error:
                if not started.done():
                    started.set_exception(error)
                    return
                if isinstance(error, Retryable):
                    self._silence.began(str(error))
                elif logged != str(error):
                    logged = str(error)
                    log.exception("tool_versions_interrupted", retry_after_s=_RETRY_S)
                await asyncio.sleep(_RETRY_S)

    async def _read(self, started: asyncio.Future[None]) -> None:
        topic = Topics.of(self._settings).versions
        async with open_reader(self._settings, topic, from_beginning=True) as reader:
            if not started.done():
                started.set_result(None)
            has_read_all = False
            while True:
                records = await reader.poll()
                self._silence.listened(reader.heard_at)
                for record in records:
                    self.offer(record.value, record)
                    if self._admission is not None:  # a signature takes a third of a millisecond
                        await asyncio.sleep(0)
                if self._admission is not None:
                    await asyncio.to_thread(self._admission.save)
                    self._admission.report_overdue(tuple(self._loaded))
                if has_read_all:
                    if self._to_load or self._unused:
                        self._start(self.load_offered())
                elif has_read_all := await reader.caught_up():
                    await self._confirm()
                    await asyncio.to_thread(self._kept.keep_only, tuple(self._newest), self._chosen)
                    self.caught_up.set()

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
        for kept in await asyncio.to_thread(self._kept.load):
            tool_name = kept.version.tool_name
            if tool_name in self._chosen and self._admits(kept):
                self._unconfirmed[tool_name] = kept.version
                if not self._lazy or tool_name in self._wanted:
                    self._to_load[tool_name] = None
        await self.load_offered()
        if self._unconfirmed:
            log.warning("kept_versions_in_use", tools=len(self._unconfirmed))
            self.caught_up.set()
        return bool(self._unconfirmed)

    def _admits(self, kept: KeptVersion) -> bool:
        if self._admission is None:
            return True
        try:
            self._admission.admit_kept(kept)
        except Rejected as error:
            _log_refused(kept.version, error)
            return False
        return True

    async def _drop(self, tool_name: str) -> None:
        """Stop using a tool that only the disk has named: no version of it is current."""
        async with self._change:
            dropped = self._loaded.pop(tool_name, None)
            self._change.notify_all()
        if dropped is not None:
            log.warning("kept_version_unknown", **named(dropped.version))
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
        if old is not None:
            self._start(self._loads.unload(old))
        keep = self._start(self._keep(tool_name))
        self._keep_tasks.add(keep)
        keep.add_done_callback(self._keep_tasks.discard)

    async def _use(self, new: LoadedTool[T]) -> None:
        version = new.version
        async with self._change:
            self._loaded[version.tool_name] = new
            self._change.notify_all()
        log.info("tool_swapped", **named(version), activation=version.activation)
        self._call_on_change(new)

    async def _keep(self, tool_name: str) -> None:
        """Keep the version that is in use, one at a time, so that the newest remains."""
        async with self._keeping:
            loaded = self._loaded.get(tool_name)
            if loaded is not None:
                proof = self._proof_of(loaded.version)
                await asyncio.to_thread(self._kept.keep, loaded.version, proof)

    def _proof_of(self, version: ToolVersion) -> Proof | None:
        return None if self._admission is None else self._admission.proof_of(version)

    def _call_on_change(self, loaded: LoadedTool[T]) -> None:
        for callback in self.on_change:
            with Contained() as call:
                callback(loaded)
            if call.error is not None:
                log.error("on_change_failed", **named(loaded.version), exc_info=call.error)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _stop(self) -> None:
        self._loop = None
        if self._keep_tasks:
            await asyncio.wait(self._keep_tasks, timeout=_KEEP_S)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        for loaded in self._loaded.values():
            await self._loads.unload(loaded)
        self._loaded.clear()


def _log_refused(version: ToolVersion, error: Rejected) -> None:
    log.error("tool_version_refused", **named(version), error=str(error))
