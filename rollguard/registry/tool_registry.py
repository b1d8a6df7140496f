"""The registry of an engine that runs the server's package.

It follows `tool-versions` as the client does (``rollguard_client.registry.current_tools``), in the
event loop of the engine, with loaders that are coroutines.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import structlog

from rollguard.registry.loading import LoadedTool, Loader
from rollguard_client.calls.failures import failure_of
from rollguard_client.publishing.engine_id import engine_id_of
from rollguard_client.registry.chosen_tools import ChosenTools
from rollguard_client.registry.current_tools import CurrentTools, Source
from rollguard_client.registry.kept_versions import KeptVersions
from rollguard_client.registry.loads import LOADS_AT_ONCE, Loads
from rollguard_client.registry.reports import Reports
from rollguard_client.tasks import end_tasks
from schemas.deployment import ToolVersion
from schemas.settings import Settings
from signatures import signatures_of
from streams.topic_reader import open_reader
from streams.topics import Topics

if TYPE_CHECKING:  # it is imported only if signatures are wanted
    from rollguard_client.registry.admission import VersionRecord

log = structlog.get_logger()

T = TypeVar("T")


class ToolRegistry(Generic[T]):
    """The current tools of an engine: ``async with ToolRegistry(settings, loader) as registry``.

    It follows the topic `tool-versions`. Of each tool it loads the version with the largest
    ``activation``; the version before stays in use until that is done. Code whose SHA-256 is not
    ``code_hash`` is never loaded. If signatures are required, only versions are loaded that are
    signed (``rollguard_client.registry.admission``).

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

    Each load is reported to `engine-reports` in the name of ``settings.engine_id``. A version that
    cannot be loaded is published as a failed execution, besides.
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
        async def unload(loaded: LoadedTool[T]) -> None:
            assert loaded.tool is not None, "a version without a tool is not unloaded"
            await loader.unload(loaded.tool)

        self._settings = settings
        topic = Topics.of(settings).versions
        self._kept = KeptVersions(settings.data_dir, topic, ToolVersion.from_bytes, log)
        self._tools: CurrentTools[ToolVersion, LoadedTool[T]] = CurrentTools(
            Source(
                lambda: open_reader(settings, topic, from_beginning=True),
                ToolVersion.from_bytes,
                self._kept,
                asyncio.to_thread,
                settings.wait_s,
            ),
            Loads(loader.load, unload, LoadedTool[T], log, loads_at_once),
            log,
            chosen=ChosenTools.of(tools),
            is_lazy=lambda _: lazy,
        )
        self.caught_up = self._tools.caught_up
        """Set as soon as the topic is read as it was at the start, and every tool in it is loaded
        that was asked for. If Kafka is away at the start, the same holds for the kept versions."""
        self._reports = Reports(settings, lambda: engine_id_of(settings.engine_id), log)
        self._reporting: asyncio.Task[None] | None = None
        self._tools.on_change.append(self._report)
        self._tools.on_drop.append(lambda dropped: self._reports.dropped(dropped.version.tool_name))
        self.on_change: list[Callable[[LoadedTool[T]], None]] = self._tools.on_change
        """Functions to call with each ``LoadedTool`` when it comes into use; must not block."""

    async def __aenter__(self) -> Self:
        signatures = signatures_of(self._settings)
        if signatures is not None:
            from rollguard_client.registry.admission import Admission

            self._tools.admission = Admission(
                signatures.verifier,
                self._kept.folder,
                log,
                are_required=signatures.are_required,
                max_age_s=self._settings.signature_max_age_s,
            )
        try:
            await self._tools.begin()
        except BaseException:
            await self._tools.end()
            raise
        self._reporting = asyncio.ensure_future(self._reports.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reporting is not None:
            await end_tasks([self._reporting])
        await self._reports.end()
        await self._tools.end()

    def _report(self, new: LoadedTool[T]) -> None:
        self._reports.loaded(new.version, None if new.error is None else failure_of(new.error))

    @property
    def silent_since(self) -> datetime | None:
        """Since when nothing is heard from Kafka; None while it answers.

        After a start without Kafka it is the time of the start.
        """
        return self._tools.silent_since

    def get(self, tool_name: str) -> LoadedTool[T] | None:
        """Return what is in use now; None if the tool is not known or not loaded (yet).

        The first call for a tool begins to load it. Any thread may call this.
        """
        return self._tools.get(tool_name)

    async def load(self, tool_name: str) -> LoadedTool[T] | None:
        """Load the current version of a tool unless the tool is in use, and return what is in use.

        If the registry has not caught up yet, wait until it has. Return None if the tool has no
        version, or is not one of the chosen ones.
        """
        return await self._tools.load(tool_name)

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
        return await self._tools.wait_for(tool_name, predicate, timeout)

    async def reload(self, version: ToolVersion) -> None:
        """Bring this version into use at once, unless a newer one of its tool is in use.

        Whoever made the version current calls this, so that the engine does not have to wait for
        the topic. Returns after the version is loaded. A load that failed before is tried again.
        Nothing happens for a tool that is not one of the chosen ones.

        If signatures are wanted, this does wait for the topic, at most ``settings.wait_s``
        seconds, because the version is signed there.
        """
        await self._tools.reload(version)

    def offer(self, value: bytes | None, record: "VersionRecord | None" = None) -> None:
        """Take one value of `tool-versions`. ``load_offered`` then loads what is new.

        A value that is no version, or whose code is not genuine, is logged and ignored. If
        signatures are wanted, ``record`` is needed, which has the signature.
        """
        self._tools.offer(value, record)

    async def load_offered(self) -> None:
        """Load the versions that were offered and not loaded yet, of each tool only the newest.

        Some of them are loaded side by side, so that a slow tool does not delay the others. Of
        tools that nobody has asked for nothing is loaded.
        """
        await self._tools.load_offered()
