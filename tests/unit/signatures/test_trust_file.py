"""The trust file: what is read, and how each thing that is wrong is named."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from rollguard_client.signatures.trust_file import AuthorKey, TrustFile, key_id_of, read_trust_file
from schemas.errors import Misconfigured
from tests.support.inputs.signing import entry, private_key, trust, write_files

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def read(*entries: dict[str, Any], **more: Any) -> TrustFile:
    return TrustFile.from_bytes(json.dumps({"keys": list(entries), **more}).encode())


def test_what_is_written_is_read_back() -> None:
    written = trust(
        entry("old", "applier", not_before=NOW, not_after=NOW + timedelta(days=1)),
        require_author=("par*",),
    )
    again = TrustFile.from_bytes(written.to_bytes())
    assert again == written
    assert again.to_bytes() == written.to_bytes()


def test_reading_changes_nothing_of_what_was_given() -> None:
    given = {"keys": [entry("ann", "person")]}
    before = json.dumps(given)
    TrustFile.from_data(given)
    assert json.dumps(given) == before


def test_the_id_of_a_key_is_computed_from_the_key() -> None:
    key = private_key("ann").public_key
    [found] = read(entry("ann", "person")).keys
    assert found.key.keyid == key_id_of(key.to_dict()) == key.keyid


PEM = CryptoSigner.generate_ecdsa().public_key.to_dict()


def test_the_key_of_a_key_management_service_may_be_of_another_type() -> None:
    [found] = read(entry("ann", "person", key=PEM)).keys
    assert found.key.keyid == key_id_of(PEM)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no role": (entry("ann", "boss"), "keys.0:.*role"),
    "a name is missing": (entry("ann", "person", name=""), "keys.0.person.name"),
    "tools of a person": (entry("ann", "person", tools=["*"]), "keys.0.person.tools: Extra"),
    "an author without tools": (entry("ann", "author", tools=[]), "keys.0.author.tools"),
    "an author of no kind": (entry("ann", "author", kind="ape"), "keys.0.author.kind"),
    "a time without an offset": (
        entry("ann", "person", not_after="2026-01-01T00:00:00"),
        "not_after: .*offset",
    ),
    "it ends before it begins": (
        entry("ann", "person", not_before="2026-01-02T00:00:00Z", not_after="2026-01-01T00:00:00Z"),
        "not_before must be before not_after",
    ),
    "no key": (entry("ann", "person", key="abc"), "key: .*no public key"),
    "a short key": (
        entry(
            "ann",
            "person",
            key={"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00"}},
        ),
        "key: .*no public key of this type",
    ),
    "an unknown scheme": (
        entry("ann", "person", key={"keytype": "x", "scheme": "y", "keyval": {"public": "00"}}),
        "key: .*Unsupported",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named(name: str) -> None:
    wrong, reason = BAD[name]
    with pytest.raises(Misconfigured, match=reason):
        read(wrong)


def test_the_same_key_twice_in_a_role_is_refused_and_in_two_roles_is_not() -> None:
    with pytest.raises(Misconfigured, match=r"keys.1: the same key is person already"):
        read(entry("ann", "person"), entry("ann", "person", name="bob"))
    assert len(read(entry("ann", "person"), entry("ann", "detector")).entries(key_id("ann"))) == 2


def key_id(name: str) -> str:
    return private_key(name).public_key.keyid


def test_tools_are_names_or_globs_and_case_matters() -> None:
    found = read(entry("ann", "author", tools=["pay*", "x"]), require_author=["pay*"])
    author = found.key("author", key_id("ann"))
    assert isinstance(author, AuthorKey)
    tools = ("payments", "pay", "x", "Payments", "xx", "a/pay")
    assert [author.may_deploy(tool) for tool in tools] == [True, True, True, False, False, False]
    assert found.requires_author("payments")
    assert not found.requires_author("x")


def test_a_file_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    file = write_files(tmp_path)
    assert read_trust_file(file) == trust()
    file.chmod(0o664)
    with pytest.raises(Misconfigured, match=r"other users may write to it \(mode 0664\)"):
        read_trust_file(file)
    with pytest.raises(Misconfigured, match=r"nothing.json: No such file"):
        read_trust_file(tmp_path / "nothing.json")
    file.write_bytes(b"{")
    file.chmod(0o600)
    with pytest.raises(Misconfigured, match=r"trust.json: Invalid JSON"):
        read_trust_file(file)
