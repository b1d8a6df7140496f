"""Each manifest is valid, complete and confined, and each name in it is one of the program's."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any, Final

import kubernetes_validate.utils
import pytest
from jsonschema import Draft202012Validator, ValidationError

from agents.comparer.child import MAX_MEMORY_BYTES
from agents.worker.http.access import OPEN
from rollguard.cli.app import app
from schemas.settings import SETTING_NAMES, Settings, load_settings
from streams.topics import Topics, group_of
from tests.support.manifests import (
    BASE,
    COMPONENT,
    KUBERNETES,
    Manifest,
    Workload,
    documents,
    kustomization_of,
    kustomizations,
    manifests,
    settings_of,
    workloads,
)
from tests.support.servers.login_roles import SECURITY_PAGE

PAGE: Final = (KUBERNETES.parents[1] / "docs" / "how-to" / "kubernetes.md").read_text("utf-8")
OF_OPERATORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "operator_schemas.json").read_text("utf-8")
)
"""The schemas of kinds that an operator brings, by API version and kind."""
USER: Final = 10_001
"""The user of the image (compose/Dockerfile)."""

each_workload = pytest.mark.parametrize("workload", workloads(), ids=lambda each: each.component)
each_role = pytest.mark.parametrize(
    "workload", [each for each in workloads() if each.is_role], ids=lambda each: each.component
)
each_folder = pytest.mark.parametrize(
    "folder", kustomizations(), ids=lambda each: str(each.relative_to(KUBERNETES))
)


needs_kustomize = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl, which has kustomize, is not installed"
)


def built(folder: Path) -> str:
    """Return what kustomize makes of a folder."""
    return subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, check=True, text=True
    ).stdout


_READ_ONCE: Final = cache(kubernetes_validate.utils.schema_contents)


@pytest.fixture(autouse=True)
def _schemas_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the schemas: all definitions would be read anew for each document."""
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", _READ_ONCE)


@cache
def validator_of(kind: str) -> Draft202012Validator:
    """Return what validates a kind of an operator, whose metadata Kubernetes validates."""
    schema = without_unknown_fields(OF_OPERATORS[kind])
    schema["properties"]["metadata"] = {"type": "object"}
    return Draft202012Validator(schema)


