"""Private keys and the settings: what is used, and what is refused and why."""

import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner

from rollguard.operations.keys import NewKey, generate, listed, shown
from rollguard_client.files.closed_files import ANY_USE, require_closed
from rollguard_client.signatures.keys import read_private_key
from rollguard_client.signatures.trust_file import AuthorKey
from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.settings import Settings, load_settings
from signatures import signatures_of
from signatures.signing import Signer
from signatures.verifying import Verifier
from tests.support.inputs.messages import activation, deployment, execution
from tests.support.inputs.signing import Record, entry, private_key, trust, write_files


def settings(folder: Path, **more: Any) -> Settings:
    return load_settings(signatures="require", trust=folder / "trust.json", **more)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    write_files(tmp_path, "ann")
    file = tmp_path / "ann.pem"
    assert read_private_key(file).public_key == private_key("ann").public_key
    file.chmod(mode)
    with pytest.raises(Misconfigured, match=f"other users may use it \\(mode {mode:04o}\\)"):
        read_private_key(file)


@pytest.mark.parametrize(
    ("mode", "owner", "group", "we", "is_closed"),
    [
        (0o440, 0, 10001, 10001, True),
        (0o640, 0, 10001, 10001, True),
        (0o440, 0, 2000, 10001, True),
        (0o400, 10001, 10001, 10001, True),
        (0o440, 10001, 10001, 10001, False),
        (0o440, 3000, 10001, 10001, False),
        (0o440, 0, 3000, 10001, False),
        (0o460, 0, 10001, 10001, False),
        (0o444, 0, 10001, 10001, False),
        (0o450, 0, 10001, 10001, False),
        (0o440, 0, 0, 0, False),
    ],
)
def test_a_key_that_root_hands_over_to_our_group_is_used(
    mode: int, owner: int, group: int, we: int, is_closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes hands a Secret over as root, with mode 0440 and the pod's group."""
    monkeypatch.setattr(os, "geteuid", lambda: we)
    monkeypatch.setattr(os, "getegid", lambda: we)
    monkeypatch.setattr(os, "getgroups", lambda: [2000])
    status = os.stat_result((stat.S_IFREG | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    with nullcontext() if is_closed else pytest.raises(ValueError, match="other users may use it"):
        require_closed(status, ANY_USE)


def test_what_is_no_private_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    encrypted = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    for content, reason in (
        (b"nonsense", "no private key"),
        (encrypted, "no private key"),
        (CryptoSigner.generate_ecdsa().private_bytes, "is no Ed25519 key"),
    ):
        file.write_bytes(content)
        file.chmod(0o600)
        with pytest.raises(Misconfigured, match=reason):
            read_private_key(file)
    with pytest.raises(Misconfigured, match="No such file"):
        read_private_key(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(Misconfigured, match="is no file"):
        read_private_key(tmp_path / "pipe")


def test_a_process_needs_a_key_of_its_role_that_is_valid_now(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1)
    write_files(tmp_path, "ann", "old", trusted=trust(entry("old", "detector", not_after=long_ago)))
    for key, reason in (
        (None, "ROLLGUARD_SIGNING_KEY must name"),
        ("ann", "does not name the key .* as detector"),
        ("old", "is not valid after"),
    ):
        given = {} if key is None else {"signing_key": str(tmp_path / f"{key}.pem")}
        found = signatures_of(settings(tmp_path, **given))
        assert found is not None
        with pytest.raises(Misconfigured, match=reason):
            found.require_signer("detector")


def test_signatures_need_a_trust_file() -> None:
    for mode in ("warn", "require"):
        with pytest.raises(
            Misconfigured, match=f"ROLLGUARD_SIGNATURES={mode} needs ROLLGUARD_TRUST"
        ):
            signatures_of(load_settings(signatures=mode))


def test_if_they_are_off_nothing_of_them_is_imported() -> None:
    program = (
        "import sys\n"
        "import rollguard.client, rollguard.registry, agents.worker.process\n"
        "from schemas.settings import load_settings\n"
        "from signatures import signatures_of\n"
        "assert signatures_of(load_settings()) is None\n"
        "assert not {'securesystemslib', 'cryptography'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


class Service(CryptoSigner):
    """A key management service: its key is found by a URI, and it may be away."""

    is_away = False

    @classmethod
    def from_priv_key_uri(cls, uri: str, public_key: Any, handler: Any = None) -> "Service":
        if uri != "service:key-1":
            raise OSError("no such key")
        return cls(private_key("ann")._private_key, public_key)

    def sign(self, payload: bytes) -> Any:
        if self.is_away:
            raise OSError("away")
        return super().sign(payload)


async def test_a_key_may_be_in_a_key_management_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "service", Service)
    write_files(tmp_path)
    key_id = private_key("ann").public_key.keyid
    given = {"signing_key": "service:key-1", "signing_key_id": key_id}
    found = signatures_of(settings(tmp_path, **given))
    assert found is not None
    said = deployment("parser", "x = 1")
    headers = await found.signed(said, said.to_bytes())
    assert headers is not None
    record = Record(b"parser", said.to_bytes(), headers)
    assert Verifier(trust(), "").deployment(record, said).author == "ann"
    monkeypatch.setattr(Service, "is_away", True)
    with pytest.raises(Retryable, match="signing key"):
        await found.signed(said, said.to_bytes())
    with pytest.raises(Misconfigured, match="ROLLGUARD_SIGNING_KEY_ID must name a key"):
        signatures_of(settings(tmp_path, signing_key="service:key-1"))
    with pytest.raises(Misconfigured, match="no such key"):
        signatures_of(settings(tmp_path, **given | {"signing_key": "service:other"}))


async def test_executions_are_never_signed() -> None:
    signer = Signer(private_key("ann"), "")
    said = execution("parser")
    assert await signer.headers(said, said.to_bytes()) is None
    assert await signer.headers(activation("parser", 1, 1), b"") is not None


def new_key(*roles: Any, **more: Any) -> NewKey:
    values: dict[str, Any] = {
        "roles": roles,
        "name": "bob",
        "kind": "human",
        "tools": ["par*"],
        "not_before": None,
        "not_after": None,
    }
    return NewKey(**values | more)


def test_a_generated_key_is_used_at_once(tmp_path: Path) -> None:
    file, in_force = tmp_path / "bob.pem", settings(tmp_path)
    ends = datetime.now(UTC) + timedelta(days=1)
    [author, person] = generate(in_force, new_key("author", "person", not_after=ends), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert isinstance(author, AuthorKey)
    assert (author.name, author.tools, author.not_after) == ("bob", ("par*",), ends)
    assert author.key == person.key
    generate(in_force, new_key("applier"), tmp_path / "applier.pem")
    ours = settings(tmp_path, signing_key=str(file))
    found = listed(ours)
    assert [(each.entry.role, each.validity, each.is_ours) for each in found] == [
        ("author", "valid", True),
        ("person", "valid", True),
        ("applier", "valid", False),
    ]
    assert list(shown(ours, None).roles) == ["author", "person"]
    assert list(shown(ours, tmp_path / "applier.pem").roles) == ["applier"]
    signatures = signatures_of(ours)
    assert signatures is not None
    assert signatures.require_signer("person").key_id == author.key.keyid


def test_no_private_key_is_overwritten_or_left_without_its_public_key(tmp_path: Path) -> None:
    file, in_force = tmp_path / "bob.pem", settings(tmp_path)
    file.write_text("a key")
    with pytest.raises(Rejected, match="exists already"):
        generate(in_force, new_key("person"), file)
    assert file.read_text() == "a key"
    assert not (tmp_path / "trust.json").exists()
    nowhere = load_settings(trust=tmp_path / "none" / "trust.json")
    with pytest.raises(Misconfigured, match=r"trust.json: No such file"):
        generate(nowhere, new_key("person"), tmp_path / "new.pem")
    assert not (tmp_path / "new.pem").exists()
    generate(in_force, new_key("person"), tmp_path / "good.pem")
    before = (tmp_path / "trust.json").read_bytes()
    with pytest.raises(Misconfigured, match="No such file"):
        generate(in_force, new_key("person"), tmp_path / "none" / "new.pem")
    assert (tmp_path / "trust.json").read_bytes() == before
    with pytest.raises(Misconfigured, match="ROLLGUARD_TRUST is not set"):
        generate(load_settings(), new_key("person"), tmp_path / "new.pem")
