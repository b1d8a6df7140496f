"""The tools of an engine as they are current now: loaded, checked, and swapped while it runs."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

import structlog

from schemas.deployment import ToolVersion, code_hash_of
from schemas.errors import Rejected
from schemas.settings import Settings
from streams.topic_reader import open_reader

log = structlog.get_logger()

T = TypeVar("T")

_RETRY_S: Final = 1.0


class Loader(Protocol[T]):
    """Makes a runnable tool of a version's code, in the way of the engine."""

    async def load(self, version: ToolVersion) -> T:
        """The tool. Whatever it raises is the version's load error. It bounds its own time."""
        ...

    async def unload(self, tool: T) -> None:
        """Give back what the tool holds. It may be in use still: wait for that call's end."""
        ...


@dataclass(frozen=True)
class LoadedTool(Generic[T]):
    """A current version and its tool; exactly one of ``tool`` and ``error`` is not None.

    With an ``error`` the version is current all the same: the engine publishes each execution as a
    failure of this version with this error, so that it is rolled back.
    """

    version: ToolVersion
    tool: T | None
    error: Exception | None = None


Changed = Callable[[LoadedTool[T]], None]


class ToolRegistry(Generic[T]):
    """``async with ToolRegistry(settings, loader) as registry``: follows `tool-versions`.

    For each tool the version with the largest ``activation`` is loaded; until that is done the one
    before stays in use. Code whose SHA-256 is not ``code_hash`` is never loaded. Entering raises
    Retryable or Misconfigured; later nothing does: a broker that is away is waited for.
    """

    def __init__(self, settings: Settings, loader: Loader[T]) -> None:
        self._settings = settings
        self._loader = loader
        self._loaded: dict[str, LoadedTool[T]] = {}
        self._newest: dict[str, ToolVersion] = {}
        self._to_load: dict[str, None] = {}  # in the order in which they became due
        self._change = asyncio.Condition()
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self.caught_up = asyncio.Event()
        """Set when all was loaded that the topic held at the start."""
        self.on_change: list[Changed[T]] = []
        """Called with each LoadedTool when it comes into use; must not block."""

    async def __aenter__(self) -> Self:
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._start(self._follow(started))
        try:
            await started
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    def get(self, tool_name: str) -> LoadedTool[T] | None:
        """What is in use now; None where the tool is not known (yet)."""
        return self._loaded.get(tool_name)

    async def wait_for(
        self,
        tool_name: str,
        predicate: Callable[[LoadedTool[T]], bool],
        timeout: float,
    ) -> LoadedTool[T]:
        """What is in use as soon as the predicate holds for it; TimeoutError after so many s."""
        async with asyncio.timeout(timeout), self._change:
            while True:
                loaded = self._loaded.get(tool_name)
                if loaded is not None and predicate(loaded):
                    return loaded
                await self._change.wait()

    async def reload(self, version: ToolVersion) -> None:
        """Return when this version, or a newer one of its tool, is in use: by the word of whoever
        made it current, without waiting for the topic. A load that failed is tried once more.
        """
        self._take_in(version)
        self._to_load.pop(version.tool_name, None)
        if version.tool_name in self._newest:
            await self._swap(version.tool_name)

    def offer(self, value: bytes | None) -> None:
        """Take in one value of `tool-versions`; :meth:`load_offered` loads what is new."""
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
        """Load every version that was offered and not loaded; of each tool only the newest, and
        all side by side: a tool that loads slowly holds up no other.
        """
        tools = tuple(self._to_load)
        self._to_load.clear()
        await asyncio.gather(*(self._swap(tool_name) for tool_name in tools))

    async def _follow(self, started: asyncio.Future[None]) -> None:
        """Read without end. What fails before ``started`` is its error; later it is tried again."""
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
        name = f"{self._settings.topic_prefix}tool-versions"
        async with open_reader(self._settings, name, from_beginning=True) as reader:
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
        """Load the newest version; use it from then on; give the old one back."""
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
        self._tell(new)
        if old is not None and old.tool is not None:
            self._start(self._unload(old.tool))

    async def _load(self, version: ToolVersion) -> LoadedTool[T]:
        try:
            return LoadedTool(version, await self._loader.load(version))
        except Exception as error:
            log.warning("tool_load_failed", **_named(version), error=repr(error))
            return LoadedTool(version, None, error)

    def _tell(self, loaded: LoadedTool[T]) -> None:
        for callback in self.on_change:
            try:
                callback(loaded)
            except Exception:
                log.exception("on_change_failed", **_named(loaded.version))

    async def _unload(self, tool: T) -> None:
        try:
            await self._loader.unload(tool)
        except Exception:
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


def _named(version: ToolVersion) -> dict[str, object]:
    return {
        "tool": version.tool_name,
        "version_id": version.version_id,
        "version_number": version.version_number,
    }
