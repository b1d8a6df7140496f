"""The engine client and the registry against a broker, with an applier of a few lines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiokafka.partitioner import murmur2
from aiokafka.structs import ConsumerRecord

from rollguard.client import EngineClient
from rollguard.embedded.ports import free_port
from rollguard.operations.setup import create_missing_topics
from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion, code_hash_of
from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.execution import ActivatedBy, Execution
from schemas.message import Message
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings, load_settings
from streams.topic_reader import open_reader

PARTITIONS = 4
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
async def settings(kafka: str, topic_prefix: str, tmp_path: Path) -> Settings:
    settings = load_settings(
        kafka_brokers=kafka,
        topic_prefix=topic_prefix,
        partitions=PARTITIONS,
        wait_s=20,
        data_dir=tmp_path,
    )
    await create_missing_topics(settings)
    return settings


class PublishingClient(EngineClient):
    """Publishes anything, as the applier would."""

    async def publish(self, topic: str, *messages: Message) -> None:
        for message in messages:
            await self.publish_again(
                self._settings.topic_prefix + topic,
                message.tool_name.encode(),  # type: ignore[attr-defined]
                message.to_bytes(),
            )


@asynccontextmanager
async def applying(settings: Settings) -> AsyncIterator[None]:
    """Apply all requests: every deployment becomes version 7, and every command is applied.

    A command that answers a held one gets the held outcome first.
    """

    async def apply() -> None:
        prefix = settings.topic_prefix
        async with (
            PublishingClient(settings) as client,
            open_reader(settings, f"{prefix}tool-deployments", from_beginning=True) as wishes,
            open_reader(settings, f"{prefix}rollback-commands", from_beginning=True) as orders,
        ):
            while True:
                for record in await wishes.poll():
                    await client.publish("deployment-outcomes", created(record.value))
                for record in await orders.poll():
                    outcome = applied(record.value)
                    if RollbackCommand.from_bytes(record.value).is_answer:
                        held = outcome.model_copy(update={"status": "held"})
                        await client.publish("rollback-outcomes", held)
                    await client.publish("rollback-outcomes", outcome)

    task = asyncio.create_task(apply())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def created(value: bytes) -> DeploymentOutcome:
    wish = Deployment.from_bytes(value)
    return DeploymentOutcome(
        deployment_id=wish.deployment_id,
        tool_name=wish.tool_name,
        status="created",
        version_id=7,
        applied_at=NOW,
    )


def applied(value: bytes) -> RollbackOutcome:
    order = RollbackCommand.from_bytes(value)
    return RollbackOutcome(
        command_id=order.command_id,
        tool_name=order.tool_name,
        status="applied",
        to_version_id=order.to_version_id,
        reason=order.reason,
        tier=order.tier,
        applied_at=NOW,
    )


def version(tool: str, activation: int, code: str) -> ToolVersion:
    return ToolVersion(
        tool_name=tool,
        version_id=activation,
        version_number=activation,
        code=code,
        code_hash=code_hash_of(code),
        created_by="human",
        improvement_type="initial",
        is_breaking_change=False,
        breaking_changes=[],
        deployment_id=UUID(int=activation),
        activation=activation,
        activated_at=NOW,
        activated_by=ActivatedBy(kind="deployment", id=UUID(int=activation)),
    )


def execution(tool: str) -> Execution:
    return Execution(execution_id=uuid4(), tool_name=tool, success=True, executed_at=NOW)


class CodeLoader:
    """The tool is its code."""

    async def load(self, version: ToolVersion) -> str:
        return version.code

    async def unload(self, tool: str) -> None:
        return


async def test_executions_arrive_in_order_under_their_key(settings: Settings) -> None:
    sent = [execution(f"tool-{number % 3}-ü") for number in range(2_500)]
    received: list[ConsumerRecord] = []
    topic = f"{settings.topic_prefix}tool-executions"
    async with (
        EngineClient(settings) as client,
        open_reader(settings, topic, from_beginning=True) as reader,
    ):
        await client.publish_execution(sent[0])
        await client.publish_executions(sent[1:])
        while len(received) < len(sent):
            received += await reader.poll()
    for tool in {each.tool_name for each in sent}:
        of_tool = [record for record in received if record.key == tool.encode()]
        assert [Execution.from_bytes(record.value) for record in of_tool] == [
            each for each in sent if each.tool_name == tool
        ]
        murmur = (murmur2(tool.encode()) & 0x7FFFFFFF) % PARTITIONS
        assert {record.partition for record in of_tool} == {murmur}


async def test_deploy_returns_the_outcome_with_its_id(settings: Settings) -> None:
    async with applying(settings), EngineClient(settings) as client:
        first = await client.deploy("parser", "def execute(): ...")
        wanted = uuid4()
        outcome = await client.deploy("parser", "x" * 500_000, deployment_id=wanted)
    assert first.deployment_id != wanted
    assert (outcome.deployment_id, outcome.status, outcome.version_id) == (wanted, "created", 7)


async def test_rollback_is_manual_and_returns_its_outcome(settings: Settings) -> None:
    topic = f"{settings.topic_prefix}rollback-commands"
    async with (
        applying(settings),
        EngineClient(settings) as client,
        open_reader(settings, topic, from_beginning=True) as reader,
    ):
        outcome = await client.rollback("parser", 3, "slow since Monday")
        while not (records := await reader.poll()):
            pass
    command = RollbackCommand.from_bytes(records[0].value)
    assert (outcome.status, outcome.to_version_id) == ("applied", 3)
    assert outcome.command_id == command.command_id
    assert (command.tier, command.reason, command.from_version_id) == ("manual", "manual", None)
    assert command.details == {"reason": "slow since Monday"}


@pytest.mark.parametrize("answer", [{"approved_by": "ann"}, {"dismissed_by": "ben"}])
async def test_an_answer_waits_for_more_than_held(
    settings: Settings, answer: dict[str, str]
) -> None:
    order = RollbackCommand(
        command_id=uuid4(),
        tool_name="parser",
        tier="fast",
        reason="regression",
        issued_by="detector",
        issued_at=NOW,
    )
    async with applying(settings), EngineClient(settings) as client:
        outcome = await client.command(order.model_copy(update=answer))
    assert (outcome.command_id, outcome.status) == (order.command_id, "applied")


async def test_the_outcome_of_a_request_with_the_same_id_is_not_mine(settings: Settings) -> None:
    """One of another tool, and one of the same tool that answers an automatic command."""
    mine, tool = uuid4(), "parser"

    async with PublishingClient(settings) as attacker, EngineClient(settings) as client:
        deploying = asyncio.create_task(client.deploy(tool, "x = 1", deployment_id=mine))
        ordering = asyncio.create_task(client.rollback(tool, 3, "slow", command_id=mine))
        wish = await _first(settings, "tool-deployments")
        order = await _first(settings, "rollback-commands")
        theirs = {"tool_name": "evil"}
        done, rolled_back = created(wish), applied(order)
        refused = {"status": "refused", "refusal": "no"}
        rejected = {"status": "rejected", "rejection": "not_current"}
        for each in (done.model_copy(update=theirs | refused), done):
            await attacker.publish("deployment-outcomes", each)
        automatic = {"tier": "fast", "reason": "complete_failure"}
        for other in (theirs | rejected, automatic | rejected, {}):
            await attacker.publish("rollback-outcomes", rolled_back.model_copy(update=other))
        assert await deploying == done
        assert await ordering == rolled_back


async def _first(settings: Settings, topic: str) -> bytes:
    """Return the value of the first record of the topic; wait for it."""
    name = settings.topic_prefix + topic
    async with open_reader(settings, name, from_beginning=True) as reader:
        while not (records := await reader.poll()):
            pass
    value: bytes = records[0].value
    return value


async def test_outcomes_are_followed_from_now_on(settings: Settings) -> None:
    ready = asyncio.Event()
    async with applying(settings), EngineClient(settings) as client:
        outcomes = client.follow_outcomes(ready)
        following = asyncio.ensure_future(anext(outcomes))
        await ready.wait()
        outcome = await client.rollback("parser", 3, "no reason")
        assert await following == outcome
        await outcomes.aclose()  # type: ignore[attr-defined]


async def test_silence_names_the_applier(settings: Settings) -> None:
    hasty = settings.model_copy(update={"wait_s": 2})
    async with EngineClient(hasty) as client:
        with pytest.raises(Retryable, match=r"applier: nothing .* 'parser' after 2 s") as silence:
            await client.deploy("parser", "x = 1")
    assert silence.value.part == "applier"


@pytest.mark.parametrize(
    ("tool", "code", "field"),
    [("parser", "a\0b", "code"), ("parser", "x" * 524_289, "code"), ("", "x = 1", "tool_name")],
)
async def test_bad_deployments_are_refused_before_they_are_sent(
    settings: Settings, tool: str, code: str, field: str
) -> None:
    async with EngineClient(settings) as client:
        with pytest.raises(Rejected, match=f"^{field}: "):
            await client.deploy(tool, code)


async def test_a_lone_surrogate_in_code_is_refused(settings: Settings) -> None:
    async with EngineClient(settings) as client:
        with pytest.raises(Rejected, match=r"^code: "):
            await client.deploy("parser", "x = '\ud800'")


async def test_no_broker_is_said_with_its_address(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(Retryable, match=f"^Kafka: {address} does not answer$"):
        async with EngineClient(load_settings(kafka_brokers=address)):
            pass
    settings = load_settings(kafka_brokers=address, data_dir=tmp_path)
    with pytest.raises(Retryable, match=f"^Kafka: {address} does not answer$"):
        async with ToolRegistry(settings, CodeLoader()):
            pass


async def test_a_missing_topic_is_said(kafka: str) -> None:
    settings = load_settings(kafka_brokers=kafka, topic_prefix=f"none-{uuid4().hex}-")
    with pytest.raises(Misconfigured, match="rollguard topics"):
        async with ToolRegistry(settings, CodeLoader()):
            pass


async def test_the_registry_catches_up_and_follows(settings: Settings) -> None:
    old = [version(f"tool-{number}", 1, f"old {number}") for number in range(50)]
    new = [version(f"tool-{number}", 2, f"new {number}") for number in range(50)]
    async with PublishingClient(settings) as client:
        await asyncio.gather(
            *(client.publish("tool-versions", *pair) for pair in zip(old, new, strict=True))
        )
        seen: list[LoadedTool[str]] = []
        registry = ToolRegistry(settings, CodeLoader(), lazy=False)
        registry.on_change.append(seen.append)
        async with registry:
            await asyncio.wait_for(registry.caught_up.wait(), 120)
            assert [registry.get(each.tool_name) for each in new] == [
                LoadedTool(each, each.code) for each in new
            ]
            assert len(seen) == 50, "what was replaced before the start is not loaded"
            await client.publish("tool-versions", version("tool-1", 3, "newer"), old[1])
            await registry.wait_for("tool-1", lambda loaded: loaded.tool == "newer", 120)


async def test_an_empty_topic_is_caught_up_at_once(settings: Settings) -> None:
    async with ToolRegistry(settings, CodeLoader()) as registry:
        await asyncio.wait_for(registry.caught_up.wait(), 120)
        assert registry.get("parser") is None
