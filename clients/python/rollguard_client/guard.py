"""The way in: one object for an engine.

asyncio is imported where it is used, because it takes a third of the time of importing the rest.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload
from uuid import UUID

from rollguard_client.calls.failures import Origins, origin_of_errors
from rollguard_client.calls.open_calls import OpenCalls
from rollguard_client.calls.tool import Tool, is_version_id
from rollguard_client.calls.wrappers import MARK, wrapped
from rollguard_client.errors import Misconfigured, Rejected
from rollguard_client.messages.deployment import (
    AcceptedBreak,
    Author,
    Check,
    DeploymentOutcome,
    ToolVersion,
)
from rollguard_client.messages.execution import Execution, LaterVerdict
from rollguard_client.messages.fields import require_no_nul
from rollguard_client.messages.message import Message
from rollguard_client.messages.rollback import RollbackOutcome
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.settings.settings import Settings, load_settings

if TYPE_CHECKING:  # they need aiokafka, which takes a tenth of a second
    from rollguard_client.registry.loading import Loader
    from rollguard_client.requests.following import Following

M = TypeVar("M", bound=Message)
F = TypeVar("F", bound=Callable[..., Any])


class Rollguard:
    """The client of an engine: ``guard = Rollguard()``, and ``@guard.tool`` before each tool.

    Settings are read from the environment; arguments win (``Rollguard(kafka_brokers="…")``), and a
    ``Settings`` object may be given instead. Raises ``Misconfigured`` that names each setting that
    is wrong. Make one for a process, and use it from any thread and any event loop.

    Executions are published by a thread of its own. Nothing that publishes waits or raises: if
    Kafka is away, records wait in a bounded buffer (``buffered``), of which the oldest are dropped
    (``dropped``), and the log says so once a minute.
    """

    def __init__(self, settings: Settings | None = None, **values: Any) -> None:
        if settings is not None and values:
            raise Misconfigured("give either settings or single values, not both")
        if not isinstance(settings, Settings | None):
            raise Misconfigured(
                f"settings: {type(settings).__name__} is no Settings object; give single values by "
                "name, such as kafka_brokers=…"
            )
        self.settings = load_settings(**values) if settings is None else settings
        self.tool_names: set[str] = set()
        """The names of the tools whose calls the decorators and the hooks publish."""
        self._open_calls = OpenCalls(self.settings.stuck_after_s)
        watch = [self._open_calls.watch] if self.settings.stuck_after_s else []
        self._publisher = Publisher(self.settings, watch)
        self._publisher.on_fork.append(self._open_calls.forget)
        from rollguard_client.blocking import Blocking
        from rollguard_client.requests.requester import Requester

        self._requester = Requester(self.settings, self._publisher)
        from rollguard_client.registry.registry import Registry

        self.registry: Registry = Registry(self.settings, self._requester)
        self.blocking: Blocking = Blocking(
            self.settings, self._requester, self._publisher, self.registry
        )
        self._publisher.on_fork.append(self.registry.after_fork)

    @property
    def engine_id(self) -> str:
        """The id of this process among the engines: the setting, or host name and process id."""
        return self._publisher.engine_id

    @property
    def dropped(self) -> int:
        """How many executions of this process will never be in Kafka."""
        return self._publisher.dropped

    @property
    def buffered(self) -> int:
        """How many executions of this process are not in Kafka yet."""
        return self._publisher.buffered

    @property
    def on_published(self) -> "list[Callable[[Execution], None]]":
        """Functions to call with each execution that Kafka has acknowledged.

        They are called in the thread that publishes, and must not block.
        """
        return self._publisher.on_published

    def publish(self, message: Execution | LaterVerdict) -> None:
        """Publish an execution, or what a judge says of one; neither waits nor raises."""
        self._publisher.publish(message)

    async def deploy(
        self,
        tool_name: str,
        code: str,
        *,
        created_by: Author = "human",
        improvement_type: str = "initial",
        improvement_reason: str | None = None,
        deployed_at: datetime | None = None,
        deployment_id: UUID | None = None,
        accepted_breaks: Iterable[AcceptedBreak] = (),
        checks: Iterable[Check] = (),
    ) -> DeploymentOutcome:
        """Deploy code as the tool's new version, and return the outcome.

        A refusal is an outcome too, not an error: ``status`` is ``refused`` then, and ``refusal``
        says why. It is ``held`` if the code waits for a person. To deploy the same
        ``deployment_id`` of the tool again changes nothing and returns the first outcome, or the
        last one of a deployment that was held.

        Args:
            tool_name: The tool. Its first deployment creates it.
            code: The source text, at most ``max_code_bytes`` bytes as UTF-8.
            created_by: Who made the version: ``human`` or ``autonomous``.
            improvement_type: What kind of change it is, such as ``bug_fix``; kept and shown.
            improvement_reason: Why it was made; kept and shown.
            deployed_at: The time of the deployment, with an offset; by default now.
            deployment_id: The id of this request; by default a new one.
            accepted_breaks: Changes that break callers and that you intend; kept and shown.
            checks: Checks that you made of the code; kept and shown. A failed one of a machine's
                code counts if the server's setting ``gate`` says so.

        Raises:
            Rejected: A field is wrong, or the code is too large.
            Misconfigured: A topic is missing, Kafka refuses us, or a signature is required and
                there is no key.
            Retryable: Kafka does not answer, or no outcome comes within ``wait_s`` seconds (its
                ``part`` is then ``applier``). The deployment may still be applied.
        """
        from asyncio import wrap_future

        return await wrap_future(
            self._requester.deploy(
                tool_name,
                code,
                created_by=created_by,
                improvement_type=improvement_type,
                improvement_reason=improvement_reason,
                deployed_at=deployed_at,
                deployment_id=deployment_id,
                accepted_breaks=accepted_breaks,
                checks=checks,
            )
        )

    async def rollback(
        self,
        tool_name: str,
        to_version_id: int,
        reason: str,
        *,
        issued_by: str | None = None,
        command_id: UUID | None = None,
    ) -> RollbackOutcome:
        """Order a rollback to any version of the tool in the name of a person; return its outcome.

        If the applier rejects the command, no error is raised: ``status`` is ``rejected`` then, and
        ``rejection`` says why in one word. To order the same ``command_id`` again changes nothing
        and returns the first outcome.

        Args:
            tool_name: The tool.
            to_version_id: The id of the version to make current, an older or a newer one.
            reason: Free text; kept and shown.
            issued_by: Who orders it; kept and shown. By default your login name.
            command_id: The id of this request; by default a new one.

        Raises:
            Rejected: An argument is wrong; nothing was sent.
            Misconfigured: As for ``deploy``.
            Retryable: As for ``deploy``. The command may still be applied.
        """
        from asyncio import wrap_future

        return await wrap_future(
            self._requester.rollback(
                tool_name, to_version_id, reason, issued_by=issued_by, command_id=command_id
            )
        )

    def follow(self, *kinds: type[M]) -> "Following[M]":
        """Return the messages of these kinds from now on, of all tools, without end.

        Kinds are ``RollbackOutcome``, ``DeploymentOutcome`` and ``ToolVersion``::

            async for outcome in guard.follow(RollbackOutcome): ...

        To do something that must be seen, enter it first: ``async with guard.follow(…) as said``.
        """
        from rollguard_client.requests.following import Following

        return Following(self.settings, self._requester, kinds)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until Kafka has all executions that were published before; return whether it has.

        It waits at most ``timeout_s`` seconds, by default as long as ``flush_s`` says. What other
        threads publish meanwhile is not waited for. A program that ends flushes by itself.
        """
        return self._publisher.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """Flush, and end the background thread and the processes of tools.

        Tools of this process may still be called; nothing is published.
        """
        self.registry.close()
        self._publisher.close(timeout_s)

    def __enter__(self) -> "Rollguard":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @overload
    def tool(self, function: F, /) -> F: ...

    @overload
    def tool(
        self,
        name: str | None = None,
        /,
        *,
        failed: Callable[[Any], Any] | None = None,
        origin: Origins = None,
        session: str | Callable[[], Any] | None = None,
        version: int | Callable[[], int | None] | None = None,
    ) -> Callable[[F], F]: ...

    def tool(
        self,
        given: Any = None,
        /,
        *,
        failed: Callable[[Any], Any] | None = None,
        origin: Origins = None,
        session: str | Callable[[], Any] | None = None,
        version: int | Callable[[], int | None] | None = None,
    ) -> Any:
        """Publish each call of a function: ``@guard.tool``, or ``@guard.tool("name", …)``.

        Functions, coroutines, generators, async generators, and methods. Results and exceptions
        pass through as they are, and the signature stays. The name is by default that of the
        function.

        Args:
            given: The name of the tool.
            failed: Says of a result whether the tool has failed, for tools that return their
                errors. A text is taken as the error. It is not asked about generators.
            origin: Whose failure an exception is: a function of the exception, a mapping of classes
                to ``tool``, ``caller`` or ``environment``, or one of these for all. None leaves it
                to the server's settings.
            session: The session's id, or a function that returns it when a call begins.
            version: The id of the version that runs, or a function that returns it when a call
                begins. Without it the server takes the version that is current.

        Raises:
            Misconfigured: An argument is wrong.
            Rejected: The name is wrong.
        """
        if given is not None and not isinstance(given, str):
            return self.tool()(given)

        made, version_of = self._maker(failed, origin, session), _version_said(version)

        def decorate(function: Any) -> Any:
            if isinstance(function, staticmethod | classmethod):
                return type(function)(decorate(function.__func__))
            _require_function(function)
            name = _name_of(function) if given is None else given
            _require_name(name)
            self.tool_names.add(name)
            return wrapped(made(name, version_of), function)

        return decorate

    def managed(
        self,
        name: str,
        /,
        *,
        entry: str = "execute",
        loader: "Loader | None" = None,
        lazy: bool = False,
        failed: Callable[[Any], Any] | None = None,
        origin: Origins = None,
        session: str | Callable[[], Any] | None = None,
    ) -> Callable[[F], F]:
        """Call, instead of a function, the current version of a tool whose code is in Rollguard.

        The function gives the signature alone; its body is never run. The version is swapped while
        the program runs; a call ends in the version in which it began. Each call is published as
        an execution of its version. If the version cannot be loaded, each call fails with that
        error. If there is no version, or none is known within ``wait_s`` seconds, a call raises
        ``Retryable`` and nothing is published.

        Args:
            name: The name of the tool.
            entry: The function in the tool's code that is called.
            loader: How the code becomes a tool (``registry.loading.Loader``); by default it is
                imported into this process.
            lazy: Load the tool when it is first called, and not as soon as any tool is.
            failed: As for ``tool``.
            origin: As for ``tool``.
            session: As for ``tool``.

        Raises:
            Misconfigured: An argument is wrong; or signatures are wanted, and the trust file or
                the extra that verifies is missing.
            Rejected: The name is wrong.
        """
        from rollguard_client.registry.managed import managed

        _require_name(name)
        made = self._maker(failed, origin, session)

        def decorate(function: Any) -> Any:
            if isinstance(function, staticmethod | classmethod):
                return type(function)(decorate(function.__func__))
            _require_function(function)
            is_coroutine = inspect.iscoroutinefunction(function)

            def publishes(version: ToolVersion, call: Callable[..., Any]) -> Callable[..., Any]:
                if is_coroutine:  # a loader may have another form for it
                    call = getattr(call, "later", call)
                return wrapped(made(name, lambda: version.version_id), call)

            self.registry.use([name], publishes, loader, entry=entry, is_lazy=lazy, globs=False)
            self.tool_names.add(name)
            return managed(self.registry, name, function)

        return decorate

    def manage(
        self,
        *tools: str,
        entry: str = "execute",
        loader: "Loader | None" = None,
        lazy: bool = True,
        failed: Callable[[Any], bool] | None = None,
        origin: Origins = None,
        session: str | Callable[[], str | None] | None = None,
    ) -> None:
        """Manage tools whose names are not known before the program runs, such as ``"web-*"``.

        ``registry.load(name)`` gives the version in use, and its ``call`` publishes an execution
        and does what the version does; so does ``blocking.registry.load(name)``. Otherwise it is as
        for ``managed``. A tool that has a function of its own (``managed``) is loaded for that.

        Args:
            tools: Names, or globs (``*``, ``?``, ``[…]``).
            entry: As for ``managed``.
            loader: As for ``managed``.
            lazy: As for ``managed``; by default a tool is loaded when it is first asked for.
            failed: As for ``tool``.
            origin: As for ``tool``.
            session: As for ``tool``.

        Raises:
            Misconfigured: As for ``managed``; or no tool is named.
        """
        made = self._maker(failed, origin, session)

        def publishes(version: ToolVersion, call: Callable[..., Any]) -> Callable[..., Any]:
            self.tool_names.add(version.tool_name)
            return wrapped(made(version.tool_name, lambda: version.version_id), call)

        self.registry.use(tools, publishes, loader, entry=entry, is_lazy=lazy, globs=True)

    def _maker(self, failed: Any, origin: Origins, session: Any) -> Callable[..., Tool]:
        """Return a function that makes a tool of a name and what says its version."""
        return functools.partial(
            _tool,
            publisher=self._publisher,
            open_calls=self._open_calls,
            failed=_callable("failed", failed),
            origin_of=origin_of_errors(origin),
            session=_said("session", session),
        )


