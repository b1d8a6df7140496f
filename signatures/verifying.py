"""Who has signed a record, and whether that key may say what the record says. Pure.

A key is valid or not at the Kafka timestamp of the record, which the broker gives and no producer
can choose.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol, Self, TypeVar, cast

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature

from schemas.deployment import AuthoredDeployment, Deployment, ToolVersion
from schemas.errors import Rejected, Unverified
from schemas.execution import Activation
from schemas.fields import Time, format_time
from schemas.message import Message
from schemas.rollback import RollbackCommand
from signatures.header import Authorship, SignatureHeader, bytes_of
from signatures.statements import SignedMessage, Statement, statement_of
from signatures.trust_file import AuthorKey, KeyRole, TrustedKey, TrustFile, validity_text

ADOPTION_AGE: Final = timedelta(minutes=10)
"""How long after its signature an activation that adopts may be published. It may take the place of
any other, so that nobody may publish an old one again."""

M = TypeVar("M", bound=SignedMessage)


def role_that_says(message: SignedMessage) -> KeyRole:
    """Return the role whose keys may say this.

    A detector commands automatic rollbacks. A person commands the others, and answers held ones and
    held deployments.
    """
    match message:
        case Deployment():
            return "person" if message.is_answer else "author"
        case RollbackCommand():
            return "person" if message.is_answer or message.tier == "manual" else "detector"
        case _:
            return "applier"


class SignedRecord(Protocol):
    """A record with its headers. ``timestamp`` is Kafka's, in milliseconds."""

    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...  # noqa: D102


class _DeploymentStatement(Message):
    """What of an author's statement is compared with the version that it made."""

    namespace: str
    tool_name: str
    code_hash: str
    deployed_at: Time

    @classmethod
    def read(cls, statement: Statement) -> Self:
        """Read a statement that travelled. Raises Unverified."""
        try:
            return cls.from_bytes(statement.payload)
        except Rejected as error:
            raise Unverified(f"what the author has signed is no deployment: {error}") from None


class Signed(NamedTuple):
    """The key that has signed a message, and its header."""

    key: TrustedKey
    header: SignatureHeader


class Verifier:
    """Checks signatures by the keys of the trust file.

    ``namespace`` is the prefix of the topics. Every method raises Unverified, which says why.
    """

    def __init__(self, trust: TrustFile, namespace: str) -> None:
        self.trust = trust
        self._namespace = namespace

    def verified(self, record: SignedRecord, message: M) -> M:
        """Return the message of a record, with the names that its key gives."""
        verified: SignedMessage
        match message:
            case Deployment() if message.is_answer:
                verified = self.answer(record, message)
            case Deployment():
                verified = self.deployment(record, message)
            case RollbackCommand():
                verified = self.command(record, message)
            case Activation():
                verified = self.activation(record, message)
            case ToolVersion():
                self.version(record, message)
                verified = message
        return cast(M, verified)

    def deployment(self, record: SignedRecord, message: Deployment) -> AuthoredDeployment:
        """Return the deployment with its author, who may deploy the tool."""
        signed = self._signed(record, message)
        author = _author(signed.key, message.tool_name)
        statement = statement_of(self._namespace, message, record.value or b"")
        authorship = Authorship.of(signed.header.keyid, signed.header.sig, statement)
        return AuthoredDeployment.model_construct(
            **dict(message)
            | {
                "created_by": author.kind,
                "author": author.name,
                "authorship": authorship.model_dump_json(),
            }
        )

    def answer(self, record: SignedRecord, message: Deployment) -> Deployment:
        """Return the answer to a held deployment, with the name of the person who gives it.

        The key of a machine that deploys answers nothing, whatever other role it has.
        """
        key = self._signed(record, message).key
        if self.trust.is_of_machine(key.key.keyid):
            raise Unverified(f"{key.name!r} deploys as a machine: it may answer no deployment")
        answer = "approved_by" if message.approved_by is not None else "dismissed_by"
        return message.model_copy(update={answer: key.name})

    def command(self, record: SignedRecord, message: RollbackCommand) -> RollbackCommand:
        """Return the command, with the name of the key instead of the names that it gives itself.

        If it answers a command that nobody has issued, it is issued by whoever answers.
        """
        name = self._signed(record, message).key.name
        named = {"issued_by": name}
        if message.is_answer:
            named["approved_by" if message.approved_by is not None else "dismissed_by"] = name
        return message.model_copy(update=named)

    def activation(self, record: SignedRecord, message: Activation) -> Activation:
        """Return the activation, which an applier has signed."""
        signed_at = self._signed(record, message).header.signed_at
        if message.adopts and (
            signed_at is None or abs(_published_at(record) - signed_at) > ADOPTION_AGE
        ):
            raise Unverified(f"an adoption that was signed at {signed_at}: too long before")
        return message

    def version(self, record: SignedRecord, message: ToolVersion) -> datetime:
        """Return when an applier vouched for the version.

        If the tool requires its author, the author must have signed the code as well.
        """
        header = self._signed(record, message).header
        if header.signed_at is None:
            raise Unverified("the signature of a version needs signed_at")
        if self.trust.requires_author(message.tool_name):
            self._require_author(message, header.authorship)
        return header.signed_at

    def require_may_say(self, key_id: str, message: SignedMessage) -> None:
        """Raise Unverified if this key, whose role may say the message, may not say it."""
        if isinstance(message, Deployment) and not message.is_answer:
            key = self.trust.key("author", key_id)
            assert key is not None, "the role was asked for"
            _author(key, message.tool_name)

    def _require_author(self, version: ToolVersion, authorship: Authorship | None) -> None:
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
        _author(author, version.tool_name)
        meant = (self._namespace, version.tool_name, version.code_hash)
        if (said.namespace, said.tool_name, said.code_hash) != meant:
            raise Unverified(f"the author of {version.tool_name!r} has signed other code")

    def _signed(self, record: SignedRecord, message: SignedMessage) -> Signed:
        """Return the key that has signed the record and may say this message, and the header."""
        header = SignatureHeader.among(record.headers)
        statement = statement_of(self._namespace, message, record.value or b"", header.signed_at)
        role, at = role_that_says(message), _published_at(record)
        return Signed(self._signer(role, header, statement, at), header)

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
                f"and this is of {format_time(at)}"
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


def _author(key: TrustedKey, tool_name: str) -> AuthorKey:
    """Return the entry as an author's, who may deploy the tool."""
    assert isinstance(key, AuthorKey), "the role was asked for"
    if not key.may_deploy(tool_name):
        raise Unverified(f"the author {key.name!r} may not deploy {tool_name!r}")
    return key


def _published_at(record: SignedRecord) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
