"""What the server checks beside the versions of tools, which its engines check as well.

Who has signed a record is answered by the client (``rollguard_client.signatures.verifying``). Pure.
"""

from datetime import timedelta
from typing import Final, TypeVar, cast

from rollguard_client.signatures import verifying
from rollguard_client.signatures.header import Authorship
from rollguard_client.signatures.verifying import SignedRecord, author_of, published_at
from schemas.deployment import AuthoredDeployment, Deployment, ToolVersion
from schemas.errors import Unverified
from schemas.execution import Activation
from schemas.rollback import RollbackCommand
from signatures.statements import SignedMessage

ADOPTION_AGE: Final = timedelta(minutes=10)
"""How long after its signature an activation that adopts may be published. It may take the place of
any other, so that nobody may publish an old one again."""

M = TypeVar("M", bound=SignedMessage)


class Verifier(verifying.Verifier):
    """Checks signatures by the keys of the trust file.

    ``namespace`` is the prefix of the topics. Every method raises Unverified, which says why.
    """

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
        signed = self.signed(record, message)
        author = author_of(signed.key, message.tool_name)
        authorship = Authorship.of(signed.header.keyid, signed.header.sig, signed.statement)
        return AuthoredDeployment.model_construct(
            **dict(message)
            | {
                "created_by": author.kind,
                "author": author.name,
                "authorship": authorship.to_text(),
            }
        )

    def answer(self, record: SignedRecord, message: Deployment) -> Deployment:
        """Return the answer to a held deployment, with the name of the person who gives it.

        The key of a machine that deploys answers nothing, whatever other role it has.
        """
        key = self.signed(record, message).key
        if self.trust.is_of_machine(key.key.keyid):
            raise Unverified(f"{key.name!r} deploys as a machine: it may answer no deployment")
        answer = "approved_by" if message.approved_by is not None else "dismissed_by"
        return message.model_copy(update={answer: key.name})

    def command(self, record: SignedRecord, message: RollbackCommand) -> RollbackCommand:
        """Return the command, with the name of the key instead of the names that it gives itself.

        If it answers a command that nobody has issued, it is issued by whoever answers.
        """
        name = self.signed(record, message).key.name
        named = {"issued_by": name}
        if message.is_answer:
            named["approved_by" if message.approved_by is not None else "dismissed_by"] = name
        return message.model_copy(update=named)

    def activation(self, record: SignedRecord, message: Activation) -> Activation:
        """Return the activation, which an applier has signed."""
        signed_at = self.signed(record, message).header.signed_at
        if message.adopts and (
            signed_at is None or abs(published_at(record) - signed_at) > ADOPTION_AGE
        ):
            raise Unverified(f"an adoption that was signed at {signed_at}: too long before")
        return message

    def require_may_say(self, key_id: str, message: SignedMessage) -> None:
        """Raise Unverified if this key, whose role may say the message, may not say it."""
        if isinstance(message, Deployment) and not message.is_answer:
            key = self.trust.key("author", key_id)
            assert key is not None, "the role was asked for"
            author_of(key, message.tool_name)
