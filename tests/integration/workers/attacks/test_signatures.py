"""Attacks by whoever has an engine's rights in Kafka, against workers that require signatures."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from rollguard.client import EngineClient
from rollguard.operations.held_deployments import approve_deployment, waiting_deployments
from rollguard.operations.holds import approve
from rollguard.operations.keys import adopt
from rollguard.registry import ToolRegistry
from schemas.dead_letter import DeadLetter
from schemas.deployment import Check, Deployment, DeploymentOutcome, ToolVersion
from schemas.errors import Misconfigured
from schemas.message import Message
from schemas.rollback import automatic_command_id
from schemas.settings import Settings
from streams.partitions import partition_of
from tests.support.consoles.console import running_console
from tests.support.inputs.messages import activation, command_by_ann, deployment, execution
from tests.support.inputs.signing import KEY_OF_ROLE, settings_of, signer, variables, write_files
from tests.support.servers.kafka import new_topic_prefix
from tests.support.servers.postgres import PostgresServer
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(360)

GREATEST = 2**31 - 1
GATED = '{"robot-gated": {"gate": "hold"}}'
"""The tool whose deployments by a machine a person must approve if a check failed."""


class Guarded(System):
    """A system that requires signatures, and whoever attacks it."""

    def settings_by(self, name: str | None) -> Settings:
        return settings_of(self.settings, self.folder, name)

    async def deploy_by(self, name: str, tool: str, code: str, **fields: Any) -> ToolVersion:
        """Deploy in the name of an author, and return the version."""
        async with EngineClient(self.settings_by(name)) as client:
            outcome = await client.deploy(tool, code, **fields)
        assert outcome.status in ("created", "unchanged"), outcome
        return await self.current(tool)

    async def current(self, tool: str) -> ToolVersion:
        [row] = await self.query(
            "SELECT * FROM tool_versions WHERE tool_name = $1 AND is_current", tool
        )
        fields = dict(row)
        kind, by = fields.pop("activated_by_kind"), fields.pop("activated_by_id")
        fields["accepted_breaks"] = []
        return ToolVersion.model_validate(fields | {"activated_by": {"kind": kind, "id": by}})

    async def attack(self, topic: str, message: Message | bytes, by: str | None = None) -> None:
        """Publish a message as an engine can: unsigned, or signed by a key that may not say it."""
        value = message if isinstance(message, bytes) else message.to_bytes()
        tool = json.loads(value)["tool_name"]
        headers = None
        if by is not None and isinstance(message, Message):
            headers = await self.sign(message, by)
        await self.producer.send_and_wait(topic, value, key=tool.encode(), headers=headers or [])

    async def sign(self, message: Message, by: str) -> list[tuple[str, bytes]]:
        namespace = self.settings.topic_prefix
        return await signer(by, namespace).headers(message, message.to_bytes()) or []

    async def dead_letters(self, tool: str, count: int) -> list[str]:
        """Return the errors of the first dead letters of a tool; wait for them."""
        records = await self.records(self.topics.dead_letters, count, tool)
        return [DeadLetter.from_bytes(record.value).error for record in records]

    async def unverified(self) -> list[str]:
        """Return what the applier counted of messages that did not verify."""
        await self.all_ready("applier")
        lines = (await self.metrics("applier")).splitlines()
        return [line for line in lines if line.startswith("rollguard_unverified_messages_total{")]

    async def unverified_deployments(self) -> float:
        """Return how many deployments the applier counted that did not verify."""
        lines = [line for line in await self.unverified() if 'message="Deployment"' in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def rollbacks(self, tool: str, columns: str) -> list[tuple[Any, ...]]:
        """Return columns of the rollbacks of a tool, the oldest first."""
        sql = f"SELECT {columns} FROM rollbacks WHERE tool_name = $1 ORDER BY issued_at"
        return [tuple(row) for row in await self.query(sql, tool)]

    async def health_of(self, tool: str) -> dict[str, Any]:
        """Return what the detector knows of a tool; wait until it knows the tool."""

        async def known() -> bool:
            return (await self.health(tool))[0] == 200

        await until(known)
        return (await self.health(tool))[1]


@asynccontextmanager
async def signing_roles(workers: Workers) -> AsyncIterator[None]:
    """Run the three roles, each with a key of its own, during the block."""
    try:
        for role, key in KEY_OF_ROLE.items():
            await workers.spawn(role, **variables(workers.folder, key), ROLLGUARD_TOOLS=GATED)
        await workers.detector_ready()
        yield
    finally:
        await workers.stop_all()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _guarded_roles(
    embedded_broker: str, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workers]:
    folder = tmp_path_factory.mktemp("signed")
    write_files(folder, "ann", "robot", "applier", "detector", "stranger")
    with postgres_server.database() as dsn:
        workers = await Workers.prepared(embedded_broker, dsn, new_topic_prefix(), folder)
        async with signing_roles(workers):
            yield workers


@pytest_asyncio.fixture
async def guarded(_guarded_roles: Workers) -> AsyncIterator[Guarded]:
    """Yield clients of three roles that require signatures, and that the other tests use too."""
    async with Guarded.of(_guarded_roles) as system:
        yield system


async def test_what_is_signed_works_and_names_come_from_the_keys(
    guarded: Guarded, tool: str
) -> None:
    unverified = await guarded.unverified()
    first = await guarded.deploy_by("ann", tool, "def execute(x): pass")
    assert (first.author, first.created_by) == ("ann", "human")
    async with EngineClient(guarded.settings_by("ann")) as client:
        second = await client.deploy(tool, "def execute(): pass", created_by="autonomous")
        assert (await guarded.current(tool)).created_by == "human", "the key says who it is"
        await guarded.run(*(execution(tool, "TypeError: x") for _ in range(2)))

        async def rolled_back() -> bool:
            return (await guarded.current(tool)).version_id == first.version_id

        await until(rolled_back)
        outcome = await client.rollback(tool, second.version_id or 0, "no", issued_by="boss")
    assert outcome.status == "applied"
    rows = await guarded.rollbacks(tool, "tier, issued_by")
    assert rows == [("immediate", "detector"), ("manual", "ann")]
    assert await guarded.unverified() == unverified


async def test_a_forged_activation_blinds_nobody(guarded: Guarded, tool: str) -> None:
    first = await guarded.deploy_by("ann", tool, "def execute(x): pass")
    broken = await guarded.deploy_by("ann", tool, "def execute(): pass")
    forged = activation(tool, first.version_id, GREATEST, adopts=True)
    for count, by in enumerate((None, "ann", "detector", "stranger"), 1):
        await guarded.attack(guarded.topics.executions, forged, by)
        *_, error = await guarded.dead_letters(tool, count)
        assert "signature" in error or "the key" in error
    assert (await guarded.health_of(tool))["version_id"] == broken.version_id
    await guarded.run(*(execution(tool, "TypeError: x") for _ in range(2)))

    async def rolled_back() -> bool:
        return (await guarded.current(tool)).version_id == first.version_id

    await until(rolled_back)
    await guarded.executions_recorded(tool, 2)
    sql = "SELECT version_id FROM recorder_current WHERE tool_name = $1"
    [row] = await guarded.query(sql, tool)
    assert row["version_id"] in (first.version_id, broken.version_id)
    sql = "SELECT total_executions FROM tool_versions WHERE version_id = $1"
    assert (await guarded.query(sql, broken.version_id))[0][0] == 2


async def test_the_signature_of_a_version_makes_no_activation(guarded: Guarded, tool: str) -> None:
    """An engine may read `tool-versions`, so it has the signatures of versions."""
    current = await guarded.deploy_by("ann", tool, "x = 1")
    [record] = await guarded.records(guarded.topics.versions, 1, tool)
    assert dict(record.headers)["rollguard-signature"]
    forged = current.as_activation().model_copy(update={"activation": GREATEST})
    await guarded.producer.send_and_wait(
        guarded.topics.executions,
        forged.to_bytes(),
        key=tool.encode(),
        headers=list(record.headers),
    )
    assert "is not one of this record" in (await guarded.dead_letters(tool, 1))[0]
    assert (await guarded.health_of(tool))["activation"] == 1


async def test_nobody_stops_a_rollback_by_using_its_id_first(guarded: Guarded, tool: str) -> None:
    first = await guarded.deploy_by("ann", tool, "def execute(x): pass")
    broken = await guarded.deploy_by("ann", tool, "def execute(): pass")
    known = automatic_command_id(tool, broken.version_id, broken.activation, 1)
    forged = command_by_ann(
        tool, command_id=known, tier="immediate", reason="complete_failure", to_version_id=99
    )
    for by in (None, "ann", "applier"):
        await guarded.attack(guarded.topics.commands, forged, by)
    await guarded.dead_letters(tool, 3)
    assert await guarded.rollbacks(tool, "status") == []
    await guarded.run(*(execution(tool, "TypeError: x") for _ in range(2)))

    async def rolled_back() -> bool:
        return (await guarded.current(tool)).version_id == first.version_id

    await until(rolled_back)
    assert await guarded.rollbacks(tool, "command_id, status") == [(known, "applied")]


async def test_nobody_orders_a_rollback_in_the_name_of_another(guarded: Guarded, tool: str) -> None:
    first = await guarded.deploy_by("ann", tool, "x = 1")
    second = await guarded.deploy_by("ann", tool, "x = 2")
    forged = command_by_ann(tool, to_version_id=first.version_id, issued_by="ann")
    for by in (None, "robot", "detector"):
        await guarded.attack(guarded.topics.commands, forged, by)
    errors = await guarded.dead_letters(tool, 3)
    assert "no signature" in errors[0]
    assert "of the role detector, not of person" in errors[2]
    assert (await guarded.current(tool)).version_id == second.version_id
    assert await guarded.rollbacks(tool, "status") == []


async def test_nobody_approves_its_own_held_rollback(guarded: Guarded, tool: str) -> None:
    first = await guarded.deploy_by("ann", tool, "x = 1")
    second = await guarded.deploy_by("ann", tool, "x = 2")
    held = command_by_ann(
        tool,
        from_version_id=second.version_id,
        from_activation=second.activation,
        tier="fast",
        reason="complete_failure",
        mode="hold",
    )
    await guarded.attack(guarded.topics.commands, held, "detector")  # the detector's own

    async def status() -> str | None:
        rows = await guarded.rollbacks(tool, "status")
        return rows[0][0] if rows else None

    async def is_held() -> bool:
        return await status() == "held"

    await until(is_held)
    for answer in ({"approved_by": "ann"}, {"dismissed_by": "ann"}):
        for by in (None, "detector", "robot"):
            forged = held.model_copy(update=answer)
            await guarded.attack(guarded.topics.commands, forged, by)
    await guarded.dead_letters(tool, 6)
    assert await status() == "held"
    outcome = await approve(guarded.settings_by("ann"), held.command_id, "boss")
    assert (outcome.status, outcome.to_version_id) == ("applied", first.version_id)
    assert await guarded.rollbacks(tool, "approved_by, issued_by") == [("ann", "detector")]


async def test_a_machine_restores_no_trust_by_calling_itself_human(
    guarded: Guarded, tool: str
) -> None:
    tool = f"robot-{tool}"
    distrusted = "SELECT FROM distrusted_code WHERE tool_name = $1"
    await guarded.deploy_by("robot", tool, "def execute(x): pass")
    await guarded.deploy_by("robot", tool, "def execute(): pass")
    await guarded.run(*(execution(tool, "TypeError: x") for _ in range(2)))

    async def rolled_back() -> bool:
        return bool(await guarded.query(distrusted, tool))

    await until(rolled_back)
    again = await guarded.deploy_by("robot", tool, "def execute(): pass", created_by="human")
    assert (again.created_by, again.author) == ("autonomous", "robot")
    assert len(await guarded.query(distrusted, tool)) == 1


async def test_only_a_person_answers_a_held_deployment(guarded: Guarded) -> None:
    """Neither does anybody take a failed check away, or add an acceptance."""
    tool, topic = "robot-gated", guarded.topics.deployments
    failed = [Check(name="smoke", ok=False)]
    await guarded.deploy_by("robot", tool, "def execute(x): pass")
    async with EngineClient(guarded.settings_by("robot")) as client:
        outcome = await client.deploy(tool, "def execute(): pass", checks=failed)
        assert (outcome.status, len(outcome.findings or ())) == ("held", 2)
        own = deployment(tool, "def execute(): pass", deployment_id=outcome.deployment_id)
        with pytest.raises(Misconfigured, match="person"):
            await client.deployment(own.model_copy(update={"approved_by": "ann"}))
    [sent] = [
        record
        for record in await guarded.records(topic, 2, tool)
        if Deployment.from_bytes(record.value).deployment_id == outcome.deployment_id
    ]
    said, forgeries = json.loads(sent.value), 0
    changes: list[dict[str, Any]] = [
        {"checks": []},
        {"accepted_breaks": [{"object": "execute", "reason": "x"}]},
        {"approved_by": "ann"},
    ]
    for more in changes:
        stolen = json.dumps(said | more | {"deployment_id": str(uuid4())}).encode()
        await guarded.producer.send_and_wait(
            topic, stolen, key=tool.encode(), headers=list(sent.headers)
        )
        forgeries += 1
    for answer in ({"approved_by": "ann"}, {"dismissed_by": "ann", "dismissal": "x"}):
        for by in (None, "robot", "detector", "applier", "stranger"):
            await guarded.attack(topic, own.model_copy(update=answer), by)
            forgeries += 1
    await guarded.dead_letters(tool, forgeries)
    [held] = await waiting_deployments(guarded.settings, tool)
    assert (held.deployment_id, held.author, held.checks) == (
        *(outcome.deployment_id, "robot"),
        failed,
    )
    assert len(await guarded.records(guarded.topics.deployment_outcomes, 2, tool)) == 2

    with pytest.raises(Misconfigured, match=r"role author, not|person"):
        await approve_deployment(guarded.settings_by("robot"), tool, held.deployment_id, "ann")
    ann = guarded.settings_by("ann")
    approved = await approve_deployment(ann, tool, held.deployment_id, "boss")
    assert approved.status == "created"
    current = await guarded.current(tool)
    assert (current.created_by, current.author) == ("autonomous", "robot")
    [row] = await guarded.query("SELECT approved_by, status FROM held_deployments")
    assert tuple(row) == ("ann", "approved"), "the name is that of the key"


async def test_nobody_takes_the_id_of_a_deployment(guarded: Guarded, tool: str) -> None:
    wanted = uuid4()
    forged = deployment(tool, "evil = 1", deployment_id=wanted)
    bad = json.loads(forged.to_bytes()) | {"code": 7}
    before = await guarded.unverified_deployments()
    await guarded.attack(guarded.topics.deployments, forged)
    await guarded.attack(guarded.topics.deployments, forged, "robot")
    await guarded.attack(guarded.topics.deployments, json.dumps(bad).encode())
    await guarded.dead_letters(tool, 3)
    assert await guarded.unverified_deployments() == before + 2, "each counts once"
    assert await guarded.query("SELECT FROM deployments WHERE tool_name = $1", tool) == []
    version = await guarded.deploy_by("ann", tool, "x = 1", deployment_id=wanted)
    assert (version.code, version.deployment_id) == ("x = 1", wanted)
    assert len(await guarded.records(guarded.topics.deployment_outcomes, 1, tool)) == 1


async def test_a_signed_deployment_that_is_bad_is_refused_where_its_author_sends_it(
    guarded: Guarded, tool: str
) -> None:
    topic, good = guarded.topics.deployments, deployment(tool, "x = 1")
    signature, evil = await guarded.sign(good, "ann"), f"evil-{tool}".encode()
    await guarded.producer.send_and_wait(topic, good.to_bytes(), key=evil, headers=signature)
    ahead = deployment(tool, "x = 2", deployed_at=datetime(2100, 1, 1, tzinfo=UTC))
    await guarded.attack(topic, ahead, "ann")
    assert len(await guarded.dead_letters(evil.decode(), 1)) == 1
    assert len(await guarded.dead_letters(tool, 1)) == 1
    elsewhere = (partition_of(tool.encode(), guarded.settings.partitions) + 1) % 4
    await guarded.producer.send_and_wait(
        topic, good.to_bytes(), key=tool.encode(), partition=elsewhere, headers=signature
    )
    records = await guarded.records(guarded.topics.deployment_outcomes, 2, tool)
    outcomes = [DeploymentOutcome.from_bytes(record.value) for record in records]
    assert [(each.deployment_id, each.status) for each in outcomes] == [
        (ahead.deployment_id, "refused"),
        (good.deployment_id, "created"),
    ]


class Text:
    """A loader for which the tool is the code."""

    async def load(self, version: ToolVersion) -> str:
        return version.code

    async def unload(self, tool: str) -> None:
        return


async def test_a_registry_loads_only_what_an_applier_has_signed(
    guarded: Guarded, tool: str
) -> None:
    current = await guarded.deploy_by("ann", tool, "good = 1")
    forged = current.model_copy(update={"activation": 7, "code": "evil = 1"})
    await guarded.attack(guarded.topics.versions, forged)
    other = current.model_copy(update={"activation": 7})
    await guarded.attack(guarded.topics.versions, other, "ann")
    settings = guarded.settings_by(None)
    async with ToolRegistry(settings, Text()) as registry:
        await registry.caught_up.wait()
        loaded = await registry.load(tool)
        assert loaded is not None
        assert loaded.version.activation == 1
        await guarded.attack(guarded.topics.versions, forged, "stranger")
        newer = await guarded.deploy_by("ann", tool, "better = 1")
        loaded = await registry.wait_for(tool, lambda each: each.version.activation > 1, 120)
        assert loaded.tool == "better = 1"
        await registry.reload(newer)
    kept = guarded.folder / "registry" / guarded.topics.versions / "greatest-activations.json"
    assert json.loads(kept.read_text())[tool] == 2


async def test_an_old_signed_version_does_not_come_back(guarded: Guarded, tool: str) -> None:
    await guarded.deploy_by("ann", tool, "old = 1")
    await guarded.deploy_by("ann", tool, "new = 1")
    settings = guarded.settings_by(None)
    async with ToolRegistry(settings, Text()) as registry:
        await registry.wait_for(tool, lambda each: each.version.activation == 2, 120)
    [old, *_] = await guarded.records(guarded.topics.versions, 2, tool)
    prefix = f"{guarded.settings.topic_prefix}tool-versions"
    assert old.topic == prefix
    # Whoever may delete records of the topic publishes the old version as the only one.
    async with ToolRegistry(settings, Text()) as registry:
        registry._tools._newest.clear()
        registry.offer(old.value, old)
        assert tool not in registry._tools._newest


async def test_adoption_mends_what_was_forged_before_signatures_were_required(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path, tool: str
) -> None:
    write_files(tmp_path, "ann", "applier", "detector")
    system = await Guarded.prepared(embedded_broker, database_dsn, topic_prefix, tmp_path)
    roles = list(KEY_OF_ROLE)
    async with system.connected(), system.run_roles(roles):
        outcome = await system.deploy(tool, "def execute(x): pass")
        await system.deploy(tool, "def execute(): pass")
        await system.attack(system.topics.executions, activation(tool, 99, GREATEST))

        async def is_blind() -> bool:
            return bool((await system.health_of(tool))["version_id"] == 99)

        await until(is_blind)
    system.producer = Guarded(system.settings, tmp_path).producer
    async with system.connected(), signing_roles(system):
        assert (await system.health_of(tool))["version_id"] == 99
        with pytest.raises(Misconfigured, match="does not name the key"):
            await adopt(system.settings_by("ann"))
        assert await adopt(system.settings_by("applier")) == 1

        async def sees() -> bool:
            return bool((await system.health_of(tool))["activation"] == 2)

        await until(sees)
        await system.run(*(execution(tool, "TypeError: x") for _ in range(2)))

        async def rolled_back() -> bool:
            return (await system.current(tool)).version_id == outcome.version_id

        await until(rolled_back)
        await system.executions_recorded(tool, 2)
        [row] = await system.query("SELECT activation FROM recorder_current")
        assert row["activation"] in (2, 3)


async def test_a_client_without_the_right_key_says_so_at_once(guarded: Guarded, tool: str) -> None:
    for name, reason in ((None, "ROLLGUARD_SIGNING_KEY must name"), ("applier", "as author")):
        async with EngineClient(guarded.settings_by(name)) as client:
            with pytest.raises(Misconfigured, match=reason):
                await client.deploy(tool, "x = 1")


async def test_what_is_ordered_by_http_is_signed_by_the_key_of_the_console(
    guarded: Guarded, tool: str
) -> None:
    async with running_console(guarded, **variables(guarded.folder, "ann")) as console:
        for code in ("one", "two"):
            made = await console.post(f"/tools/{tool}/deployments", {"code": code})
            assert (made.status, made.body["status"]) == (201, "created")
        order = {"to_version_number": 1, "issued_by": "somebody else"}
        done = await console.post(f"/tools/{tool}/rollbacks", order)
        assert done.status == 200
        shown = await console.get(f"/rollbacks/{done.body['command_id']}")
        assert shown.body["issued_by"] == "ann"
        assert (await console.get(f"/tools/{tool}")).body["version"]["author"] == "ann"
