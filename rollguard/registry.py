"""The current tools of an engine: loaded, checked, and replaced while the engine runs."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, Protocol, Self, TypeVar

import structlog

from rollguard.interruption import is_interruption
from schemas.deployment import ToolVersion, code_hash_of
from schemas.errors import Rejected
from schemas.settings import Settings
from streams.topic_reader import open_reader
from streams.topics import Topics

log = structlog.get_logger()

T = TypeVar("T")

_RETRY_S: Final = 1.0


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

    Entering raises ``Retryable`` if the broker does not answer, ``Misconfigured`` if the topic is
    missing or the broker refuses us. After that nothing is raised: if the broker is away, the
    registry waits for it, and the tools stay in use.
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
        self.caught_up = asyncio.Event()
        """Set as soon as every version that the topic held at the start is loaded."""
        self.on_change: list[Changed[T]] = []
        """Functions to call with each ``LoadedTool`` when it comes into use; must not block."""

    async def __aenter__(self) -> Self:
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._start(self._follow(started))
        try:
            await started
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

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
        if not _is_genuine(version):
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

    async def _follow(self, started: asyncio.Future[None]) -> None:
        """Read without end.

        An error before ``started`` is set becomes the error of ``started``. After that, reading is
        tried again.
        """
        while True:
            try:
                await self._read(started)
            except Exception as error:
                if not started.done():
                    started.set_exception(error)
                    return
                log.exception("tool_versions_interrupted", retry_after_s=_RETRY_S)
                await asyncio.sleep(_RETRY_S)

    async def _read(self, started: asyncio.Future[None]) -> None:
        topic = Topics.of(self._settings).versions
        async with open_reader(self._settings, topic, from_beginning=True) as reader:
            if not started.done():
                started.set_result(None)
            while True:
                for record in await reader.poll():
                    self.offer(record.value)
                if self.caught_up.is_set():
                    if self._to_load:
                        self._start(self.load_offered())
                elif await reader.caught_up():
                    await self.load_offered()
                    self.caught_up.set()

    async def _swap(self, tool_name: str) -> None:
        """Load the newest version of a tool, use it from then on, and unload the old one."""
        async with self._loading[tool_name]:
            version = self._newest[tool_name]
            old = self._loaded.get(tool_name)
            if old is not None and old.version == version and old.error is None:
                return
            new = await self._load(version)
            async with self._change:
                self._loaded[tool_name] = new
                self._change.notify_all()
        log.info("tool_swapped", **_named(version), activation=version.activation)
        self._call_on_change(new)
        if old is not None and old.tool is not None:
            self._start(self._unload(old.tool))

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

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
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


def _is_genuine(version: ToolVersion) -> bool:
    try:
        return code_hash_of(version.code) == version.code_hash
    except UnicodeEncodeError:
        return False


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
