"""The client of an engine: it publishes executions and deployments, and reads their outcomes.

It needs Kafka alone:

async with EngineClient(load_settings()) as client:
    await client.deploy("parser", code)
    await client.publish_execution(Execution(...))
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import UUID, uuid4

from pydantic import ValidationError

from rollguard.login_name import login_name
from rollguard.refusal import DeploymentHeld, DeploymentRefused, refusal_text
from rollguard_client.requests.asking import (
    Answers,
    Producer,
    Record,
    messages_of,
    open_producer,
)
from rollguard_client.traces.current import current_trace_headers
from schemas.deployment import (
    AcceptedBreak,
    Author,
    Check,
    Deployment,
    DeploymentOutcome,
    ToolVersion,
)
from schemas.errors import Misconfigured, Missing, Rejected, Retryable, RollguardError
from schemas.execution import Execution
from schemas.failures.failure_classes import ErrorOrigin
from schemas.fields import storable
from schemas.later_verdict import LaterVerdict, verdict_id_of
from schemas.message import Message, explain
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings, load_settings
from signatures import signatures_of
from streams.topic_reader import open_reader
from streams.topics import Topics

if TYPE_CHECKING:  # they are imported only if they are wanted
    import rollguard_client
    from signatures.signatures import Signatures
    from signatures.statements import SignedMessage

__all__ = [
    "AcceptedBreak",
    "Check",
    "DeploymentHeld",
    "DeploymentOutcome",
    "DeploymentRefused",
    "EngineClient",
    "ErrorOrigin",
    "Execution",
    "LaterVerdict",
    "Misconfigured",
    "Missing",
    "Rejected",
    "Retryable",
    "RollbackOutcome",
    "RollguardError",
    "Settings",
    "ToolVersion",
    "client_settings",
    "load_settings",
    "refusal_text",
]

M = TypeVar("M", bound=Message)


def client_settings(settings: Settings) -> "rollguard_client.Settings":
    """Return these settings for ``rollguard_client.Rollguard``."""
    from rollguard_client.settings.settings import VARIABLES, load_settings

    shared = set(VARIABLES.values()) & type(settings).model_fields.keys()
    values = {name: getattr(settings, name) for name in shared}
    return load_settings(**values | {"kafka_password": settings.kafka_secret})


class EngineClient:
    """A connection to Kafka for an engine: ``async with EngineClient(settings) as client``.

    Every publishing method returns after the broker has acknowledged. Every method raises

    * ``Rejected`` if a message is wrong; the text names the field,
    * ``Retryable`` with the part ``Kafka`` if the broker does not answer within
      ``settings.wait_s`` seconds,
    * ``Misconfigured`` if a topic is missing, if the broker refuses us, or if signatures are
      required and our key may not say this.

    Entering raises the last two as well. Use a client in the event loop in which it was entered;
    many tasks may use it at once.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = Topics.of(settings)
        self._open = AsyncExitStack()
        self._producer: Producer
        self._signatures: Signatures | None = None

    async def __aenter__(self) -> Self:
        self._signatures = signatures_of(self._settings)
        self._producer = await self._open.enter_async_context(open_producer(self._settings))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def publish_execution(self, execution: Execution) -> None:
        """Publish one execution of a tool.

        If the outcome of a call is unknown (Retryable), publish the same execution again: an
        ``execution_id`` counts once.
        """
        await self._publish(self._topics.executions, [execution])

    async def publish_executions(self, executions: Iterable[Execution | LaterVerdict]) -> None:
        """Publish many executions, and later verdicts; those of one tool keep their order.

        After an error some may have been published. It is safe to publish all of them again,
        because each ``execution_id`` counts once.
        """
        await self._publish(self._topics.executions, executions)

    async def judge(
        self,
        tool_name: str,
        execution_id: UUID,
        version_id: int,
        *,
        bad: bool,
        by: str | None = None,
        why: str | None = None,
        verdict_id: UUID | None = None,
        judged_at: datetime | None = None,
    ) -> LaterVerdict:
        """Publish what a judge says of an execution that has succeeded, and return it.

        Args:
            tool_name: The tool.
            execution_id: The execution that is judged.
            version_id: The version that was executed.
            bad: Whether the result was wrong.
            by: Who says so; by default the name of the user who runs this program.
            why: The reason, in words.
            verdict_id: By default it follows from the execution and from ``by``, so that what one
                judge says twice counts once.
            judged_at: The time, with an offset; by default now.
        """
        judge = by or login_name() or "unknown"
        try:
            verdict = LaterVerdict(
                verdict_id=verdict_id or verdict_id_of(execution_id, judge),
                execution_id=execution_id,
                tool_name=tool_name,
                version_id=version_id,
                bad=bad,
                by=judge,
                why=why,
                judged_at=judged_at or datetime.now(UTC),
            )
        except ValidationError as error:
            raise Rejected(explain(error)) from error
        await self._publish(self._topics.executions, [verdict])
        return verdict

    async def publish_again(
        self, topic: str, key: bytes | None, value: bytes | None
    ) -> tuple[int, int]:
        """Publish a record unchanged and unsigned, and return its partition and offset.

        ``topic`` is the full name, with the prefix. The key decides the partition.
        """
        return await self._producer.publish(Record(topic, key, value))

    async def publish_version(self, version: ToolVersion, *, adopts: bool = False) -> None:
        """Publish a current version and its activation as the applier does, signed by its key.

        With ``adopts`` the activation takes the place of any other one in the tool's log.
        """
        activation = version.as_activation().model_copy(update={"adopts": adopts or None})
        await self._publish_signed(self._topics.executions, activation)
        await self._publish_signed(self._topics.versions, version)

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

        A refusal is an outcome too, not an error: ``status`` is ``refused`` then, and
        ``refusal_text(outcome)`` says why. It is ``held`` if the code waits for a person. To deploy
        the same ``deployment_id`` of the tool again changes nothing and returns the first outcome,
        or the last one of a deployment that was held.

        Args:
            tool_name: The tool. Its first deployment creates it.
            code: The source text, at most ``settings.max_code_bytes`` bytes as UTF-8.
            created_by: Who made the version: ``human`` or ``autonomous``.
            improvement_type: What kind of change it is, such as ``bug_fix``; kept and shown.
            improvement_reason: Why it was made; kept and shown.
            deployed_at: The time of the deployment, with an offset; by default now.
            deployment_id: The id of this request; by default a new one.
            accepted_breaks: Changes that break callers and that you intend; kept and shown.
            checks: Checks that you made of the code; kept and shown. A failed one of a machine's
                code counts if the setting ``gate`` says so.

        Raises:
            Rejected: A field is wrong, or the code is too large.
            Retryable: With the part ``applier`` if no outcome comes within ``settings.wait_s``
                seconds. The deployment is in its topic and may still be applied.
        """
        deployment = _valid(
            Deployment,
            deployment_id=deployment_id or uuid4(),
            tool_name=tool_name,
            code=code,
            created_by=created_by,
            improvement_type=improvement_type,
            improvement_reason=improvement_reason,
            deployed_at=deployed_at or datetime.now(UTC),
            accepted_breaks=list(accepted_breaks) or None,
            checks=list(checks) or None,
        )
        return await self.deployment(deployment)

    async def deployment(self, deployment: Deployment) -> DeploymentOutcome:
        """Publish a deployment, and return its outcome.

        If it is a person's answer to a held deployment (approval or dismissal), the outcome is that
        of the answer. Raises what ``deploy`` raises.
        """
        _require_size(deployment.code, self._settings.max_code_bytes)
        return await self._ask(
            self._topics.deployments,
            deployment,
            self._topics.deployment_outcomes,
            DeploymentOutcome,
            lambda outcome: (
                (outcome.tool_name, outcome.deployment_id)
                == (deployment.tool_name, deployment.deployment_id)
                and not (deployment.is_answer and outcome.status == "held")
            ),
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

        If the applier rejects the command, no error is raised: the outcome's ``status`` is
        ``rejected``, and its ``rejection`` says why in one word. To order the same ``command_id``
        again changes nothing and returns the first outcome; so give an id of your own if you may
        have to try again.

        Args:
            tool_name: The tool.
            to_version_id: The id of the version to make current, an older or a newer one.
            reason: Free text; kept and shown.
            issued_by: Who orders it; kept and shown. By default your login name.
            command_id: The id of this request; by default a new one.

        Raises:
            Rejected: An argument is invalid; nothing was sent.
            Retryable: No outcome came within ``settings.wait_s`` seconds (its ``part`` is then
                ``applier``), or Kafka does not answer. The command may still be applied.
        """
        command = _valid(
            RollbackCommand,
            command_id=command_id or uuid4(),
            tool_name=tool_name,
            to_version_id=to_version_id,
            tier="manual",
            reason="manual",
            details={"reason": storable(reason)},
            issued_by=issued_by or login_name() or "unknown",
            issued_at=datetime.now(UTC),
        )
        return await self.command(command)

    async def command(self, command: RollbackCommand) -> RollbackOutcome:
        """Issue a rollback command, and return its outcome.

        An outcome with the status ``held`` means that the rollback waits for a person. If the
        command is such a person's answer (approval or dismissal), the outcome is that of the
        answer. Raises what ``rollback`` raises.
        """
        return await self._ask(
            self._topics.commands,
            command,
            self._topics.outcomes,
            RollbackOutcome,
            lambda outcome: (
                outcome.key == command.key and not (command.is_answer and outcome.status == "held")
            ),
        )

    async def follow_outcomes(
        self, ready: asyncio.Event | None = None
    ) -> AsyncIterator[RollbackOutcome]:
        """Yield the outcomes of all rollbacks from now on, without end.

        ``ready`` is set as soon as 'now' is fixed: every outcome that is published after that is
        yielded, at least once. Some older outcomes may come first.
        """
        async for outcome in self._follow(self._topics.outcomes, RollbackOutcome, ready):
            yield outcome

    async def follow_deployment_outcomes(
        self, ready: asyncio.Event | None = None
    ) -> AsyncIterator[DeploymentOutcome]:
        """Yield the outcomes of all deployments from now on, as ``follow_outcomes`` does."""
        topic = self._topics.deployment_outcomes
        async for outcome in self._follow(topic, DeploymentOutcome, ready):
            yield outcome

    async def _publish(self, topic: str, messages: Iterable[Execution | LaterVerdict]) -> None:
        headers = current_trace_headers() or None
        await self._producer.publish_all(
            Record(topic, each.tool_name.encode(), each.to_bytes(), headers) for each in messages
        )

    async def _publish_signed(self, topic: str, message: "SignedMessage") -> None:
        await self._producer.publish(await self._signed(topic, message))

    async def _signed(self, topic: str, message: "SignedMessage") -> Record:
        """Return the record of a message, signed if that is wanted. Misconfigured without a key.

        It belongs to the span that the program records now, if there is one.
        """
        value, headers = message.to_bytes(), current_trace_headers()
        if self._signatures is not None:
            headers += await self._signatures.signed(message, value) or ()
        return Record(topic, message.tool_name.encode(), value, headers or None)

    async def _ask(
        self,
        topic: str,
        message: Deployment | RollbackCommand,
        answers: str,
        kind: type[M],
        is_ours: Callable[[M], bool],
    ) -> M:
        """Publish the message, and return its answer from the topic ``answers``."""
        reader = open_reader(self._settings, answers, from_beginning=False)
        return await self._producer.ask(
            await self._signed(topic, message),
            Answers(answers, reader, kind.from_bytes, is_ours),
            _request_text(message),
            message.tool_name,
        )

    async def _follow(
        self, topic: str, kind: type[M], ready: asyncio.Event | None
    ) -> AsyncIterator[M]:
        async with open_reader(self._settings, topic, from_beginning=False) as reader:
            if ready is not None:
                ready.set()
            async for message in messages_of(reader, kind.from_bytes):
                yield message


def _request_text(message: Deployment | RollbackCommand) -> str:
    if isinstance(message, Deployment):
        return f"deployment {message.deployment_id}"
    return f"command {message.command_id}"


def _valid(kind: type[M], **fields: object) -> M:
    try:
        return kind(**fields)
    except ValidationError as error:
        raise Rejected(explain(error)) from error


def _require_size(code: str, limit: int) -> None:
    try:
        size = len(code.encode())
    except UnicodeEncodeError as error:
        raise Rejected(f"code: cannot be written as UTF-8 ({error.reason})") from error
    if size > limit:
        raise Rejected(f"code: {size} bytes, more than {limit} (ROLLGUARD_MAX_CODE_BYTES)")
