"""The statements byte for byte, as ``docs/security.md`` shows them."""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope

from rollguard_client.signatures.statements import canonical_json
from schemas.deployment import Deployment
from schemas.execution import ActivatedBy
from schemas.rollback import RollbackCommand
from signatures.statements import SignedMessage, statement_of
from tests.support.inputs.messages import activation, version

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ID = UUID(int=7)
DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"

MESSAGES: dict[str, SignedMessage] = {
    "deployment": Deployment(
        deployment_id=ID,
        tool_name="words",
        code="x = 1",
        created_by="human",
        improvement_type="initial",
        deployed_at=NOON,
    ),
    "deployment-answer": Deployment(
        deployment_id=ID,
        tool_name="words",
        code="x = 1",
        created_by="autonomous",
        improvement_type="initial",
        deployed_at=NOON,
        approved_by="ann",
    ),
    "activation": activation(
        "words",
        3,
        2,
        code_hash="0" * 64,
        activated_at=NOON,
        activated_by=ActivatedBy(kind="deployment", id=ID),
        author="ann",
    ),
    "tool-version": version(
        2, "x = 1", "words", activated_by=ActivatedBy(kind="rollback", id=ID), activated_at=NOON
    ),
    "rollback-command": RollbackCommand(
        command_id=ID,
        tool_name="words",
        tier="manual",
        reason="manual",
        issued_by="ann",
        issued_at=NOON,
    ),
}


def statement(kind: str) -> tuple[str, bytes]:
    message = MESSAGES[kind]
    signed_at = NOON if kind in ("activation", "tool-version") else None
    return statement_of("prod-", message, b"the value", signed_at)


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_document_shows_the_statement_byte_for_byte(kind: str) -> None:
    payload_type, payload = statement(kind)
    assert payload_type == f"application/vnd.rollguard.{kind}+json"
    shown = re.findall(r"^\{\"[^\n]*\}$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert payload.decode() in shown
    assert f"`{payload_type}`" in DOCUMENT.read_text("utf-8")


@pytest.mark.parametrize("kind", MESSAGES)
def test_what_is_signed_is_the_encoding_of_dsse(kind: str) -> None:
    payload_type, payload = statement(kind)
    signed = statement_of(
        "prod-",
        MESSAGES[kind],
        b"the value",
        NOON if kind in ("activation", "tool-version") else None,
    ).signed_bytes
    assert signed == Envelope(payload, payload_type, {}).pae()


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_statement_names_system_tool_and_every_byte_of_the_value(kind: str) -> None:
    said = json.loads(statement(kind)[1])
    assert (said["namespace"], said["tool_name"]) == ("prod-", "words")
    assert said["value_sha256"] == sha256(b"the value").hexdigest()


def test_a_text_of_any_language_is_written_as_it_is() -> None:
    named = MESSAGES["rollback-command"].model_copy(update={"tool_name": 'wörter "漢"\n\x01'})
    payload = statement_of("", named, b"").payload
    assert '"tool_name":"wörter \\"漢\\"\\n\\u0001"'.encode() in payload


_SAID = st.none() | st.text() | st.integers(-(2**53), 2**53)
_NAME = st.text(st.characters(max_codepoint=127))


@given(st.dictionaries(_NAME, _SAID | st.dictionaries(_NAME, _SAID)))
def test_the_json_is_that_of_rfc_8785(said: dict[str, object]) -> None:
    """For these kinds of values, Python's own JSON is."""
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_json(said) == canonical.encode()
