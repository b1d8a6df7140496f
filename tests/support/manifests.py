"""The manifests of ``deploy/kubernetes``, as they are written."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from documentation.source import ROOT

KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
BASE: Final = KUBERNETES / "base"
COMPONENT: Final = "app.kubernetes.io/component"

Document = Mapping[str, Any]


class Manifest(NamedTuple):
    """One document, and the file that has it."""

    file: Path
    document: Document

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.file.relative_to(KUBERNETES)} {self.kind} {self.name}"


def kustomizations() -> list[Path]:
    """Return the folders that have a kustomization."""
    return sorted(each.parent for each in KUBERNETES.rglob("kustomization.yaml"))


def kustomization_of(folder: Path) -> Document:
    found: Document = documents((folder / "kustomization.yaml").read_text("utf-8"))[0]
    return found


def documents(text: str) -> list[Any]:
    """Read YAML, by libyaml: the reader in Python takes ten times as long."""
    return list(yaml.load_all(text, yaml.CSafeLoader))


@cache
def manifests(folder: Path = KUBERNETES) -> list[Manifest]:
    """Return all documents below the folder, but for the kustomizations."""
    return [each for file in sorted(folder.rglob("*.yaml")) for each in _in_file(file)]


def _in_file(file: Path) -> Iterator[Manifest]:
    if file.name != "kustomization.yaml":
        for document in documents(file.read_text("utf-8")):
            yield Manifest(file, document)


class Workload(NamedTuple):
    """Something that runs pods."""

    manifest: Manifest

    @property
    def component(self) -> str:
        return str(self.template["metadata"]["labels"][COMPONENT])

    @property
    def template(self) -> Document:
        found: Document = self.manifest.document["spec"]["template"]
        return found

    @property
    def pod(self) -> Document:
        found: Document = self.template["spec"]
        return found

    @property
    def containers(self) -> list[Document]:
        return [*self.pod.get("initContainers", ()), *self.pod["containers"]]

    @property
    def volumes(self) -> dict[str, Document]:
        """The volumes by name, those of claims too."""
        claims = self.manifest.document["spec"].get("volumeClaimTemplates", ())
        found = {each["name"]: each for each in self.pod["volumes"]}
        return found | {each["metadata"]["name"]: each["spec"] for each in claims}

    @property
    def is_role(self) -> bool:
        return self.manifest.kind != "Job"


def workloads() -> list[Workload]:
    """Return the workloads of the base."""
    kinds = ("Deployment", "StatefulSet", "Job")
    return [Workload(each) for each in manifests(BASE) if each.kind in kinds]


def settings_of(folder: Path = BASE) -> dict[str, str]:
    """Return the variables that all pods have."""
    lines = (folder / "settings.env").read_text("utf-8").splitlines()
    entries = [each.partition("=") for each in lines if each and not each.startswith("#")]
    return {name: value for name, _, value in entries}
