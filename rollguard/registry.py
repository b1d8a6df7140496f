"""The current tools of an engine: loaded, checked, and replaced while the engine runs."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, Self, TypeVar

import structlog

from rollguard.interruption import is_interruption
from rollguard.kafka_silence import KafkaSilence
from rollguard.kept_versions import KeptVersions
from schemas.deployment import ToolVersion, is_genuine
from schemas.errors import Rejected, Retryable
from schemas.settings import Settings
from streams.topic_reader import open_reader
from streams.topics import Topics

log = structlog.get_logger()

T = TypeVar("T")

_RETRY_S: Final = 1.0
_KEEP_S: Final = 5.0
"""How long the end of the registry may wait for the disk."""


class Loader(Protocol[T]):
    """How an engine turns the code of a version into a tool that it can run."""

    async def load(self, version: ToolVersion) -> T:
        """Return the tool. Any exception becomes the version's load error, even a SystemExit.

        Only a cancellation by the engine and a signal to the process do not. The loader must limit
        the time itself: nothing else stops a load.
        """
        ...

    async def unload(self, tool: T) -> None:
        """Release what the tool holds. A call of it may still run: wait until that has ended."""
        ...


@dataclass(frozen=True)
class LoadedTool(Generic[T]):
    """A current version and its tool. Exactly one of ``tool`` and ``error`` is not None.

    A version with an ``error`` is current all the same. The engine should publish each call of it
    as a failed execution of this version with this error, so that the version is rolled back.
    """

    version: ToolVersion
    tool: T | None
    error: BaseException | None = None


Changed = Callable[[LoadedTool[T]], None]


class ToolRegistry(Generic[T]):
    """The current tools of an engine: ``async with ToolRegistry(settings, loader) as registry``.

    It follows the topic `tool-versions`. Of each tool it loads the version with the largest
    ``activation``; the version before stays in use until that is done. Code whose SHA-256 is not
    ``code_hash`` is never loaded.

    The versions in use are kept in ``settings.data_dir``. If Kafka does not answer when the engine
    starts, the kept versions are loaded. When Kafka answers again, each is replaced by the one that
    is current then.

    Entering raises ``Retryable`` if the broker does not answer and no version is kept,
    ``Misconfigured`` if the topic is missing or the broker refuses us. After that nothing is
    raised: if the broker is away, the registry waits for it, and the tools stay in use.
    """

    def __init__(self, settings: Settings, loader: Loader[T]) -> None:
        self._settings = settings
        self._loader = loader
        self._loaded: dict[str, LoadedTool[T]] = {}
        self._newest: dict[str, ToolVersion] = {}
        self._to_load: dict[str, None] = {}  # a dict as an ordered set: the order of the offers
        self._change = asyncio.Condition()
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept = KeptVersions(settings)
        self._keeping = asyncio.Lock()
        self._keep_tasks: set[asyncio.Task[None]] = set()
        self._unconfirmed: set[str] = set()  # tools in use that only the disk has named
        self._silence = KafkaSilence()
        self.caught_up = asyncio.Event()
        """Set as soon as every version that the topic held at the start is loaded; if Kafka is away
        at the start, as soon as every kept version is."""
        self.on_change: list[Changed[T]] = []
        """Functions to call with each ``LoadedTool`` when it comes into use; must not block."""

    async def __aenter__(self) -> Self:
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
        """Return what is in use now; None if the tool is not known (yet)."""
        return self._loaded.get(tool_name)

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
        """
        self._take_in(version)
        self._to_load.pop(version.tool_name, None)
        if version.tool_name in self._newest:
            await self._swap(version.tool_name)

    def offer(self, value: bytes | None) -> None:
        """Take one value of `tool-versions`. ``load_offered`` then loads what is new.

        A value that is no version, or whose code is not genuine, is logged and ignored.
        """
        try:
            version = ToolVersion.from_bytes(value)
        except Rejected as error:
            log.error("tool_version_unreadable", error=str(error))
            return
        self._take_in(version)

    def _take_in(self, version: ToolVersion) -> None:
        newest = self._newest.get(version.tool_name)
        if newest is not None and version.activation <= newest.activation:
            return
        if not is_genuine(version):
            log.error(
                "tool_version_refused",
                tool=version.tool_name,
                version_id=version.version_id,
                error="code_hash is not the SHA-256 of the code",
            )
            return
        self._newest[version.tool_name] = version
        self._to_load[version.tool_name] = None

    async def load_offered(self) -> None:
        """Load the versions that were offered and not loaded yet, of each tool only the newest.

        They are loaded side by side, so that a slow tool does not delay the others.
        """
        tools = tuple(self._to_load)
        self._to_load.clear()
        await asyncio.gather(*(self._swap(tool_name) for tool_name in tools))

    async def _begin(self) -> None:
        """Return when the topic is read, or when the kept versions are in use."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
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
                    self.offer(record.value)
                if has_read_all:
                    if self._to_load:
                        self._start(self.load_offered())
                elif has_read_all := await reader.caught_up():
                    await self.load_offered()
                    await self._drop_unconfirmed()
                    await asyncio.to_thread(self._kept.keep_only, tuple(self._newest))
                    self.caught_up.set()

    async def _load_kept(self) -> bool:
        """Use the kept versions; return whether there are any.

        They are not among the newest of the topic, so that the first one of the topic replaces them
        whatever its activation is.
        """
        versions = await asyncio.to_thread(self._kept.load)
        await asyncio.gather(*(self._use_kept(version) for version in versions))
        if versions:
            log.warning("kept_versions_in_use", tools=len(versions))
            self.caught_up.set()
        return bool(versions)

    async def _use_kept(self, version: ToolVersion) -> None:
        loaded = await self._load(version)
        self._unconfirmed.add(version.tool_name)
        await self._use(loaded)

    async def _drop_unconfirmed(self) -> None:
        """Stop using tools that only the disk has named: no version of them is current."""
        for tool_name in self._unconfirmed - self._newest.keys():
            async with self._change:
                dropped = self._loaded.pop(tool_name)
                self._change.notify_all()
            log.warning("kept_version_unknown", **_named(dropped.version))
            if dropped.tool is not None:
                self._start(self._unload(dropped.tool))
        self._unconfirmed.clear()

    async def _swap(self, tool_name: str) -> None:
        """Load the newest version of a tool, use it from then on, and unload the old one."""
        async with self._loading[tool_name]:
            version = self._newest[tool_name]
            old = self._loaded.get(tool_name)
            if old is not None and old.version == version and old.error is None:
                return
            new = await self._load(version)
            await self._use(new)
        if old is not None and old.tool is not None:
            self._start(self._unload(old.tool))
        keep = self._start(self._keep(tool_name))
        self._keep_tasks.add(keep)
        keep.add_done_callback(self._keep_tasks.discard)

    async def _use(self, new: LoadedTool[T]) -> None:
        version = new.version
        async with self._change:
            self._loaded[version.tool_name] = new
            self._change.notify_all()
        log.info("tool_swapped", **_named(version), activation=version.activation)
        self._call_on_change(new)

    async def _keep(self, tool_name: str) -> None:
        """Keep the version that is in use, one at a time, so that the newest remains."""
        async with self._keeping:
            loaded = self._loaded.get(tool_name)
            if loaded is not None:
                await asyncio.to_thread(self._kept.keep, loaded.version)

    async def _load(self, version: ToolVersion) -> LoadedTool[T]:
        try:
            return LoadedTool(version, await self._loader.load(version))
        except BaseException as error:
            if is_interruption(error):
                raise
            log.warning("tool_load_failed", **_named(version), error=_shown(error))
            return LoadedTool(version, None, error)

    def _call_on_change(self, loaded: LoadedTool[T]) -> None:
        for callback in self.on_change:
            try:
                callback(loaded)
            except BaseException as error:
                if is_interruption(error):
                    raise
                log.exception("on_change_failed", **_named(loaded.version))

    async def _unload(self, tool: T) -> None:
        try:
            await self._loader.unload(tool)
        except BaseException as error:
            if is_interruption(error):
                raise
            log.exception("tool_unload_failed")

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _stop(self) -> None:
        if self._keep_tasks:
            await asyncio.wait(self._keep_tasks, timeout=_KEEP_S)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        for loaded in self._loaded.values():
            if loaded.tool is not None:
                await self._unload(loaded.tool)
        self._loaded.clear()


def _shown(error: BaseException) -> str:
    """Return the error as text; its class's name if even that fails."""
    try:
        return repr(error)
    except BaseException as other:
        if is_interruption(other):
            raise
        return type(error).__name__


def _named(version: ToolVersion) -> dict[str, object]:
    return {
        "tool": version.tool_name,
        "version_id": version.version_id,
        "version_number": version.version_number,
    }
