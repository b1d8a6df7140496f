"""The tutorial runs as it is printed, on one embedded stack, page after page.

Python blocks with a title are files. Console commands run in one shell for each page.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from rollguard.embedded.local import local_system
from tests.docs.pages import DOCS, ROOT, blocks, commands
from tests.docs.terminal import Terminal
from tests.support.systems.idle_stack import IDLE_STACK

_PAGES: Final = ("first-rollback.md", "first-engine.md")


@pytest.mark.timeout(540)
async def test_each_page_runs_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in IDLE_STACK.items():
        monkeypatch.setenv(name, value)
    async with local_system() as system:
        settings = system.settings
        env = {
            **os.environ,
            "ROLLGUARD_KAFKA_BROKERS": ",".join(settings.kafka_brokers),
            "ROLLGUARD_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "ROLLGUARD_DETECTOR_URL": settings.detector_url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "100",
        }
        for name in _PAGES:
            await _run_page(DOCS / "tutorial" / name, tmp_path, env)


async def _run_page(page: Path, folder: Path, env: Mapping[str, str]) -> None:
    terminal = await Terminal.opened(folder, env)
    try:
        for block in blocks(page):
            if block.language == "python":
                await terminal.write(block.title, block.text)
            elif block.language == "console":
                for command in commands(block):
                    await terminal.run(command)
    finally:
        await terminal.close()
