"""The applier warns of tools that are named only in the settings."""

import structlog

from agents.applier.unknown_tools import warn_of_unknown_tools
from db.postgres.pool import Connection, Pool
from schemas.settings import load_settings
from tests.support.inputs.stored import deploy_all


async def test_the_warning_names_the_tools_without_a_version(pool: Pool, conn: Connection) -> None:
    await deploy_all(conn, "one", tool="parser")
    known, rules = "parser", {"ring_size": 20}
    with structlog.testing.capture_logs() as logs:
        await warn_of_unknown_tools(pool, load_settings())
        await warn_of_unknown_tools(pool, load_settings(tools={known: rules}))
    assert logs == []
    with structlog.testing.capture_logs() as logs:
        await warn_of_unknown_tools(pool, load_settings(tools={known: rules, "passer": rules}))
    assert [(each["event"], each["tools"]) for each in logs] == [
        ("unknown_tools_in_settings", ["passer"])
    ]
