"""Which versions an engine may load, if signatures are wanted.

An applier must have vouched for the version, and its author too if the tool requires that. The
`activation` must not be below the greatest one that was vouched for: whoever may write to the topic
could otherwise bring back an old version that was signed once. That number is kept in
``ROLLGUARD_DATA_DIR``, so that it also holds after a start.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, Generic, Protocol

from rollguard_client.errors import Misconfigured, Unverified
from rollguard_client.event_log import EventLog
from rollguard_client.files.closed_files import reason_of
from rollguard_client.files.own_files import content_of, make_folder, replace, require_own_folder
from rollguard_client.registry.kept_versions import KeptVersion, Proof
from rollguard_client.registry.versions import V
from rollguard_client.settings.settings import Settings
from rollguard_client.signatures.header import HEADER, KafkaHeaders
from rollguard_client.signatures.trust_file import read_trust_file
from rollguard_client.signatures.verifying import SignedRecord, Verifier

_LOOK_EVERY: Final = timedelta(minutes=1)
"""How often versions are looked for that nobody has vouched for in time."""
_SHOWN: Final = 300
"""How many characters of an error are logged if the version is used all the same."""


class VersionRecord(SignedRecord, Protocol):
    """A record of `tool-versions`, with its key."""

    @property
    def key(self) -> bytes | None: ...  # noqa: D102


@dataclass(frozen=True)
class _KeptRecord:
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: KafkaHeaders


def verifier_of(settings: Settings) -> Verifier:
    """Return what checks the signatures of versions. Raises Misconfigured."""
    if settings.trust is None:
        raise Misconfigured(
            f"ROLLGUARD_SIGNATURES={settings.signatures} needs ROLLGUARD_TRUST, the trust file"
        )
    return Verifier(read_trust_file(settings.trust), settings.topic_prefix)


class Admission(Generic[V]):
    """Admits versions or refuses them. ``folder`` is that of the kept versions."""

    def __init__(
        self,
        verifier: Verifier,
        folder: Path,
        log: EventLog,
        *,
        are_required: bool,
        max_age_s: float,
    ) -> None:
        self._verifier = verifier
        self._are_required = are_required
        self._max_age = timedelta(seconds=max_age_s)
        self._log = log
        self._file: Final = folder / "greatest-activations.json"
        self._greatest = self._read()
        self._is_saved = True
        self._signed_at: dict[str, datetime] = {}
        self._proofs: dict[str, tuple[int, Proof]] = {}
        self._reported: set[str] = set()
        self._looked_at = datetime.min.replace(tzinfo=timezone.utc)

    def admit(self, version: V, record: VersionRecord | None) -> None:
        """Return if the version may be loaded. Its code is known to have its hash.

        Raises Unverified. With `warn` that is only logged, and nothing is remembered of the record.
        """
        try:
            if record is None:
                raise Unverified("it came without its record, which has the signature")
            signed_at = self._verify(version, record)
        except Unverified as error:
            if self._are_required:
                raise
            self._log.warning(
                "signature_unverified",
                message=type(version).__name__,
                tool=version.tool_name,
                error=str(error)[:_SHOWN],
            )
        else:
            self._note(version, record, signed_at)

    def admit_kept(self, kept: KeptVersion[V]) -> None:
        """Do the same for a version that was kept."""
        version, proof = kept.version, kept.proof
        record = None
        if proof is not None:
            headers = [(HEADER, proof.header)]
            key = version.tool_name.encode()
            record = _KeptRecord(key, proof.value, proof.timestamp, headers)
        self.admit(version, record)

    def _verify(self, version: V, record: VersionRecord) -> datetime:
        """Return when an applier vouched for the version. Raises Unverified."""
        tool, greatest = version.tool_name, self._greatest.get(version.tool_name, 0)
        if record.key != tool.encode():
            raise Unverified(f"the record's key {record.key!r} is not its tool_name {tool!r}")
        signed_at = self._verifier.version(record, version)
        if version.activation < greatest:
            raise Unverified(
                f"the activation {version.activation} is below {greatest}, which was seen before "
                f"({self._file})"
            )
        return signed_at

    def _note(self, version: V, record: VersionRecord, signed_at: datetime) -> None:
        tool, activation = version.tool_name, version.activation
        if activation > self._greatest.get(tool, 0):
            self._greatest[tool] = activation
            self._is_saved = False
        if signed_at >= self._signed_at.get(tool, signed_at):
            self._signed_at[tool] = signed_at
            header = dict(record.headers)[HEADER] or b""
            self._proofs[tool] = activation, Proof(header, record.timestamp, record.value or b"")

    def proof_of(self, version: V) -> Proof | None:
        """Return the newest proof of a version that was admitted."""
        activation, proof = self._proofs.get(version.tool_name, (0, None))
        return proof if activation == version.activation else None

    def report_overdue(self, tools: Sequence[str]) -> None:
        """Log an error for each of these tools that nobody has vouched for in time.

        It is logged once, until somebody vouches for the tool again. The tool stays in use.
        """
        now = datetime.now(timezone.utc)
        if now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        for tool in tools:
            signed_at = self._signed_at.get(tool)
            if signed_at is not None and now - signed_at <= self._max_age:
                self._reported.discard(tool)
            elif tool not in self._reported:
                self._reported.add(tool)
                self._log.error(
                    "version_not_vouched",
                    tool=tool,
                    signed_at=signed_at,
                    max_age_s=int(self._max_age.total_seconds()),
                )

    def save(self) -> None:
        """Keep the greatest activations. Uses the disk; an error is logged."""
        if self._is_saved:
            return
        try:
            make_folder(self._file.parent)
            # Several engines may share the folder.
            for tool, activation in self._read().items():
                self._greatest[tool] = max(activation, self._greatest.get(tool, 0))
            replace(self._file, json.dumps(self._greatest).encode())
            self._is_saved = True
        except (OSError, ValueError) as error:
            self._log.error("activations_not_kept", file=str(self._file), error=reason_of(error))

    def _read(self) -> dict[str, int]:
        if not self._file.exists():
            return {}
        try:
            require_own_folder(self._file.parent)
            found = json.loads(content_of(self._file))
            return {str(tool): int(activation) for tool, activation in found.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            self._log.error("activations_not_read", file=str(self._file), error=reason_of(error))
            return {}
