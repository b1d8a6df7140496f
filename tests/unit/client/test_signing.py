"""The client signs what the server verifies."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import schemas.deployment
import schemas.rollback
from rollguard_client.errors import Misconfigured
from rollguard_client.messages.deployment import Deployment
from rollguard_client.messages.rollback import RollbackCommand
from rollguard_client.settings.settings import load_settings
from rollguard_client.signatures.signing import Signatures
from schemas.errors import Unverified
from signatures.verifying import Verifier
from tests.support.inputs.signing import Record, trust, write_files

NOW = datetime(2026, 1, 31, 12, 30, 15, 250_000, UTC)


def deployment(**fields: Any) -> Deployment:
    values: dict[str, Any] = {
        "deployment_id": uuid4(),
        "tool_name": "pärser",
        "code": "x = 'é'\n",
        "created_by": "human",
        "improvement_type": "bug_fix",
        "deployed_at": NOW,
    }
    return Deployment(**values | fields)


def command() -> RollbackCommand:
    return RollbackCommand(
        command_id=uuid4(),
        tool_name="parser",
        to_version_id=1,
        tier="manual",
        reason="manual",
        issued_by="ann",
        issued_at=NOW,
    )


def signed(message: Deployment | RollbackCommand, folder: Path, prefix: str = "p-") -> Record:
    write_files(folder, "ann")
    settings = load_settings(
        signatures="require", signing_key=str(folder / "ann.pem"), topic_prefix=prefix
    )
    value = message.to_bytes()
    headers = Signatures(settings).headers(message, value)
    assert headers is not None
    return Record(message.tool_name.encode(), value, headers)


@pytest.mark.parametrize("at", [NOW, NOW.replace(microsecond=0)])
def test_deployments_verify(at: datetime, tmp_path: Path) -> None:
    record = signed(deployment(deployed_at=at), tmp_path)
    theirs = schemas.deployment.Deployment.from_bytes(record.value)
    verified = Verifier(trust(), "p-").verified(record, theirs)
    assert (verified.tool_name, getattr(verified, "author", None)) == ("pärser", "ann")
    with pytest.raises(Unverified):
        Verifier(trust(), "other-").verified(record, theirs)


def test_commands_verify(tmp_path: Path) -> None:
    record = signed(command(), tmp_path)
    theirs = schemas.rollback.RollbackCommand.from_bytes(record.value)
    assert Verifier(trust(), "p-").verified(record, theirs).issued_by == "ann"


def test_a_key_that_cannot_be_used_is_named_at_construction(tmp_path: Path) -> None:
    write_files(tmp_path, "ann")
    key = tmp_path / "ann.pem"

    def construct(signing_key: Path | str) -> None:
        Signatures(load_settings(signatures="warn", signing_key=str(signing_key)))

    construct(key)
    key.chmod(0o644)
    with pytest.raises(Misconfigured, match=r"ROLLGUARD_SIGNING_KEY .*ann\.pem: other users may"):
        construct(key)
    for where, said in (
        (tmp_path / "none.pem", "No such file"),
        (tmp_path, "Is a directory"),
        ("awskms:1", "a key in a file"),
    ):
        with pytest.raises(Misconfigured, match=f"ROLLGUARD_SIGNING_KEY.*{said}"):
            construct(where)


def test_without_the_extra_a_key_is_an_error_at_construction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "rollguard_client.signatures.keys", raising=False)
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)
    settings = load_settings(signatures="require", signing_key=str(tmp_path / "ann.pem"))
    with pytest.raises(Misconfigured, match=r"pip install rollguard-client\[signatures\]"):
        Signatures(settings)


def test_without_a_key_nothing_is_signed_unless_it_must_be() -> None:
    warned = Signatures(load_settings(signatures="warn"))
    assert warned.headers(command(), b"") is None
    with pytest.raises(Misconfigured, match="ROLLGUARD_SIGNING_KEY must name the private key"):
        Signatures(load_settings(signatures="require")).headers(command(), b"")