def without_unknown_fields(schema: Any) -> Any:
    """Return the schema so that unknown fields are wrong. Kubernetes would leave them out."""
    if isinstance(schema, list):
        return [without_unknown_fields(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {
        name: {each: without_unknown_fields(of) for each, of in value.items()}
        if name == "properties"
        else without_unknown_fields(value)
        for name, value in schema.items()
    }
    if "properties" in strict and "x-kubernetes-preserve-unknown-fields" not in strict:
        strict.setdefault("additionalProperties", False)
    return strict


def require_valid(document: Any) -> None:
    kind = f"{document['apiVersion']} {document['kind']}"
    if kind in OF_OPERATORS:
        validator_of(kind).validate(document)
    else:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("manifest", manifests(), ids=str)
def test_each_manifest_is_valid(manifest: Manifest) -> None:
    require_valid(manifest.document)


def test_a_wrong_manifest_of_an_operator_is_noticed() -> None:
    [kafka] = [each.document for each in manifests() if each.kind == "Kafka"]
    require_valid(kafka)
    spec: dict[str, Any] = kafka["spec"]
    wrongs: list[dict[str, Any]] = [{"listener": []}, {"listeners": [{"port": "9093"}]}]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            require_valid({**kafka, "spec": {**spec, "kafka": {**spec["kafka"], **wrong}}})


def test_there_is_everything_that_a_system_needs() -> None:
    roles = {each.component for each in workloads()}
    assert roles == {
        *("detector", "applier", "recorder", "notifier", "bridge", "console"),
        "setup",
    }


@each_folder
def test_a_kustomization_lists_each_file_that_is_there(folder: Path) -> None:
    kustomization = kustomization_of(folder)
    listed = [*kustomization.get("resources", ()), *kustomization.get("components", ())]
    files = {each for each in listed if each.endswith(".yaml")}
    assert files == {each.name for each in folder.glob("*.yaml")} - {"kustomization.yaml"}
    for other in set(listed) - files:
        assert (folder / other / "kustomization.yaml").exists(), other
    for generator in kustomization.get("configMapGenerator", ()):
        assert all((folder / each).exists() for each in generator["envs"])


@each_folder
def test_a_patch_names_what_exists(folder: Path) -> None:
    for patch in kustomization_of(folder).get("patches", ()):
        found = [
            each.manifest.document
            for each in workloads()
            if re.fullmatch(patch["target"]["name"], each.manifest.name)
        ]
        assert len(found) == len(patch["target"]["name"].split("|"))
        for operation in documents(patch["patch"])[0]:
            keys = operation["path"].strip("/").split("/")
            for document in found:
                reduce(getitem, keys, document)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder beside which `deploy/` lies as the page has it."""
    shutil.copytree(KUBERNETES, tmp_path / "rollguard" / "deploy" / "kubernetes")
    (tmp_path / "ours").mkdir()
    return tmp_path


@needs_kustomize
@pytest.mark.parametrize("name", ["base", "overlays/keda", "overlays/strimzi-cnpg"])
def test_what_kustomize_makes_of_it_is_valid(name: str) -> None:
    made = built(KUBERNETES / name)
    found = documents(made)
    assert len(found) > 30
    for document in found:
        require_valid(document)
        assert document["metadata"].get("namespace", "rollguard") == "rollguard"
    [settings] = [each["metadata"]["name"] for each in found if each["kind"] == "ConfigMap"]
    used = set(re.findall("name: (rollguard-settings.*)", made))
    assert used == {settings}, "a change of the settings starts the pods anew"


@needs_kustomize
def test_the_overlay_of_the_page_builds(checkout: Path) -> None:
    [overlay] = re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
    (checkout / "ours" / "kustomization.yaml").write_text(overlay)
    made = built(checkout / "ours")
    found = documents(made)
    names = {each["metadata"]["name"] for each in found}
    assert {"detector", "applier", "recorder", "console"} <= names
    assert not names & {"bridge", "notifier"}
    assert set(re.findall("image: (.+)", made)) == {"registry.example.com/rollguard:0.1.0"}
    assert "ROLLGUARD_POLICY: guarded" in made
    scaled = {each["metadata"]["name"] for each in found if each["kind"] == "ScaledObject"}
    assert scaled == {"detector", "applier", "recorder"}
    assert not any(
        "replicas" in each["spec"]
        for each in found
        if each["kind"] in ("Deployment", "StatefulSet") and each["metadata"]["name"] in scaled
    )


def variables_of(workload: Workload, container: Any) -> dict[str, str]:
    """Return the variables that the program has in a container, secrets made up."""
    variables = settings_of()
    assert container["envFrom"] == [{"configMapRef": {"name": "rollguard-settings"}}]
    for each in container["env"]:
        if "value" in each:
            text = re.sub(r"\$\((\w+)\)", lambda name: variables[name[1]], each["value"])
        elif "fieldRef" in each["valueFrom"]:
            text = f"{workload.manifest.name}-0"
        elif each["name"].endswith("_DSN"):
            text = "postgresql://user:secret@postgres:5432/rollguard"
        else:
            text = f"a-long-enough-secret-{each['valueFrom']['secretKeyRef']['key']}"
        variables[each["name"]] = text
    return variables


def settings_in(workload: Workload, container: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in variables_of(workload, container).items():
        monkeypatch.setenv(name, value)
    return load_settings()


@each_workload
def test_its_variables_are_settings(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    for container in workload.containers:
        for name in variables_of(workload, container):
            if name.startswith("ROLLGUARD_"):
                assert name.removeprefix("ROLLGUARD_").lower() in SETTING_NAMES, name
            else:
                assert name in {"PGSSLMODE", "PGSSLROOTCERT"}
        settings = settings_in(workload, container, monkeypatch)
        assert settings.kafka_security == "sasl_ssl"
        assert settings.kafka_username == (
            f"rollguard-{workload.component}" if workload.is_role else "rollguard-operator"
        )


@each_role
def test_its_port_and_its_probes_are_those_of_the_role(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    [container] = workload.containers
    settings = settings_in(workload, container, monkeypatch)
    [port] = container["ports"]
    assert port == {"name": "http", "containerPort": settings.port_of(workload.component)}
    assert settings.web_host == "0.0.0.0"
    assert settings.web_token is not None, "it would not start"
    assert settings.web_viewer_token is not None, "Prometheus would need the token that may do all"
    for probe, path in (("startup", "healthz"), ("liveness", "healthz"), ("readiness", "readyz")):
        asked = container[f"{probe}Probe"]["httpGet"]
        assert asked == {"path": f"/{path}", "port": "http"}
        assert asked["path"] in OPEN


@each_workload
def test_what_it_runs_is_a_verb(workload: Workload) -> None:
    verbs = {
        each.name or each.callback.__name__ for each in app.registered_commands if each.callback
    }
    verbs |= {each.name for each in app.registered_groups if each.name}
    for container in workload.containers:
        verb, *more = container["args"]
        assert verb in verbs
        if verb == "worker":
            assert more == [workload.component]


@each_workload
def test_its_files_are_where_its_settings_say(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    for container in workload.containers:
        mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
        assert {each["name"] for each in mounts.values()} == set(workload.volumes)
        settings = settings_in(workload, container, monkeypatch)
        needed = [settings.kafka_ca_file, settings.notify]
        if settings.signatures != "off":
            needed.append(settings.trust)
            if settings.signing_key is not None:
                needed.append(Path(settings.signing_key))
        if any(each["name"] == "ROLLGUARD_POSTGRES_DSN" for each in container["env"]):
            needed.append(Path(settings_of()["PGSSLROOTCERT"]))
        for file in filter(None, needed):
            assert mounts[str(file.parent)]["readOnly"] is True
        assert not mounts[str(settings.data_dir)].get("readOnly")
        assert "/tmp" in mounts, "the root is read-only"


@each_workload
def test_it_is_confined(workload: Workload) -> None:
    pod = workload.pod
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "variables of Services would be unknown settings"
    assert pod["serviceAccountName"] == workload.component
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in workload.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
    for volume in workload.volumes.values():
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440
        if "emptyDir" in volume:
            assert "sizeLimit" in volume["emptyDir"]


@each_role
def test_it_has_a_budget_and_an_account(workload: Workload) -> None:
    named = [each for each in manifests(BASE) if each.name == workload.component]
    budget, account = (
        next(each.document for each in named if each.kind == kind)
        for kind in ("PodDisruptionBudget", "ServiceAccount")
    )
    assert budget["spec"]["selector"] == workload.manifest.document["spec"]["selector"]
    labels = workload.template["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert account["automountServiceAccountToken"] is False


def test_selectors_choose_something_and_ports_are_served() -> None:
    labels = [each.template["metadata"]["labels"] for each in workloads()]
    ports = {
        each.component: each.containers[0]["ports"][0]["containerPort"]
        for each in workloads()
        if each.is_role
    }
    for each in manifests(BASE):
        if each.kind == "Service":
            selector = each.document["spec"]["selector"]
            assert any(selector.items() <= given.items() for given in labels), each
            assert each.document["spec"]["ports"][0]["port"] == ports[selector[COMPONENT]]
        if each.kind == "NetworkPolicy":
            for selector in _pod_selectors(each.document["spec"]):
                assert any(selector.items() <= given.items() for given in labels), each


def _pod_selectors(spec: Any) -> Iterable[dict[str, str]]:
    yield spec["podSelector"]["matchLabels"]
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        for peer in (*rule.get("from", ()), *rule.get("to", ())):
            if "podSelector" in peer:
                yield peer["podSelector"]["matchLabels"]


def test_detectors_reach_each_other_by_the_names_of_their_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [detector] = [each for each in workloads() if each.component == "detector"]
    service = detector.manifest.document["spec"]["serviceName"]
    [found] = [each for each in manifests(BASE) if (each.kind, each.name) == ("Service", service)]
    assert found.document["spec"]["clusterIP"] == "None"
    settings = settings_in(detector, detector.containers[0], monkeypatch)
    assert settings.web_url == f"http://{settings.worker_name}.{service}:6066"
    assert settings.detector_hosts == (f"*.{service}",)
    [console] = [each for each in workloads() if each.component == "console"]
    asked = settings_in(console, console.containers[0], monkeypatch).detector_url
    assert asked.removeprefix("http://").removesuffix(":6066") in settings.web_allowed_hosts


def test_services_are_called_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    headless = {"detector"}  # each detector has a name of its own there
    services = {each.name for each in manifests(BASE) if each.kind == "Service"} - headless
    for name, value in settings_of().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ROLLGUARD_KAFKA_USERNAME", "user")
    monkeypatch.setenv("ROLLGUARD_KAFKA_PASSWORD", "secret")
    assert set(load_settings().web_allowed_hosts) == services


def test_code_that_is_compared_cannot_end_the_applier() -> None:
    """Its own limit ends a process that compares; that of the container would end all."""
    [applier] = [each for each in workloads() if each.component == "applier"]
    limit = applier.containers[0]["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Gi")) * 1024**3 > 4 * MAX_MEMORY_BYTES


def _names(found: Any, of: str) -> Iterable[str]:
    """Yield the names of Secrets or ConfigMaps that a document refers to."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key == f"{of}KeyRef" or (key == of and isinstance(value, dict)):
                yield value.get("name") or value["secretName"]
            elif key in ("passwordSecret", "secretTargetRef") and of == "secret":
                yield from (
                    each["name"] for each in (value if isinstance(value, list) else [value])
                )
            else:
                yield from _names(value, of)
    elif isinstance(found, list):
        for each in found:
            yield from _names(each, of)


def test_each_secret_that_is_needed_is_documented_and_each_documented_one_is_needed() -> None:
    needed = {name for each in manifests() for name in _names(each.document, "secret")}
    needed |= {name for each in manifests(BASE) for name in _names(each.document, "configMap")}
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE))
    assert documented == needed - {"keda-kafka"}, "the component makes that one itself"


