"""A tool whose code raises what ends programs does not load; a signal and a cancellation do end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import CoroutineType
from typing import Any

import pytest

from rollguard.registry import ToolRegistry
from schemas.deployment import ToolVersion
from schemas.settings import load_settings
from tests.support.inputs.messages import version

MODULES = {
    "import sys\nsys.exit()": "SystemExit",
    "raise SystemExit(3)": "SystemExit",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "def deep():\n    raise KeyboardInterrupt('x')\ndeep()": "KeyboardInterrupt",
    "try:\n    raise KeyboardInterrupt\nfinally:\n    pass": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "raise BaseExceptionGroup('all', [KeyboardInterrupt(), TypeError()])": "BaseExceptionGroup",
    "import asyncio\nraise asyncio.CancelledError": "CancelledError",
    "class Odd(BaseException):\n    def __repr__(self): raise SystemExit\nraise Odd": "Odd",
    "1 / 0": "ZeroDivisionError",
}


class ExecutesModules:
    """A loader that runs the module in this process, as a simple engine does."""

    async def load(self, version: ToolVersion) -> dict[str, Any]:
        await asyncio.sleep(0)
        names: dict[str, Any] = {}
        exec(version.code, names)
        return names

    async def unload(self, tool: dict[str, Any]) -> None:
        unload: Callable[[], None] | None = tool.get("unload")
        if unload is not None:
            unload()


class Waits(ExecutesModules):
    """A loader whose load does not end by itself."""

    async def load(self, version: ToolVersion) -> dict[str, Any]:
        await asyncio.sleep(10)
        return {}


@pytest.fixture
def registry(tmp_path: Path) -> ToolRegistry[dict[str, Any]]:
    return ToolRegistry(load_settings(data_dir=tmp_path), ExecutesModules(), lazy=False)


@pytest.mark.parametrize("code", MODULES)
async def test_whatever_a_module_raises_is_its_load_error(
    registry: ToolRegistry[dict[str, Any]], code: str
) -> None:
    for each in (version(1, "x = 1"), version(2, code), version(1, "y = 2", "other")):
        registry.offer(each.to_bytes())
        await registry.load_offered()
    loaded = registry.get("parser")
    assert loaded is not None
    assert loaded.version.activation == 2, "the broken version is in use, not the one before"
    assert loaded.tool is None
    assert type(loaded.error).__name__ == MODULES[code]
    assert registry.get("other") is not None
    await registry.reload(version(3, code))
    again = registry.get("parser")
    assert again is not None
    assert type(again.error).__name__ == MODULES[code]


async def test_a_callback_and_an_unload_that_raise_stop_nothing(
    registry: ToolRegistry[dict[str, Any]],
) -> None:
    def leave(_: object) -> None:
        raise SystemExit

    registry.on_change.append(leave)
    await registry.reload(version(1, "def unload(): raise KeyboardInterrupt"))
    await registry.reload(version(2, "x = 1"))
    await asyncio.sleep(0.01)
    loaded = registry.get("parser")
    assert loaded is not None
    assert loaded.version.activation == 2


async def test_a_cancellation_by_the_engine_cancels_the_load(tmp_path: Path) -> None:
    registry = ToolRegistry(load_settings(data_dir=tmp_path), Waits(), lazy=False)
    loading = asyncio.ensure_future(registry.reload(version(1, "x = 1")))
    await asyncio.sleep(0.01)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert registry.get("parser") is None


async def test_a_load_that_is_thrown_away_is_not_an_error() -> None:
    """Closing a coroutine raises GeneratorExit in it."""
    registry = ToolRegistry(load_settings(), Waits())
    loading: CoroutineType[Any, Any, None] = registry.reload(version(1, "x = 1"))  # type: ignore[assignment]
    loading.send(None)
    loading.close()
    assert registry.get("parser") is None


PROGRAM = """
import asyncio, os, signal, sys, threading
from rollguard.registry import ToolRegistry
from schemas.settings import load_settings
from tests.unit.rollguard.registry.test_interruption import ExecutesModules, version

async def main():
    code = "import os, signal, time\\nos.kill(os.getpid(), signal.{signal})\\ntime.sleep(5)"
    await ToolRegistry(load_settings(), ExecutesModules()).reload(version(1, code))
    print("it went on")

class Own:
    def exit_soon(self, *_):
        sys.exit(8)

{handler}
{run}
"""


@pytest.mark.parametrize(
    ("number", "handler", "run", "code"),
    [
        # Python's own handler of Ctrl-C, for an engine that runs its loop by itself
        (
            "SIGINT",
            # a process that is started in the background has no handler
            "signal.signal(signal.SIGINT, signal.default_int_handler)",
            "asyncio.new_event_loop().run_until_complete(main())",
            -signal.SIGINT,
        ),
        (
            "SIGTERM",
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))",
            "asyncio.run(main())",
            7,
        ),
        ("SIGTERM", "signal.signal(signal.SIGTERM, Own().exit_soon)", "asyncio.run(main())", 8),
    ],
)
def test_a_signal_while_a_module_loads_ends_the_engine(
    number: str, handler: str, run: str, code: int, tmp_path: Path
) -> None:
    program = PROGRAM.format(signal=number, handler=handler, run=run)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ROLLGUARD_DATA_DIR": str(tmp_path)},
    )
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