def _tool(name: str, version: Callable[[], Any] | None, **how: Any) -> Tool:
    return Tool(name, version=version, **how)


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None)
    if not isinstance(name, str):
        raise Misconfigured(f"{function!r:.100} has no name: give one, guard.tool('name')")
    return name


def _require_function(function: Any) -> None:
    if not callable(function) or isinstance(function, type):
        raise Misconfigured(f"{function!r:.100} is no function")
    mark = getattr(function, MARK, None)
    if mark is True or isinstance(mark, Tool):  # a mock has every attribute
        raise Misconfigured(f"{function!r:.100} is a tool already: it would be published twice")


def _require_name(name: Any) -> None:
    if not isinstance(name, str):
        raise Rejected(f"tool_name: {name!r:.100} is no text; give the name, as in tool('name')")
    if not 1 <= len(name) <= 255:
        raise Rejected(f"tool_name: {len(name)} characters; 1 to 255 are allowed")
    try:
        require_no_nul(name)
    except ValueError as error:
        raise Rejected(f"tool_name: {error}") from None


def _callable(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise Misconfigured(f"{name}: {value!r:.100} is no function")
    _require_no_coroutine(name, value)
    return value


def _said(name: str, value: Any) -> Callable[[], Any] | None:
    _require_no_coroutine(name, value)
    return value if value is None or callable(value) else lambda: value


def _require_no_coroutine(name: str, value: Any) -> None:
    if inspect.iscoroutinefunction(value):
        raise Misconfigured(f"{name}: {value!r:.100} is a coroutine function, and is not awaited")


def _version_said(value: Any) -> Callable[[], Any] | None:
    if value is not None and not callable(value) and not is_version_id(value):
        raise Misconfigured(f"version: {value!r:.100} is no id of a version, 1 to {2**31 - 1}")
    return _said("version", value)
