"""``compose/compose.yaml`` by the Compose schema, and that it runs all there is to run."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

_COMPOSE = Path(__file__).parents[3] / "compose" / "compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(_COMPOSE)["services"]
    return found


def test_it_is_a_compose_file() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(_COMPOSE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", ["detector", "applier", "recorder"])
def test_each_role_runs_after_the_setup(services: dict[str, Any], role: str) -> None:
    service = services[role]
    assert service["command"] == ["worker", role]
    assert "/healthz" in service["healthcheck"]["test"][-1]
    assert service["environment"]["ROLLGUARD_WEB_TOKEN"]
    assert service["restart"] == "unless-stopped"
    assert service["volumes"] == [f"{role}:/var/lib/rollguard"]
    assert service["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}
    assert {"ROLLGUARD_KAFKA_BROKERS", "ROLLGUARD_POSTGRES_DSN"} <= set(service["environment"])


def test_the_setup_waits_for_both_and_makes_schema_and_topics(services: dict[str, Any]) -> None:
    setup = services["setup"]
    assert setup["entrypoint"][-1] == "rollguard migrate && rollguard topics"
    assert set(setup["depends_on"]) == {"kafka", "postgres"}
    for server in setup["depends_on"]:
        assert services[server]["healthcheck"]["test"]


def test_images_are_pinned_and_ports_stay_on_loopback(services: dict[str, Any]) -> None:
    assert services["kafka"]["image"] == "apache/kafka:4.1.1"
    assert services["postgres"]["image"].startswith("postgres:18.")
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
