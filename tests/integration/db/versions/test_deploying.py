"""Deployments: the versions that they make, each once."""

import asyncio
from datetime import timedelta

from db.postgres.pool import Connection, Pool
from db.versions.reading import current_version, history, version
from schemas.deployment import AuthoredDeployment, DeploymentOutcome
from schemas.execution import ActivatedBy
from tests.support.inputs.stored import (
    NOW,
    deploy,
    deploy_all,
    deployment,
)


class TestDeploy:
    async def test_a_first_and_a_second_version(self, conn: Connection) -> None:
        first = deployment("one", improvement_reason="why")
        outcome = await deploy(conn, first)
        assert outcome == DeploymentOutcome(
            deployment_id=first.deployment_id,
            tool_name="parser",
            status="created",
            version_id=outcome.version_id,
            version_number=1,
            activation=1,
            is_breaking_change=False,
            breaking_changes=[],
            applied_at=outcome.applied_at,
        )
        second = deployment("two", deployed_at=NOW + timedelta(1), created_by="autonomous")
        outcome2 = await deploy(conn, second, ["a gone", "b\0"], True)
        assert (outcome2.version_number, outcome2.activation) == (2, 2)
        assert (outcome2.is_breaking_change, outcome2.breaking_changes) == (
            True,
            ["a gone", "b\u2400"],
        )
        newest, oldest = await history(conn, "parser", 10)
        assert newest == await version(conn, "parser", newest.version_id)
        current = await current_version(conn, "parser")
        assert current is not None
        assert newest.model_dump().items() >= current.model_dump().items()
        assert newest.previous_version_id == oldest.version_id == outcome.version_id
        assert newest.activated_by == ActivatedBy(kind="deployment", id=second.deployment_id)
        assert newest.activated_at == newest.created_at == second.deployed_at
        assert (newest.is_current, oldest.is_current) == (True, False)
        assert (newest.deployment_count, newest.total_executions) == (1, 0)
        assert newest.success_rate is None
        assert (oldest.improvement_reason, oldest.code) == ("why", "one")
        assert newest.as_activation().activation == 2
        assert b'"activation":2' in newest.to_bytes()

    async def test_the_same_code_again(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        outcome = await deploy(conn, deployment("one"))
        assert (outcome.status, outcome.version_id, outcome.version_number, outcome.activation) == (
            "unchanged",
            first,
            1,
            1,
        )
        (only,) = await history(conn, "parser", 10)
        assert only.deployment_count == 2

    async def test_older_code_again_is_a_new_version(self, conn: Connection) -> None:
        first, _, third = await deploy_all(conn, "one", "two", "one")
        assert first != third
        assert [row.version_number for row in await history(conn, "parser", 2)] == [3, 2]

    async def test_a_replay_gets_the_first_outcome(self, conn: Connection) -> None:
        first = deployment("one")
        outcome = await deploy(conn, first, ["a gone"])
        await deploy_all(conn, "two")
        assert await deploy(conn, first) == outcome
        other = deployment("other", deployment_id=first.deployment_id)
        assert await deploy(conn, other) == outcome
        assert len(await history(conn, "parser", 10)) == 2

    async def test_what_is_not_there(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        assert await current_version(conn, "other") is None
        assert await version(conn, "other", first) is None
        for version_id in (0, first + 1, 2**31, 2**70):
            assert await version(conn, "parser", version_id) is None

    async def test_twenty_at_once(self, pool: Pool) -> None:
        async def one(number: int) -> DeploymentOutcome:
            async with pool.acquire() as conn:
                return await deploy(conn, deployment(f"code {number}"))

        outcomes = await asyncio.gather(*map(one, range(20)))
        assert sorted(outcome.version_number or 0 for outcome in outcomes) == list(range(1, 21))
        async with pool.acquire() as conn:
            versions = await history(conn, "parser", 100)
        assert [row.version_number for row in versions] == list(range(20, 0, -1))
        assert [row.is_current for row in versions] == [True] + [False] * 19
        assert [row.activation for row in versions] == list(range(20, 0, -1))
        assert [row.previous_version_id for row in versions[:-1]] == [
            row.version_id for row in versions[1:]
        ]

    async def test_one_deployment_many_times_at_once(self, pool: Pool) -> None:
        """It is one for each tool: an id counts within its tool."""
        same = deployment("one")

        async def one(tool: str) -> DeploymentOutcome:
            async with pool.acquire() as conn:
                return await deploy(conn, same.model_copy(update={"tool_name": tool}))

        tools = ["a", "a", "b", "c", "b", "a"]
        outcomes = await asyncio.gather(*map(one, tools))
        assert [(each.tool_name, each.status) for each in outcomes] == [
            (tool, "created") for tool in tools
        ]
        assert len({outcome.to_bytes() for outcome in outcomes}) == 3
        assert await pool.fetchval("select count(*) from tool_versions") == 3


class TestAuthor:
    async def test_the_author_and_what_was_signed_are_kept(self, conn: Connection) -> None:
        await deploy(conn, authored("one", "ann", "{1}"))
        current = await current_version(conn, "parser")
        assert current is not None
        assert (current.author, current.authorship) == ("ann", "{1}")
        assert current.as_activation().author == "ann"
        assert b"authorship" not in current.to_bytes()

    async def test_an_author_who_deploys_it_again_vouches_for_it_anew(
        self, conn: Connection
    ) -> None:
        await deploy(conn, deployment("one"))
        for again, kept in (
            (authored("one", "ann", "{1}"), ("ann", "{1}")),
            (authored("one", "bob", "{2}"), ("bob", "{2}")),
            (deployment("one"), ("bob", "{2}")),
        ):
            assert (await deploy(conn, again)).status == "unchanged"
            current = await current_version(conn, "parser")
            assert current is not None
            assert (current.author, current.authorship) == kept
        assert (await history(conn, "parser", 9))[0].deployment_count == 4


def authored(code: str, author: str, authorship: str) -> AuthoredDeployment:
    fields = dict(deployment(code)) | {"author": author, "authorship": authorship}
    return AuthoredDeployment(**fields)
