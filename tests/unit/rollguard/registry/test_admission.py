"""What a registry admits if signatures are required, and what it says about old signatures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from rollguard_client.registry.admission import Admission
from rollguard_client.signatures.header import HEADER, SignatureHeader
from schemas.deployment import ToolVersion
from schemas.errors import Unverified
from schemas.fields import micros_of
from schemas.settings import load_settings
from signatures.statements import statement_of
from tests.support.engines.kept_versions import kept_versions
from tests.support.inputs.messages import version
from tests.support.inputs.signing import Record, private_key, signatures, signed, signer


def admission(folder: Path, mode: str = "require", **more: Any) -> Admission[ToolVersion]:
    return Admission(
        signatures(**more).verifier,
        folder / "registry",
        structlog.get_logger(),
        are_required=mode == "require",
        max_age_s=86_400,
    )


def signed_at(said: ToolVersion, at: datetime) -> Record:
    """Return a record that the applier has signed at another time."""
    value = said.to_bytes()
    signature = private_key("applier").sign(statement_of("", said, value, at).signed_bytes)
    header = SignatureHeader(
        keyid=signer("applier").key_id,
        sig=SignatureHeader.base64(bytes.fromhex(signature.signature)),
        signed_at=at,
    )
    key, at_ms = said.tool_name.encode(), micros_of(at) // 1000
    return Record(key, value, header.as_headers(), at_ms)


def test_only_what_an_applier_has_signed_is_admitted(tmp_path: Path) -> None:
    registry = admission(tmp_path)
    good = version(2, "x = 1")
    registry.admit(good, signed(good, "applier"))
    for by in ("ann", "detector", "stranger", None):
        with pytest.raises(Unverified):
            registry.admit(good, signed(good, by))
    with pytest.raises(Unverified, match="came without its record"):
        registry.admit(good, None)
    moved = signed(good, "applier")
    moved.key = b"other"
    with pytest.raises(Unverified, match="is not its tool_name"):
        registry.admit(good, moved)


def test_an_activation_below_the_greatest_is_refused_also_after_a_start(tmp_path: Path) -> None:
    first, second, other = version(1, "x = 1"), version(2, "x = 2"), version(1, "y = 1", "other")
    registry = admission(tmp_path)
    for each in (first, second, second, other):
        registry.admit(each, signed(each, "applier"))
    with pytest.raises(Unverified, match="the activation 1 is below 2"):
        registry.admit(first, signed(first, "applier"))
    registry.save()
    again = admission(tmp_path)
    again.admit(second, signed(second, "applier"))
    again.admit(other, signed(other, "applier"))
    with pytest.raises(Unverified, match="the activation 1 is below 2"):
        again.admit(first, signed(first, "applier"))


def test_what_does_not_verify_raises_no_number(tmp_path: Path) -> None:
    """Otherwise a forged activation would keep out every real one."""
    forged, real = version(2**31 - 1, "x = 1"), version(1, "x = 1")
    for mode in ("require", "warn"):
        registry = admission(tmp_path, mode)
        if mode == "require":
            with pytest.raises(Unverified):
                registry.admit(forged, signed(forged, "ann"))
        else:
            registry.admit(forged, signed(forged, "ann"))
        registry.admit(real, signed(real, "applier"))


def test_several_engines_may_share_the_folder(tmp_path: Path) -> None:
    mine, theirs = admission(tmp_path), admission(tmp_path)
    third, fourth = version(3, "x"), version(4, "y", "other")
    mine.admit(third, signed(third, "applier"))
    theirs.admit(fourth, signed(fourth, "applier"))
    mine.save()
    theirs.save()
    again = admission(tmp_path)
    for tool in ("parser", "other"):
        old = version(1, "x", tool)
        with pytest.raises(Unverified, match="is below"):
            again.admit(old, signed(old, "applier"))


@pytest.mark.parametrize("damage", ["[]", "{", '{"a": "b"}', '{"a": null}'])
def test_a_damaged_file_is_an_error_in_the_log(tmp_path: Path, damage: str) -> None:
    registry = admission(tmp_path)
    said = version(2, "x = 1")
    registry.admit(said, signed(said, "applier"))
    registry.save()
    [file] = (tmp_path / "registry").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text(damage)
    with capture_logs() as logs:
        admission(tmp_path)
    assert [(each["event"], each["log_level"]) for each in logs] == [
        ("activations_not_read", "error")
    ]


def test_what_nobody_vouched_for_in_time_is_said_once_until_somebody_does(tmp_path: Path) -> None:
    registry, said = admission(tmp_path), version(2, "x = 1")
    registry.admit(said, signed_at(said, datetime.now(UTC) - timedelta(days=2)))

    def reported() -> list[str]:
        registry._looked_at = datetime.min.replace(tzinfo=UTC)
        with capture_logs() as logs:
            registry.report_overdue(["parser"])
        return [each["event"] for each in logs]

    assert [reported(), reported()] == [["version_not_vouched"], []]
    registry.admit(said, signed(said, "applier"))
    assert reported() == []
    registry._signed_at["parser"] -= timedelta(days=2)
    assert reported() == ["version_not_vouched"], "it is old again"


def test_a_kept_version_needs_its_proof(tmp_path: Path) -> None:
    kept, registry = kept_versions(load_settings(data_dir=tmp_path)), admission(tmp_path)
    said, unsigned = version(2, "x = 1"), version(2, "y = 1", "other")
    registry.admit(said, signed(said, "applier"))
    proof = registry.proof_of(said)
    assert proof is not None
    kept.keep(said, proof)
    kept.keep(unsigned)
    found = {each.version.tool_name: each for each in kept.load()}
    again = admission(tmp_path / "empty")
    again.admit_kept(found["parser"])
    with pytest.raises(Unverified):
        again.admit_kept(found["other"])
    with pytest.raises(Unverified):
        again.admit_kept(replace(found["parser"], version=version(2, "x = 2")))
    assert dict(signed(said, "applier").headers)[HEADER] != proof.header, "it is signed anew"


def test_a_tool_may_require_its_author(tmp_path: Path) -> None:
    registry, said = admission(tmp_path, require_author=("parser",)), version(2, "x = 1")
    with pytest.raises(Unverified, match="requires its author"):
        registry.admit(said, signed(said, "applier"))
