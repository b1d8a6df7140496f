"""The import paths that users have go on working, and the client stays light."""

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from rollguard.cli.app import app

PUBLIC = {
    "rollguard": ("DeploymentMonitor", "ToolVersionManager"),
    "rollguard.client": (
        *("AcceptedBreak", "Check", "DeploymentHeld", "DeploymentOutcome", "DeploymentRefused"),
        *("EngineClient", "Execution"),
        *("ErrorOrigin", "LaterVerdict", "Misconfigured", "Missing", "Rejected", "Retryable"),
        *("RollbackOutcome", "RollguardError", "Settings"),
        *("ToolVersion", "client_settings", "load_settings", "refusal_text"),
    ),
    "rollguard.registry": ("LoadedTool", "Loader", "ToolRegistry"),
    "rollguard.blocking": ("DeploymentMonitor", "ToolVersionManager"),
    "rollguard.holds": (
        *("HeldDeployment", "RollbackRecord", "approve", "approve_deployment", "deployments_of"),
        *("dismiss", "dismiss_deployment", "waiting", "waiting_deployments"),
    ),
    "rollguard.pins": ("Pin", "pin", "pin_of", "unpin"),
    "rollguard.stops": (
        *("RejectedVersion", "Stop", "VersionName", "freeze"),
        *("reject", "resume", "stops_of", "unfreeze"),
    ),
}


@pytest.mark.parametrize("module", PUBLIC)
def test_the_names_that_users_import_exist(module: str) -> None:
    found = import_module(module)
    assert [name for name in PUBLIC[module] if not hasattr(found, name)] == []
    assert set(getattr(found, "__all__", PUBLIC[module])) == set(PUBLIC[module])


@pytest.mark.parametrize("module", ["rollguard.client", "rollguard.registry"])
def test_an_engine_imports_neither_faust_nor_postgres(module: str) -> None:
    program = (
        f"import {module}, sys; print({{'faust', 'asyncpg', 'aiohttp'}} & set(sys.modules) or '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, rollguard.cli.app\n"
        "heavy = {'aiokafka', 'asyncpg', 'faust', 'pydantic', 'aiohttp'}\n"
        "print(heavy & set(sys.modules) or '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_version_is_that_of_the_package() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"rollguard {version('rollguard')}\n")


def test_the_shell_can_complete_verbs() -> None:
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
