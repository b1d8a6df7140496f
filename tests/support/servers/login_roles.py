"""Login roles of Postgres with the rights that `docs/security.md` grants, and no others."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

SECURITY_PAGE: Final = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
ROLES: Final = ("applier", "recorder", "reader", "operator")


async def create_login_roles(dsn: str) -> dict[str, str]:
    """Create the login roles of the page in this database, and return the DSN of each."""
    sql = re.search(r"```sql\n(.*?)```", SECURITY_PAGE, re.DOTALL)
    assert sql is not None
    suffix = uuid4().hex[:8]  # roles belong to the whole server, which tests share
    statements = re.sub(rf"\brollguard_({'|'.join(ROLES)})\b", rf"\g<0>_{suffix}", sql[1])
    names = {role: f"rollguard_{role}_{suffix}" for role in ROLES}
    connection = await asyncpg.connect(dsn)
    try:
        database = await connection.fetchval("select current_database()")
        await connection.execute(f"revoke all on database {database} from public")
        await connection.execute("revoke all on schema public from public")
        for name in names.values():
            await connection.execute(f"create role {name} login")
            await connection.execute(f"grant connect on database {database} to {name}")
        await connection.execute(statements)
    finally:
        await connection.close()
    return {role: _as_user(dsn, name) for role, name in names.items()}


def _as_user(dsn: str, user: str) -> str:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    changed = urlunsplit(parts._replace(netloc=f"{user}@{host}"))
    return changed if "://" in changed else dsn
