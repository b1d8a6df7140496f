"""The registry: it follows `tool-versions`, and has the current tools of an engine in use."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from aiokafka.errors import KafkaError

from rollguard_client.errors import Misconfigured, Rejected, Retryable, RollguardError
from rollguard_client.kafka.reader import open_reader
from rollguard_client.kafka.topics import Topics
from rollguard_client.messages.deployment import ToolVersion
from rollguard_client.registry.kept_versions import KeptVersions
from rollguard_client.registry.loading import Call, LoadedTool, Loader, ModuleLoader
from rollguard_client.requests.following import result_of
from rollguard_client.requests.requester import Requester
from rollguard_client.settings.settings import Settings

log = logging.getLogger("rollguard_client")

T = TypeVar("T")
Publishes = Callable[[ToolVersion, Call], Call]
"""Returns a function that publishes each call as an execution of the version."""
_RETRY_S: Final = 1.0


class Registry:
    """The current versions of the tools that an engine runs: ``guard.registry``.

    Of each tool it has the version with the largest ``activation`` in use; the one before stays in
    use until that one is loaded. Code whose SHA-256 is not ``code_hash`` is never loaded. The
    versions in use are kept in ``data_dir``: if Kafka does not answer at the start, they are used.

    It begins with the first call of a tool, or with ``start``. Any thread may use it.
    """

    def __init__(self, settings: Settings, requester: Requester) -> None:
        self._settings = settings
        self._requester = requester
        self._topic = Topics(settings.topic_prefix).versions
        self._kept = KeptVersions(settings.data_dir, self._topic)
        self._loaders: dict[str, tuple[Loader, Publishes]] = {}
        self._loaded: dict[str, LoadedTool] = {}
        self._newest: dict[str, ToolVersion] = {}
        self.on_change: list[Callable[[LoadedTool], None]] = []
        """Functions to call with each tool that comes into use; they must not block."""
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._loading: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._caught_up: asyncio.Event | None = None
        self._is_read = False
        self.is_started = False

    def after_fork(self) -> None:
        """Begin to follow anew in the child; what is loaded stays."""
        self._begin()

    def use(self, tool_name: str, publishes: Publishes, loader: Loader | None, entry: str) -> None:
        """Know a tool: its versions are loaded from now on. Raises Misconfigured.

        Signatures are checked by the server's own registry alone, so it is an error if they must
        be: this one would load what nobody has vouched for.
        """
        if self._settings.signatures == "require":
            raise Misconfigured(
                "ROLLGUARD_SIGNATURES is require, and only the server's rollguard.registry checks "
                "the signatures of versions"
            )
        if tool_name in self._loaders:
            raise Misconfigured(f"{tool_name} is managed already")
        default = ModuleLoader(self._kept.folder / "code", entry)
        self._loaders[tool_name] = loader or default, publishes

    def start(self) -> None:
        """Begin to follow, unless that has begun. Raises Misconfigured if the client was closed."""
        with self._lock:
            if not self.is_started:
                self._requester.submit(self._follow())
                self.is_started = True

    def get(self, tool_name: str) -> LoadedTool | None:
        """Return what is in use now; None if nothing is. Never waits."""
        return self._loaded.get(tool_name)

    async def load(self, tool_name: str) -> LoadedTool:
        """Return what is in use; wait for it at most ``wait_s`` seconds.

        Raises Retryable if the tool has no version, or if neither Kafka answers nor a version is
        kept.
        """
        self.start()
        loaded = self._loaded.get(tool_name)
        if loaded is not None:
            return loaded
        return await asyncio.wrap_future(self._requester.submit(self._wait_for(tool_name)))

    def load_blocking(self, tool_name: str) -> LoadedTool:
        """Do the same in a thread without an event loop."""
        self.start()
        return self._loaded.get(tool_name) or result_of(
            self._requester.submit(self._wait_for(tool_name))
        )

    async def _wait_for(self, tool_name: str) -> LoadedTool:
        while self._caught_up is None:  # until the loop has begun to follow
            await asyncio.sleep(0.01)
        try:
            await asyncio.wait_for(self._caught_up.wait(), self._settings.wait_s)
        except asyncio.TimeoutError:
            raise Retryable("Kafka", f"no version of {tool_name!r} is known yet") from None
        await self._swap(tool_name)
        loaded = self._loaded.get(tool_name)
        if loaded is None:
            raise Retryable("registry", f"{tool_name!r} has no version: deploy one")
        return loaded

    async def _follow(self) -> None:
        """Read without end; after an error, try again."""
        self._caught_up = asyncio.Event()
        said = ""
        while True:
            try:
                await self._read(self._caught_up)
            except (RollguardError, KafkaError, OSError) as error:
                if said != str(error):
                    said = str(error)
                    log.warning("versions of tools cannot be followed: %s", error)
                if not self._is_read and not self._caught_up.is_set():
                    await self._use_kept(self._caught_up)
            await asyncio.sleep(_RETRY_S)

    async def _read(self, caught_up: asyncio.Event) -> None:
        newest: dict[str, ToolVersion] = {}
        async with open_reader(self._settings, self._topic, from_beginning=True) as reader:
            while True:
                changed = {
                    version.tool_name
                    for record in await reader.poll()
                    if (version := self._version_in(record)) and _is_newer(version, newest)
                }
                if newest is self._newest:
                    for tool_name in changed:
                        self._start_swap(tool_name)
                elif await reader.caught_up():
                    # What the topic says counts, also if a kept version has a larger number.
                    self._newest, self._is_read = newest, True
                    await asyncio.gather(*(self._swap(each) for each in self._loaders))
                    caught_up.set()

    def _version_in(self, record: Any) -> ToolVersion | None:
        """Return the version in a record; None if it is none that this engine runs."""
        try:
            if record.key is None or record.key.decode(errors="replace") not in self._loaders:
                return None
            version = ToolVersion.from_bytes(record.value)
            if version.tool_name.encode() != record.key:
                raise Rejected("its key is not its tool_name")
            if not version.is_genuine:
                raise Rejected("code_hash is not the SHA-256 of the code")
        except Rejected as error:
            log.error("a version at offset %d is refused: %s", record.offset, error)
            return None
        return version

    async def _use_kept(self, caught_up: asyncio.Event) -> None:
        """Use the kept versions until the topic can be read."""
        kept = await _in_thread(lambda: self._kept.load(self._loaders))
        for version in kept:
            _is_newer(version, self._newest)
        await asyncio.gather(*(self._swap(each) for each in self._newest))
        if kept:
            log.warning("%d kept versions are in use", len(kept))
            caught_up.set()

    def _start_swap(self, tool_name: str) -> None:
        task = asyncio.ensure_future(self._swap(tool_name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _swap(self, tool_name: str) -> None:
        """Load the newest version of a tool unless it is in use, and use it from then on."""
        async with self._loading.setdefault(tool_name, asyncio.Lock()):
            version, old = self._newest.get(tool_name), self._loaded.get(tool_name)
            if version is None or (old is not None and old.version == version):
                return
            loader, publishes = self._loaders[tool_name]
            new = await _in_thread(lambda: _loaded(version, loader, publishes))
            self._loaded[tool_name] = new
            if self._is_read:
                await _in_thread(lambda: self._kept.keep(version))
            self._say(new)
            unload = getattr(loader, "unload", None)
            if old is not None and old.tool is not None and unload is not None:
                tool = old.tool
                await _in_thread(lambda: _contained(lambda: unload(tool)))

    def _say(self, new: LoadedTool) -> None:
        version, error = new.version, new.error
        if error is None:
            log.info("%s: version %d is in use", version.tool_name, version.version_number)
        else:
            log.error(
                "%s: version %d cannot be loaded: %r",
                version.tool_name,
                version.version_number,
                error,
            )
        for function in list(self.on_change):
            _contained(lambda function=function: function(new))  # type: ignore[misc]


def _is_newer(version: ToolVersion, newest: dict[str, ToolVersion]) -> bool:
    """Note the version if it is newer than the one that is known, and return whether it is."""
    known = newest.get(version.tool_name)
    if known is not None and version.activation <= known.activation:
        return False
    newest[version.tool_name] = version
    return True


def _loaded(version: ToolVersion, loader: Loader, publishes: Publishes) -> LoadedTool:
    """Load a version. What its code raises becomes its error, even a SystemExit."""
    why = f"{version.activated_by.kind} {version.activated_by.id}"
    try:
        tool = loader.load(version)
    except BaseException as error:
        return LoadedTool(version, publishes(version, _raising(error)), error, None, why)
    return LoadedTool(version, publishes(version, tool), None, tool, why)


def _raising(error: BaseException) -> Call:
    traceback = error.__traceback__

    def fail(*_args: Any, **_kwargs: Any) -> Any:
        # Each time anew: an exception that is raised again and again collects what it went through.
        raise error.with_traceback(traceback)

    return fail


def _contained(work: Callable[[], Any]) -> None:
    try:
        work()
    except Exception:
        log.exception("a function of the engine has failed")


async def _in_thread(work: Callable[[], T]) -> T:
    """Do work in a thread of its own, and return its result.

    The loop must go on publishing meanwhile, and a program that ends does not wait for the thread.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:
            failed = error
        try:
            loop.call_soon_threadsafe(settle, result, failed)
        except RuntimeError:
            return  # the loop has ended

    threading.Thread(target=run, name="rollguard-load", daemon=True).start()
    return await future
