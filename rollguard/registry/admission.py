"""Which versions an engine may load, if signatures are wanted.

An applier must have vouched for the version, and its author too if the tool requires that. The
`activation` must not be below the greatest one that was vouched for: whoever may write to the topic
could otherwise bring back an old version that was signed once. That number is kept in
``ROLLGUARD_DATA_DIR``, so that it also holds after a start.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import structlog

from rollguard.registry.kept_versions import KeptVersion, Proof
from schemas.deployment import ToolVersion
from schemas.errors import Unverified
from schemas.files.closed_files import reason_of
from schemas.files.own_files import content_of, make_folder, replace, require_own_folder
from schemas.settings import Settings
from signatures.header import HEADER, KafkaHeaders
from signatures.signatures import Signatures, log_unverified
from signatures.verifying import SignedRecord

log = structlog.get_logger()

_LOOK_EVERY: Final = timedelta(minutes=1)
"""How often versions are looked for that nobody has vouched for in time."""


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


class Admission:
    """Admits versions or refuses them. ``folder`` is that of the kept versions."""

    def __init__(self, signatures: Signatures, settings: Settings, folder: Path) -> None:
        self._signatures = signatures
        self._max_age = timedelta(seconds=settings.signature_max_age_s)
        self._file: Final = folder / "greatest-activations.json"
        self._greatest = self._read()
        self._is_saved = True
        self._signed_at: dict[str, datetime] = {}
        self._proofs: dict[str, tuple[int, Proof]] = {}
        self._reported: set[str] = set()
        self._looked_at = datetime.min.replace(tzinfo=UTC)

    def admit(self, version: ToolVersion, record: VersionRecord | None) -> None:
        """Return if the version may be loaded. Its code is known to have its hash.

        Raises Unverified. With `warn` that is only logged, and nothing is remembered of the record.
        """
        try:
            if record is None:
                raise Unverified("it came without its record, which has the signature")
            signed_at = self._verify(version, record)
        except Unverified as error:
            if self._signatures.are_required:
                raise
            log_unverified(version, error)
        else:
            self._note(version, record, signed_at)

    def admit_kept(self, kept: KeptVersion) -> None:
        """Do the same for a version that was kept."""
        version, record = kept.version, None
        if kept.proof is not None:
            record = _KeptRecord(
                version.tool_name.encode(),
                version.to_bytes(),
                kept.proof.timestamp,
                [(HEADER, kept.proof.header)],
            )
        self.admit(version, record)

    def _verify(self, version: ToolVersion, record: VersionRecord) -> datetime:
        """Return when an applier vouched for the version. Raises Unverified."""
        tool, greatest = version.tool_name, self._greatest.get(version.tool_name, 0)
        if record.key != tool.encode():
            raise Unverified(f"the record's key {record.key!r} is not its tool_name {tool!r}")
        signed_at = self._signatures.verifier.version(record, version)
        if version.activation < greatest:
            raise Unverified(
                f"the activation {version.activation} is below {greatest}, which was seen before "
                f"({self._file})"
            )
        return signed_at

    def _note(self, version: ToolVersion, record: VersionRecord, signed_at: datetime) -> None:
        tool, activation = version.tool_name, version.activation
        if activation > self._greatest.get(tool, 0):
            self._greatest[tool] = activation
            self._is_saved = False
        if signed_at >= self._signed_at.get(tool, signed_at):
            self._signed_at[tool] = signed_at
            proof = Proof(dict(record.headers)[HEADER] or b"", record.timestamp)
            self._proofs[tool] = activation, proof

    def proof_of(self, version: ToolVersion) -> Proof | None:
        """Return the newest proof of a version that was admitted."""
        activation, proof = self._proofs.get(version.tool_name, (0, None))
        return proof if activation == version.activation else None

    def report_overdue(self, tools: Sequence[str]) -> None:
        """Log an error for each of these tools that nobody has vouched for in time.

        It is logged once, until somebody vouches for the tool again. The tool stays in use.
        """
        now = datetime.now(UTC)
        if now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        for tool in tools:
            signed_at = self._signed_at.get(tool)
            if signed_at is not None and now - signed_at <= self._max_age:
                self._reported.discard(tool)
            elif tool not in self._reported:
                self._reported.add(tool)
                log.error(
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
            log.error("activations_not_kept", file=str(self._file), error=reason_of(error))

    def _read(self) -> dict[str, int]:
        if not self._file.exists():
            return {}
        try:
            require_own_folder(self._file.parent)
            found = json.loads(content_of(self._file))
            return {str(tool): int(activation) for tool, activation in found.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            log.error("activations_not_read", file=str(self._file), error=reason_of(error))
            return {}