def test_keda_reads_the_groups_and_the_topics_of_the_roles() -> None:
    settings = load_settings()
    topics, shared = Topics.of(settings), settings_of()
    for each in manifests(KUBERNETES / "components"):
        if each.kind != "ScaledObject":
            continue
        spec = each.document["spec"]
        role = spec["scaleTargetRef"]["name"]
        [workload] = [one.manifest for one in workloads() if one.component == role]
        assert spec["scaleTargetRef"]["kind"] == workload.kind
        assert spec["maxReplicaCount"] == int(shared["ROLLGUARD_PARTITIONS"])
        read = {one["metadata"]["topic"] for one in spec["triggers"]}
        bridged = {settings.bridge.bridge_topic}
        assert read == (bridged if role == "bridge" else set(topics.read_by(role)))
        for trigger in spec["triggers"]:
            assert trigger["metadata"]["consumerGroup"] == group_of(settings, role)
            assert trigger["metadata"]["bootstrapServers"] == shared["ROLLGUARD_KAFKA_BROKERS"]


def test_users_of_kafka_have_the_permissions_that_the_page_about_security_gives() -> None:
    rows = re.findall(
        r"^\| (\w+) \| (topic|group) \| (.+?) \| (.+?) \|$", SECURITY_PAGE, re.MULTILINE
    )
    given: dict[str, set[tuple[str, str, str]]] = {}
    for party, kind, names, operations in rows:
        for name in names.split(", "):
            for operation in operations.split(", "):
                is_hook = name == "rollguard-notifier-hook"
                shown = "*" if name == "all" else "rollguard-notifier-" if is_hook else name
                given.setdefault(party, set()).add((kind, shown, operation))
    users = {
        each.name.removeprefix("rollguard-"): {
            (rule["resource"]["type"], rule["resource"]["name"], operation)
            for rule in each.document["spec"]["authorization"]["acls"]
            for operation in rule["operations"]
        }
        for each in manifests(KUBERNETES / "overlays")
        if each.kind == "KafkaUser"
    }
    assert users.keys() == given.keys() | {"bridge", "console", "keda"}
    for party, permissions in given.items():
        assert users[party] == permissions, party
    assert given["engine"] <= users["console"]
    assert not {each for each in users["keda"] if each[2] != "Describe"}
    needed = {each.component for each in workloads() if each.is_role} | {"operator"}
    assert needed <= users.keys()
