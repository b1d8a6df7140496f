"""The registry of the client: the current tools of an engine, in any thread and any event loop."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterable
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final

from rollguard_client.calls.failures import Failure, failure_of
from rollguard_client.calls.tool import Tool
from rollguard_client.calls.wrappers import MARK
from rollguard_client.errors import Misconfigured, Retryable
from rollguard_client.event_log import TextLog
from rollguard_client.kafka.reader import open_reader
from rollguard_client.kafka.topics import Topics
from rollguard_client.messages.deployment import DeploymentOutcome, ToolVersion
from rollguard_client.messages.rollback import RollbackOutcome
from rollguard_client.registry.chosen_tools import ChosenTools
from rollguard_client.registry.current_tools import CurrentTools, Source
from rollguard_client.registry.kept_versions import KeptVersions
from rollguard_client.registry.loading import Call, LoadedTool, Loader
from rollguard_client.registry.loads import Loads
from rollguard_client.registry.module_loader import ModuleLoader
from rollguard_client.registry.reports import Reports
from rollguard_client.registry.swaps import Swap, Swaps
from rollguard_client.requests.following import Following, result_of
from rollguard_client.requests.requester import Requester
from rollguard_client.settings.settings import Settings
from rollguard_client.signatures.signing import missing_extra
from rollguard_client.threads import in_thread

Publishes = Callable[[ToolVersion, Call], Call]
"""Returns a function that publishes each call as an execution of the version."""
_CLOSE_S: Final = 5.0
_LOG: Final = TextLog()


@dataclass(frozen=True)
class Managed:
    """Some tools whose code lives in Rollguard, and how they are loaded."""

    names: ChosenTools
    publishes: Publishes
    loader: Loader
    is_lazy: bool


class Registry:
    """The current versions of the tools that an engine runs: ``guard.registry``.

    Of each tool it has the version with the largest ``activation`` in use; the one before stays in
    use until that one is loaded. Code whose SHA-256 is not ``code_hash`` is never loaded, and if
    signatures are required, nothing is loaded that is not signed. The versions in use are kept in
    ``data_dir``: if Kafka does not answer at the start, they are used.

    It begins with the first call of a tool, or with ``start``. Any thread may use it.
    """

    def __init__(self, settings: Settings, requester: Requester) -> None:
        self._settings = settings
        self._requester = requester
        topic = Topics(settings.topic_prefix).versions
        self._kept = KeptVersions(settings.data_dir, topic, ToolVersion.from_bytes, _LOG)
        self._source = Source(
            lambda: open_reader(settings, topic, from_beginning=True),
            ToolVersion.from_bytes,
            self._kept,
            in_thread,
            settings.wait_s,
        )
        publisher = requester.publisher
        self._reports = Reports(settings, lambda: publisher.engine_id, _LOG)
        publisher.on_close.append(self._end_reports)
        self._managed: list[Managed] = []
        self._verifier: Any = None
        self.on_change: list[Callable[[LoadedTool], None]] = [self._changed]
        """Functions to call with each tool that comes into use; they must not block."""
        self._on_swap: list[Callable[[Swap], None]] = []
        self._begin({})

    def _begin(self, loaded: dict[str, LoadedTool]) -> None:
        self._lock = threading.Lock()
        self.is_started = False
        self._swaps: Swaps | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._before = dict(loaded)  # what was in use before, by tool
        self._loads = Loads(self._load, self._unload, self._made, _LOG)
        self._tools: CurrentTools[ToolVersion, LoadedTool] = CurrentTools(
            self._source,
            self._loads,
            _LOG,
            chosen=_Names(self._managed),
            is_lazy=lambda name: self._managed_of(name).is_lazy,
            loaded=loaded,
        )
        self._tools.on_change = self.on_change
        self._tools.on_drop.append(lambda dropped: self._reports.dropped(dropped.version.tool_name))

    def after_fork(self) -> None:
        """Begin to follow anew in the child; what is loaded stays."""
        self._begin(self._tools.loaded)
        self._reports.after_fork()

    @property
    def silent_since(self) -> datetime | None:
        """Since when nothing is heard from Kafka; None while it answers."""
        return self._tools.silent_since

    def use(
        self,
        tools: Iterable[str],
        publishes: Publishes,
        loader: Loader | None,
        *,
        entry: str,
        is_lazy: bool,
        globs: bool,
    ) -> None:
        """Know some tools: their versions are loaded from now on. Raises Misconfigured.

        If signatures are wanted, the trust file must be there, and the extra that verifies. With
        ``globs``, a name may be a pattern; a tool is loaded for its own name before it is loaded
        for a pattern.
        """
        names = _chosen(tools, globs=globs)
        for each in self._managed:
            twice = names.names & each.names.names
            if twice:
                raise Misconfigured(f"{', '.join(sorted(twice))} is managed already")
        _require_entry(entry)
        if loader is not None:
            _require_loader(loader)
        if self._settings.signatures != "off" and self._verifier is None:
            self._verifier = _verifier_of(self._settings)
        default = ModuleLoader(self._kept.folder / "code", entry)
        self._managed.append(Managed(names, publishes, loader or default, is_lazy))
        if self.is_started:
            self._requester.call(self._tools.read_again)

    def start(self) -> None:
        """Begin to follow, unless that has begun. Raises Misconfigured if the client was closed."""
        with self._lock:
            if self.is_started:
                return
            if self._verifier is not None and self._tools.admission is None:
                from rollguard_client.registry.admission import Admission

                self._tools.admission = Admission(
                    self._verifier,
                    self._kept.folder,
                    _LOG,
                    are_required=self._settings.signatures == "require",
                    max_age_s=self._settings.signature_max_age_s,
                )
            if self._on_swap:
                self._follow_outcomes()
            self._requester.submit(self._tools.begin(is_patient=True))
            self._requester.submit(self._reports.run())
            self.is_started = True

    def on_swap(self, callback: Callable[[Swap], None]) -> Callable[[Swap], None]:
        """Call a function with each swap and with the outcome that says why; it must not block.

        Returns the function, so that it may be used as a decorator.
        """
        self._on_swap.append(callback)
        with self._lock:
            if self.is_started and self._swaps is None:
                self._follow_outcomes()
        return callback

    def _follow_outcomes(self) -> None:
        kinds: Any = (RollbackOutcome, DeploymentOutcome)
        following = Following(self._settings, self._requester, kinds)
        self._swaps = Swaps(following, self._settings.wait_s)
        self._swaps.callbacks = self._on_swap
        self._requester.submit(self._swaps.follow())

    def get(self, tool_name: str) -> LoadedTool | None:
        """Return what is in use now; None if nothing is. Never waits.

        If the registry has begun, the first call for a tool begins to load it.
        """
        return self._tools.get(tool_name)

    async def load(self, tool_name: str) -> LoadedTool:
        """Return what is in use; wait for it at most ``wait_s`` seconds.

        Raises Retryable if the tool has no version, or if neither Kafka answers nor a version is
        kept; Misconfigured if the tool is not managed.
        """
        loaded = self._tools.get(tool_name) if self.is_started else None
        if loaded is not None:
            return loaded
        return await asyncio.wrap_future(self.loading(tool_name))

    async def wait_for(
        self, tool_name: str, predicate: Callable[[LoadedTool], bool], timeout: float
    ) -> LoadedTool:
        """Return what is in use as soon as the predicate holds for it.

        Raises TimeoutError if it does not hold within ``timeout`` seconds.
        """
        return await asyncio.wrap_future(self.waiting(tool_name, predicate, timeout))

    def loading(self, tool_name: str) -> "Future[LoadedTool]":
        """Begin to wait as ``load`` does."""
        self.start()
        return self._requester.submit(self._wait_for(tool_name))

    def waiting(
        self, tool_name: str, predicate: Callable[[LoadedTool], bool], timeout: float
    ) -> "Future[LoadedTool]":
        """Begin to wait as ``wait_for`` does."""
        self.start()
        return self._requester.submit(self._tools.wait_for(tool_name, predicate, timeout))

    async def _wait_for(self, tool_name: str) -> LoadedTool:
        self._managed_of(tool_name)
        self._tools.get(tool_name)  # so that it is loaded as soon as it is known
        try:
            await asyncio.wait_for(self._tools.caught_up.wait(), self._settings.wait_s)
        except asyncio.TimeoutError:
            raise Retryable("Kafka", f"no version of {tool_name!r} is known yet") from None
        loaded = await self._tools.load(tool_name)
        if loaded is None:
            raise Retryable("registry", f"{tool_name!r} has no version: deploy one")
        return loaded

    def close(self) -> None:
        """Stop following, and unload what loaders want to be unloaded."""
        with self._lock:
            if not self.is_started:
                return
        with suppress(Misconfigured, futures.TimeoutError):  # Python 3.10 has one of its own
            self._requester.submit(self._close()).result(_CLOSE_S)

    async def _close(self) -> None:
        await self._tools.stop()
        await asyncio.gather(*map(self._loads.unload, self._tools.loaded.values()))

    def _end_reports(self, wait_s: float) -> None:
        """Say the last words about loads, because the process ends. Called in any other thread."""
        if self._reports.has_last_words and wait_s > 0:
            background = self._requester.publisher.background
            with suppress(Exception):  # the program ends, whatever Kafka does
                background.submit(self._reports.end(wait_s)).result(wait_s)

    def _managed_of(self, tool_name: str) -> Managed:
        by_name = (each for each in self._managed if tool_name in each.names.names)
        by_glob = (each for each in self._managed if tool_name in each.names)
        for each in chain(by_name, by_glob):
            return each
        raise Misconfigured(f"{tool_name!r} is not managed")

    async def _load(self, version: ToolVersion) -> Any:
        tool = await in_thread(self._managed_of(version.tool_name).loader.load, version)
        if not callable(tool):
            raise TypeError(f"the loader has returned a {type(tool).__name__}, no function")
        return tool

    async def _unload(self, loaded: LoadedTool) -> None:
        unload = getattr(self._managed_of(loaded.version.tool_name).loader, "unload", None)
        if unload is not None and loaded.tool is not None:
            await in_thread(unload, loaded.tool)

    def _made(
        self, version: ToolVersion, tool: Call | None, error: BaseException | None
    ) -> LoadedTool:
        """Return what is in use of a version that was loaded, or could not be."""
        why = f"{version.activated_by.kind} {version.activated_by.id}"
        publishes = self._managed_of(version.tool_name).publishes
        call = _raising(error) if error is not None else tool
        assert call is not None, "a version without a tool has an error"
        return LoadedTool(version, publishes(version, call), error, tool, why)

    def _changed(self, new: LoadedTool) -> None:
        tool_name = new.version.tool_name
        self._reports.loaded(new.version, None if new.error is None else _failure_of(new))
        old, self._before[tool_name] = self._before.get(tool_name), new
        if old is not None and self._swaps is not None:
            task = asyncio.ensure_future(self._swaps.tell(old, new))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)


def _require_entry(entry: Any) -> None:
    if not isinstance(entry, str) or not entry.isidentifier():
        raise Misconfigured(f"entry: {entry!r:.100} is no name of a function")


def _require_loader(loader: Any) -> None:
    """Raise Misconfigured for what is no loader: its error would be that of each version."""
    load = getattr(loader, "load", None)
    if isinstance(loader, type) or not callable(load):
        raise Misconfigured(f"loader: {loader!r:.100} is no object with a method load")
    if inspect.iscoroutinefunction(load):
        raise Misconfigured(f"loader: load of {loader!r:.100} is a coroutine function")


def _chosen(tools: Iterable[str], *, globs: bool) -> ChosenTools:
    tools = tools if isinstance(tools, str) else list(tools)
    for each in tools:
        if not isinstance(each, str):
            raise Misconfigured(f"tools: {each!r:.100} is no name")
    try:
        return ChosenTools(tools, globs=globs)
    except (TypeError, ValueError) as error:
        raise Misconfigured(str(error)) from None


class _Names:
    """The names of all tools that are managed, also of those that come later."""

    def __init__(self, managed: list[Managed]) -> None:
        self._managed = managed

    def __contains__(self, tool_name: object) -> bool:
        return any(tool_name in each.names for each in self._managed)


class BlockingRegistry:
    """The registry for a thread without an event loop: ``guard.blocking.registry``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.start = registry.start
        self.get = registry.get
        self.on_change = registry.on_change
        self.on_swap = registry.on_swap

    @property
    def silent_since(self) -> datetime | None:
        """Since when nothing is heard from Kafka; None while it answers."""
        return self._registry.silent_since

    def load(self, tool_name: str) -> LoadedTool:
        """Return what is in use; wait for it at most ``wait_s`` seconds (``Registry.load``)."""
        registry = self._registry
        loaded = registry.get(tool_name) if registry.is_started else None
        return loaded or result_of(registry.loading(tool_name))

    def wait_for(
        self, tool_name: str, predicate: Callable[[LoadedTool], bool], timeout: float
    ) -> LoadedTool:
        """Return what is in use as soon as the predicate holds (``Registry.wait_for``)."""
        return result_of(self._registry.waiting(tool_name, predicate, timeout))


def _verifier_of(settings: Settings) -> Any:
    try:
        from rollguard_client.registry.admission import verifier_of
    except ImportError as error:
        raise missing_extra(f"ROLLGUARD_SIGNATURES={settings.signatures}", error) from None
    return verifier_of(settings)


def _failure_of(loaded: LoadedTool) -> Failure:
    """Return what is published of a version that cannot be loaded."""
    assert loaded.error is not None
    tool = getattr(loaded.call, MARK, None)
    if isinstance(tool, Tool):
        return tool.failure_of_load(loaded.error)
    return failure_of(loaded.error)


def _raising(error: BaseException) -> Call:
    traceback = error.__traceback__

    def fail(*_args: Any, **_kwargs: Any) -> Any:
        # Each time anew: an exception that is raised again and again collects what it went through.
        raise error.with_traceback(traceback)

    return fail
