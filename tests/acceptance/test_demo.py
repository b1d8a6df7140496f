"""The demo, run to its end. For Ctrl-C see ``test_ctrl_c.py``."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from tests.support.systems.command_line import left_behind

ROOT = Path(__file__).parents[2]
OTHER_SERVERS = {
    "ROLLGUARD_KAFKA_BROKERS": "127.0.0.1:1",
    "ROLLGUARD_KAFKA_SECURITY": "sasl_ssl",
    "ROLLGUARD_POLICY": "guarded",
    "ROLLGUARD_PARTITIONS": "none",
    "ROLLGUARD_NO_SUCH_SETTING": "1",
    "ROLLGUARD_ENV_FILE": "/no/such/file",
    "ROLLGUARD_WEB_TOKEN": "secret",
    "ROLLGUARD_WORKER_NAME": "mine",
    "PGHOST": "127.0.0.1",
    "PGPORT": "1",
    "PGUSER": "somebody",
    "PGDATABASE": "other",
    "PGSERVICE": "other",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/no/such/file",
    "PGPASSFILE": "/no/such/file",
    "PGOPTIONS": "--no-such-option",
    "PGTARGETSESSIONATTRS": "read-only",
    "STORAGE_ENGINE": "s3://other/",
    "SCHEMA_REGISTRY": "file:///no/such/folder",
}
"""An environment that speaks of other servers, and has settings that are wrong."""


async def start_demo(folder: Path, **env: str) -> asyncio.subprocess.Process:
    """Start the demo as the README says, with a folder of its own for temporary files."""
    return await asyncio.create_subprocess_exec(
        *("make", "--no-print-directory", "-C", str(ROOT), "demo"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "160", **env},
    )


@pytest.mark.timeout(360)
async def test_the_demo_runs_as_expected(folder: Path, tmp_path: Path) -> None:
    """It runs by its own settings, whatever the environment and a file of settings say."""
    (tmp_path / "named.env").write_text("ROLLGUARD_POLICY=guarded\nROLLGUARD_NO_SETTING=1\n")
    others = {**OTHER_SERVERS, "ROLLGUARD_ENV_FILE": str(tmp_path / "named.env")}
    demo = await start_demo(folder, **others)
    output, _ = await asyncio.wait_for(demo.communicate(), 400)
    text = output.decode()
    assert demo.returncode == 0, text
    for expected in ("dependencies v2", "1 signature change", "4 wait for statistics"):
        assert expected in text
    assert "exception was never retrieved" not in text
    assert len(re.findall(r"\bas expected\b", text)) == 11
    assert left_behind(folder) == []
