"""Keys for tests, the trust file that names them, and records that they have signed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner

from rollguard_client.signatures.trust_file import TrustFile
from schemas.settings import Settings, load_settings
from signatures.signatures import Signatures
from signatures.signing import Signer
from signatures.verifying import Verifier

KEY_OF_ROLE: Mapping[str, str | None] = {
    "detector": "detector",
    "applier": "applier",
    "recorder": None,
}
"""The name of the key with which the workers of a role sign."""
TRUSTED = ("ann", "robot", "applier", "detector")
"""Ann is an author and a person; the robot is an author of the tools ``robot-*`` alone."""


@cache
def private_key(name: str) -> CryptoSigner:
    """Return the key of this name, the same one in all tests of a process."""
    return CryptoSigner.generate_ed25519()


def entry(key_name: str, role: str, **more: Any) -> dict[str, Any]:
    """Return an entry of the trust file."""
    of_author = {"kind": "human", "tools": ["*"]} if role == "author" else {}
    key = private_key(key_name).public_key.to_dict()
    return {"role": role, "name": key_name, "key": key} | of_author | more


def trust(*more: dict[str, Any], require_author: tuple[str, ...] = ()) -> TrustFile:
    """Return a trust file with the keys of ``TRUSTED`` and more entries."""
    entries = [
        entry("ann", "author"),
        entry("ann", "person"),
        entry("robot", "author", kind="autonomous", tools=["robot-*"]),
        entry("applier", "applier"),
        entry("detector", "detector"),
        *more,
    ]
    return TrustFile.from_data({"keys": entries, "require_author": list(require_author)})


def signer(name: str, namespace: str = "") -> Signer:
    """Return the signer with the key of this name."""
    return Signer(private_key(name), namespace)


def signatures(by: str | None = None, mode: Any = "require", **more: Any) -> Signatures:
    """Return the signatures of a process with this key; ``more`` is for ``trust``."""
    return Signatures(mode, Verifier(trust(**more), ""), None if by is None else signer(by))


@dataclass
class Record:
    """A record as Kafka hands it over."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    timestamp: int = field(default_factory=lambda: int(datetime.now(UTC).timestamp() * 1000))
    topic: str = "topic"
    partition: int = 0
    offset: int = 0


def signed(message: Any, by: str | None, namespace: str = "", **fields: Any) -> Record:
    """Return the record of a message, signed by the key of this name; by nobody if None."""
    value = message.to_bytes()
    headers = None
    if by is not None:
        headers = asyncio.run(signer(by, namespace).headers(message, value))
    return Record(message.tool_name.encode(), value, headers or [], **fields)


def write_files(folder: Path, *names: str, trusted: TrustFile | None = None) -> Path:
    """Write the trust file and the private keys of these names, and return the trust file."""
    for name in names:
        file = folder / f"{name}.pem"
        file.write_bytes(private_key(name).private_bytes)
        file.chmod(0o600)
    file = folder / "trust.json"
    file.write_bytes((trusted or trust()).to_bytes())
    file.chmod(0o644)
    return file


def variables(folder: Path, by: str | None = None) -> dict[str, str]:
    """Return the variables of a process that requires signatures, with the key of this name."""
    given = {"ROLLGUARD_SIGNATURES": "require", "ROLLGUARD_TRUST": str(folder / "trust.json")}
    return given if by is None else given | {"ROLLGUARD_SIGNING_KEY": str(folder / f"{by}.pem")}


def settings_of(settings: Settings, folder: Path, by: str | None = None) -> Settings:
    """Return these settings with signatures required, and the key of this name."""
    more = {
        name.removeprefix("ROLLGUARD_").lower(): text
        for name, text in variables(folder, by).items()
    }
    given = settings.model_dump(exclude={"rules", "outages"})
    return load_settings(
        **given | dict(settings.rules) | dict(settings.outages) | dict(settings.fleet) | more
    )
