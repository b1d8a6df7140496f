"""Who has signed a record, and whether that key may say what the record says. Pure.

A key is valid or not at the Kafka timestamp of the record, which the broker gives and no producer
can choose.
"""

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar, NamedTuple, Protocol

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature

from rollguard_client.errors import Rejected, Unverified
from rollguard_client.messages.fields import Time, time_text
from rollguard_client.messages.message import Message
from rollguard_client.signatures.header import Authorship, SignatureHeader, bytes_of
from rollguard_client.signatures.statements import (
    KeyRole,
    Statement,
    spoken,
)
from rollguard_client.signatures.trust_file import (
    AuthorKey,
    TrustedKey,
    TrustFile,
    validity_text,
)


class SignedRecord(Protocol):
    """A record with its headers. ``timestamp`` is Kafka's, in milliseconds."""

    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...  # noqa: D102


class _DeploymentStatement(Message, frozen=True, kw_only=True):
    """What of an author's statement is compared with the version that it made."""

    times: ClassVar[tuple[str, ...]] = ("deployed_at",)

    namespace: str
    tool_name: str
    code_hash: str
    deployed_at: Time

    @classmethod
    def read(cls, statement: Statement) -> "_DeploymentStatement":
        """Read a statement that travelled. Raises Unverified."""
        try:
            return cls.from_bytes(statement.payload)
        except Rejected as error:
            raise Unverified(f"what the author has signed is no deployment: {error}") from None


class Signed(NamedTuple):
    """The key that has signed a message, the header of its record, and what was signed."""

    key: TrustedKey
    header: SignatureHeader
    statement: Statement


class Verifier:
    """Checks signatures by the keys of the trust file.

    ``namespace`` is the prefix of the topics. Every method raises Unverified, which says why.
    """

    def __init__(self, trust: TrustFile, namespace: str) -> None:
        self.trust = trust
        self._namespace = namespace

    def version(self, record: SignedRecord, message: Any) -> datetime:
        """Return when an applier vouched for the version.

        If the tool requires its author, the author must have signed the code as well.
        """
        header = self.signed(record, message).header
        if header.signed_at is None:
            raise Unverified("the signature of a version needs signed_at")
        if self.trust.requires_author(message.tool_name):
            self._require_author(message, header.authorship)
        return header.signed_at

    def signed(self, record: SignedRecord, message: Any) -> Signed:
        """Return who has signed the record and may say this message."""
        header = SignatureHeader.among(record.headers)
        said = spoken(message, header.signed_at)
        statement = said.statement(self._namespace, message.tool_name, record.value or b"")
        key = self._signer(said.role, header, statement, published_at(record))
        return Signed(key, header, statement)

    def _require_author(self, version: Any, authorship: Authorship | None) -> None:
        """Raise Unverified unless an author who may deploy this tool has signed this code.

        The key must have been valid when the code was deployed. A key that must not count any more
        is removed from the trust file.
        """
        if authorship is None:
            raise Unverified(f"{version.tool_name!r} requires its author, who has not signed it")
        statement = authorship.statement
        said = _DeploymentStatement.read(statement)
        header = SignatureHeader(keyid=authorship.keyid, sig=authorship.sig)
        author = self._signer("author", header, statement, said.deployed_at)
        author_of(author, version.tool_name)
        meant = (self._namespace, version.tool_name, version.code_hash)
        if (said.namespace, said.tool_name, said.code_hash) != meant:
            raise Unverified(f"the author of {version.tool_name!r} has signed other code")

    def _signer(
        self, role: KeyRole, header: SignatureHeader, statement: Statement, at: datetime
    ) -> TrustedKey:
        """Return the entry of the key of this role that has signed the statement."""
        key = self.trust.key(role, header.keyid)
        if key is None:
            raise Unverified(self._why_not(role, header.keyid))
        if key.validity(at) != "valid":
            raise Unverified(
                f"the key {short_id(header.keyid)} of {key.name!r} is {validity_text(key, at)}, "
                f"and this is of {time_text(at)}"
            )
        signature = Signature(header.keyid, bytes_of(header.sig).hex())
        try:
            key.key.verify_signature(signature, statement.signed_bytes)
        except UnverifiedSignatureError:
            raise Unverified(
                f"the signature by the key {short_id(header.keyid)} of {key.name!r} is not one of "
                "this record"
            ) from None
        return key

    def _why_not(self, role: KeyRole, key_id: str) -> str:
        roles = sorted({each.role for each in self.trust.entries(key_id)})
        if not roles:
            return f"the key {short_id(key_id)} is not in the trust file"
        return f"the key {short_id(key_id)} is of the role {' and '.join(roles)}, not of {role}"


def short_id(key_id: str) -> str:
    """Return the beginning of a key's id, for a person."""
    return key_id[:12]


def author_of(key: TrustedKey, tool_name: str) -> AuthorKey:
    """Return the entry as an author's, who may deploy the tool. Raises Unverified."""
    assert isinstance(key, AuthorKey), "the role was asked for"
    if not key.may_deploy(tool_name):
        raise Unverified(f"the author {key.name!r} may not deploy {tool_name!r}")
    return key


def published_at(record: SignedRecord) -> datetime:
    """Return the Kafka timestamp of a record."""
    return datetime.fromtimestamp(record.timestamp / 1000, timezone.utc)
