"""The row of a tool: all that the detector remembers of it.

A row belongs to one tool. It holds what the rules need of the current version (the ring of the
newest executions and two counting windows), its baseline, what was commanded already, and the
baselines that its replaced versions left. Times are microseconds since the epoch.

Whoever folds a row owns it until it is written, so rows are changed in place. Thousands of rows are
read and written in a second, so they hold flat lists of numbers and bytes. The table and its
changelog hold them as MessagePack arrays: names of fields may change, their order and types may
not, because a new version of the software reads the rows of the one before
(``tests/unit/policy/test_rows_of_0_1_0.py``).
"""

from typing import Final

import msgspec

from policy.state.counting_window import SECOND_US, CountingWindow
from policy.state.counts import Counts
from policy.state.forwarding import ForwardedTo
from policy.state.last_command import LastCommand
from policy.state.not_judged import NotJudged, OthersFailures
from policy.state.quality.quality import Quality
from policy.state.ring import Ring, RingExecution
from policy.state.tool_evidence import ToolEvidence
from schemas.rules.rules import Rules


class Row(msgspec.Struct, array_like=True, gc=False):
    """All that is remembered of one tool."""

    read_to: int
    """The offset of the last record that was folded in."""
    version_id: int
    version_number: int
    activation: int
    activated_us: int
    reactivated: bool
    """Whether a rollback activated it: then only executions from ``activated_us`` on count."""
    baseline: Counts | None
    """The counts that the success rate is compared with; None if there are none."""
    now_us: int | None = None
    """The newest ``executed_at`` that counted; None before the first."""
    ring: Ring = msgspec.field(default_factory=Ring)
    fast: CountingWindow = msgspec.field(default_factory=CountingWindow)
    standard: CountingWindow = msgspec.field(default_factory=CountingWindow)
    attempts: int = 0
    """How many commands were issued for this activation."""
    commanded_us: int = 0
    """The value of ``now_us`` at the newest of them."""
    command_id: str | None = None
    """The id of the newest of them."""
    stored_baselines: dict[int, Counts | None] = {}
    """The baseline that each replaced version left, by version id, the last replaced last."""
    tool_evidence: ToolEvidence | None = None
    """The evidence of policy `guarded`; None if the policy is `seed` since the activation."""
    dry_run_reasons: list[str] = []
    """The reasons for which this activation had a decision that was only published."""
    last_command: LastCommand | None = None
    """What the newest command rested on; None before the first."""
    first_activated: int = -1
    """The offset of the activation that made this row; -1 if the row is older than this field."""
    read_ms: int = 0
    """The Kafka timestamp of the last record that was folded in; 0 if it is not known."""
    not_judged: NotJudged | None = None
    """The failures of this activation that are not the tool's; None if there are none."""
    quality: Quality | None = None
    """The quality of the successes, under policy `guarded`; None if no execution has said how long
    it took or what it cost, and none was judged later."""

    is_breaking: bool = False
    """Whether this activation is a deployment that breaks calls."""

    @property
    def others_failures(self) -> OthersFailures:
        """The failures of the last day that are not the tool's."""
        found = self.not_judged
        return OthersFailures(0, 0) if found is None else found.at(self.now_us)

    @property
    def newest_s(self) -> int:
        """'Now' in seconds; before the first execution, when the version was activated."""
        return (self.activated_us if self.now_us is None else self.now_us) // SECOND_US

    def baseline_to_store(self, rules: Rules) -> Counts | None:
        """Return the baseline that the current version leaves.

        Its own window if that has enough executions, otherwise the baseline that it was
        measured by itself.
        """
        if self.standard.executions >= rules.baseline_executions:
            return self.standard.counts
        return self.baseline

    def recent_errors(self, rules: Rules) -> list[str | None]:
        """Return ``ring.errors`` of the executions at most ``recent_window_s`` before 'now'."""
        if self.now_us is None:
            return []
        return self.ring.errors_since(self.now_us - rules.recent_window_s * SECOND_US)

    def recent(self, rules: Rules) -> list[RingExecution]:
        """Return the executions at most ``recent_window_s`` before 'now', the newest last."""
        return self.ring.newest(len(self.recent_errors(rules)))


class _RowWithForwarded(msgspec.Struct, array_like=True, gc=False):
    """The row of a tool of which executions were forwarded. All other rows stay as they are."""

    read_to: int
    """That of ``row``, at the same place."""
    forwarded: ForwardedTo
    row: Row


def encode(row: Row, forwarded: ForwardedTo | None = None) -> bytes:
    """Return the row as the table and its changelog hold it.

    ``forwarded`` is how far the copies from each source partition have been read, if there are any.
    """
    if not forwarded:
        return _ENCODER.encode(row)
    return _ENCODER.encode(_RowWithForwarded(row.read_to, forwarded, row))


def decode(data: bytes) -> Row:
    """Return the row that ``encode`` encoded. Raises ValueError for anything else."""
    try:
        if data[:1] == _WITH_FORWARDED:
            return _FORWARDED_DECODER.decode(data).row
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a row of this version: {error}") from error


def forwarded_of(data: bytes) -> ForwardedTo:
    """Return what ``encode`` was given as ``forwarded``; {} if that was nothing."""
    if data[:1] == _WITH_FORWARDED:
        return _FORWARDED_DECODER.decode(data).forwarded
    return {}


class _ReadTo(msgspec.Struct, array_like=True):
    offset: int


def read_to_of(data: bytes) -> int:
    """Return ``read_to`` of an encoded row, without decoding the rest of it."""
    return _READ_TO_DECODER.decode(data).offset


def known_since(data: bytes | None, followed_to: int) -> int | None:
    """Return the offset from which on a tool was known, for a reader of the partition's log.

    ``data`` is the encoded row of the tool; None if the tool was never activated. A row that has
    read no further than ``followed_to``, to which the reader has read the log, was there before
    what the reader reads next. Only after a crash a row may have read further.
    """
    if data is None:
        return None
    return -1 if read_to_of(data) <= followed_to else decode(data).first_activated


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Row)
_FORWARDED_DECODER: Final = msgspec.msgpack.Decoder(_RowWithForwarded)
_WITH_FORWARDED: Final = b"\x93"
"""How MessagePack begins an array of three; a row has many more fields."""
_READ_TO_DECODER: Final = msgspec.msgpack.Decoder(_ReadTo)
