"""How the entries of a tool's log are counted into its row."""

from collections.abc import Sequence

from policy.state.not_judged import NotJudged
from policy.state.row import Row
from policy.state.stored_baselines import store_baseline
from policy.state.tool_evidence import ToolEvidence
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.rules.rules import Rules


def activate(
    row: Row | None,
    activation: Activation,
    offset: int,
    rules: Rules,
    *,
    keeps_evidence: bool = False,
) -> Row:
    """Return the row after an activation.

    An activation that does not take the place of the current one only moves ``read_to``, and may
    say that the newest command was dismissed, or withdrawn because of an outage. A version that a
    deployment activates is measured by what the replaced version leaves. A version that a rollback
    activates again gets the baseline that was stored when it was last replaced.
    ``keeps_evidence``: the row keeps the evidence of policy `guarded` as well.
    """
    if row is not None and not _takes_place_of(row, activation):
        row.read_to = offset
        _note_dismissal(row, activation)
        _note_withdrawal(row, activation)
        return row
    reactivated = activation.activated_by.kind == "rollback"
    after = Row(
        read_to=offset,
        version_id=activation.version_id,
        version_number=activation.version_number,
        activation=activation.activation,
        activated_us=micros_of(activation.activated_at),
        reactivated=reactivated,
        baseline=None,
        tool_evidence=ToolEvidence() if keeps_evidence else None,
        first_activated=offset if row is None else row.first_activated,
        is_breaking=bool(activation.is_breaking_change) and not reactivated,
    )
    if row is None:
        return after
    after.stored_baselines = row.stored_baselines
    left = row.baseline_to_store(rules)
    store_baseline(after.stored_baselines, row.version_id, left, rules.remembered_versions)
    after.baseline = after.stored_baselines.get(activation.version_id) if reactivated else left
    if keeps_evidence:
        evidence = row.tool_evidence or ToolEvidence()
        after.tool_evidence = evidence.replaced(
            row.version_id, activation.version_id, reactivated, rules
        )
        after.quality = row.quality and row.quality.replaced(
            row.version_id, activation.version_id, reactivated, row.newest_s, rules
        )
    return after


def _takes_place_of(row: Row, activation: Activation) -> bool:
    """Return whether the activation is newer than the current one, or is adopted instead of it."""
    if activation.adopts:
        return (activation.version_id, activation.activation) != (row.version_id, row.activation)
    return activation.activation > row.activation


def _note_dismissal(row: Row, activation: Activation) -> None:
    """Note that a person has dismissed the newest command, if the activation says so."""
    if row.last_command is not None and str(activation.dismissed) == row.command_id:
        row.last_command.is_dismissed = True


def _note_withdrawal(row: Row, activation: Activation) -> None:
    """Take the evidence for the newest command back, if the activation says that it was withdrawn.

    It is said at least once; only the first time changes something.
    """
    last, evidence = row.last_command, row.tool_evidence
    if last is None or last.is_withdrawn or str(activation.outage) != row.command_id:
        return
    last.is_withdrawn = True
    last.withdrawn += 1
    if evidence is not None and last.before is not None:
        last.fails_since = evidence.before is not None
        evidence.withdraw_to(last.before)


def belongs_to_activation(row: Row, execution: ExecutionEntry) -> bool:
    """Return whether the execution belongs to the current activation of the tool.

    It does if it is of the current version. If it has no ``version_id``, it is of the version that
    is current at its position in the log. A version that was current before may have executions of
    that time: they are older than the activation, and do not belong to it.
    """
    return (execution.version_id is None or execution.version_id == row.version_id) and (
        not row.reactivated or execution.executed_us >= row.activated_us
    )


def count(row: Row, execution: ExecutionEntry, offset: int, rules: Rules) -> bool:
    """Count an execution into the row of its tool, and return whether it counted.

    It does not count if it belongs to another version, if it was executed before a rollback
    activated the version again, if the ring holds it already, or if it is a failure that is not the
    tool's. Such failures are only added up, to be shown.
    """
    row.read_to = offset
    if not belongs_to_activation(row, execution):
        return False
    at_us, ring = execution.executed_us, row.ring
    execution_id = execution.execution_id.int.to_bytes(16, "big")
    if execution_id in ring.ids:
        return False
    now_us = row.now_us
    failed, error = not execution.success, None
    if failed:
        classes = rules.failure_classes
        origin = classes.origin_of(execution)
        if origin != "tool":
            if row.not_judged is None:
                row.not_judged = NotJudged()
            row.not_judged.add(at_us, origin, now_us)
            return False
        error = classes.label_of(execution)
    if now_us is None or at_us > now_us:
        now_us = row.now_us = at_us
    ring.add(at_us, execution_id, error, rules.ring_size)
    row.fast.add(at_us, failed, now_us, rules.fast_bucket_s, rules.fast_window_s)
    row.standard.add(at_us, failed, now_us, rules.standard_bucket_s, rules.standard_window_s)
    return True


def count_successes(
    row: Row,
    executions: Sequence[ExecutionEntry],
    times_us: list[int],
    offset: int,
    rules: Rules,
) -> bool:
    """Do the same as ``count`` for each of these successes, and return True.

    All belong to the current activation; ``times_us`` are their times, and ``offset`` is that of
    the last one. If one of them may be a repeat, nothing is changed and False is returned.
    """
    ids = [execution.execution_id.int.to_bytes(16, "big") for execution in executions]
    ring = row.ring
    if len({*ring.ids, *ids}) < len(ring.ids) + len(ids):
        return False
    ascending = sorted(times_us)
    if ascending != times_us:
        # The sort is stable: of two with the same time, the one that arrived first stays first.
        ids = [ids[index] for index in sorted(range(len(ids)), key=times_us.__getitem__)]
    row.read_to = offset
    row.now_us = now_us = max(ascending[-1], row.now_us or 0)
    ring.add_successes(ascending, ids, rules.ring_size)
    row.fast.add_successes(ascending, now_us, rules.fast_bucket_s, rules.fast_window_s)
    row.standard.add_successes(ascending, now_us, rules.standard_bucket_s, rules.standard_window_s)
    return True
