"""The policy and its numbers: when a version is rolled back (contract, section 2)."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.failures.error_lines import dotted_name
from schemas.failures.failure_classes import FailureClasses
from schemas.rollback import DryRunReason, Reason

PolicyName = Literal["seed", "guarded"]
GateMode = Literal["allow", "hold", "refuse"]
AtLeastOne = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=1, le=366 * 86_400)]
"""Whole seconds, at most one year."""
Share = Annotated[Decimal, Field(gt=0, le=1)]
"""A part of a whole, in exact decimals: 0.15 means exactly 15 of 100."""
Risk = Annotated[float, Field(ge=1e-12, lt=1)]
"""A probability of being wrong. The lower limit keeps the odds (1 / risk) within a float."""
Reasons = tuple[Reason, ...]
"""Reasons of rollbacks; in a variable they are separated by commas."""
ClassNames = tuple[str, ...]
"""Names of exception classes, with their module or without; in a variable they are separated by
commas."""


class Rules(BaseModel):
    """Every number of the rules for one tool.

    Durations are whole seconds of event time. Rates are decimals, so that ``0.15`` means exactly
    15 of 100. Numbers that contradict each other are refused, and the error names them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    policy: PolicyName = "seed"
    """Which policy decides. `seed`: the first rule that holds rolls the version back. `guarded`:
    evidence decides that the version does worse than the version it replaced, and a rule only
    names the reason (``docs/explanation/guarded.md``)."""
    ring_size: AtLeastOne = 10
    """How many of the newest executions are kept one by one (the ring)."""
    recent_window_s: AtLeastOne = 300
    """The age limit of `recent`, in seconds: `recent` is the part of the ring that is not older
    than this, counted back from the newest execution."""
    consecutive_failures: AtLeastOne = 3
    """Immediate rule `consecutive_failures`: the newest executions of `recent`, at least this many,
    all failed."""
    signature_failures: AtLeastOne = 2
    """Immediate rule `signature_change`: at least this many failures in `recent` are signature
    errors (`signature_errors`)."""
    signature_errors: ClassNames = ("TypeError", "AttributeError")
    """The classes of signature errors: a caller uses a signature that is not there any more.
    Separated by commas. A class is known by its name alone, with its module or without; its
    subclasses are other names. A whole number is the value of `signature_failures`, which had this
    name before."""
    caller_errors: ClassNames = ()
    """The classes of failures that are the caller's, because the arguments were wrong, where the
    producer says no `error_origin`. Such failures are recorded and not judged. Separated by
    commas."""
    environment_errors: ClassNames = ()
    """The same for failures of the environment: timeout, quota, network, a service that is
    away."""
    complete_failure_recent: AtLeastOne = 5
    """Immediate rule `complete_failure`: `recent` holds at least this many executions, and all of
    them failed."""
    fast_window_s: AtLeastOne = 1_800
    """The length of the fast window, in seconds."""
    fast_bucket_s: AtLeastOne = 60
    """The length of one bucket of the fast window, in seconds."""
    complete_failure_executions: AtLeastOne = 5
    """Fast rule `complete_failure`: the fast window holds at least this many executions, and all of
    them failed."""
    high_failure_rate_executions: AtLeastOne = 5
    """Fast rule `high_failure_rate`: the fast window must hold at least this many executions."""
    high_failure_rate: Share = Decimal("0.8")
    """Fast rule `high_failure_rate`: the failure rate in the fast window must be above this."""
    standard_window_s: AtLeastOne = 86_400
    """The length of the standard window, in seconds."""
    standard_bucket_s: AtLeastOne = 3_600
    """The length of one bucket of the standard window, in seconds."""
    standard_executions: AtLeastOne = 10
    """Standard rule `success_rate_drop`: the standard window must hold at least this many
    executions."""
    success_rate_drop: Share = Decimal("0.15")
    """Standard rule `success_rate_drop`: the success rate in the standard window must be below the
    baseline by at least this."""
    baseline_executions: AtLeastOne = 10
    """How many executions of a version are enough to be the baseline of its successor. Policy
    `guarded` counts the whole activation, and uses `assumed_success_rate` if there are fewer."""
    attempt_interval_s: AtLeastOne = 600
    """How long after a command the same activation is commanded again if it is still current and a
    rule holds, in seconds. The wait doubles with each attempt."""
    attempt_interval_max_s: AtLeastOne = 86_400
    """The longest wait between two commands for the same activation, in seconds."""
    remembered_versions: AtLeastOne = 16
    """For how many replaced versions of a tool the counts are kept, as baselines for a version that
    is activated again."""
    alpha: Risk = 0.01
    """Guarded: a version is condemned by its success rate when the odds against it reach 1/alpha.
    A version that is no worse than its baseline reaches them with at most this probability."""
    signature_alpha: Risk = 0.007
    """Guarded: the same as `alpha`, for its signature errors."""
    breaking_factor: Annotated[float, Field(ge=1, le=100)] = 4.0
    """Guarded: by which factor `signature_alpha` is greater for a version that breaks calls, so
    that fewer signature errors condemn it; it becomes at most 0.5. 1 switches this closer watch
    off."""
    false_alarm_executions: Annotated[float, Field(gt=1, le=1e15)] = 100_000.0
    """Guarded: how many executions there are, on average and at least, between two false alarms of
    the test for a version that broke after a healthy start."""
    assumed_success_rate: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Guarded: the success rate that a version must reach if it has no baseline."""
    assumed_repeat_rate: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Guarded: the share of failures that are followed by another failure. It is assumed as far as
    the baseline's own executions allow it. 0.5 means that failures come in runs of two on
    average."""
    tolerated_drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Guarded: how far the success rate may be below the baseline's; 0.05 are five percentage
    points."""
    judged_bad_alpha: Risk = 0.004
    """Guarded: the same as `alpha`, for the executions that a later verdict calls bad."""
    slower_alpha: Risk = 0.005
    """Guarded: the same as `alpha`, for executions that take long; and for those that cost much."""
    slower_tolerance: Annotated[float, Field(ge=1, le=20)] = 1.25
    """Guarded: by which factor the share of executions that take longer than the baseline version's
    95 % quantile may be greater than its own; the same for what they cost."""
    warm_up_executions: Annotated[int, Field(ge=0, le=100)] = 10
    """Guarded: duration and cost of so many successes after an activation are not compared, because
    caches may still be cold."""
    compared_span_s: Seconds = 3_600
    """Guarded: how long a version's durations and costs are compared with those of its baseline
    version, in seconds, and how long before its activation those were measured. Load has a daily
    rhythm, so only times that are near each other can be compared."""
    repeat_span_s: Annotated[int, Field(ge=0)] = 30
    """Guarded: failures of the same call count once within this time after the first one, in
    seconds. With 0 all of them count."""
    repeat_others_s: Annotated[int, Field(ge=0)] = 600
    """Guarded: `repeat_span_s` applies only if another call of the tool was seen within this time,
    in seconds. A tool with a single caller is judged by all failures that this caller sees."""
    observe: Reasons = ()
    """Dry run: rollbacks for these reasons are decided and published, and change nothing. Separated
    by commas."""
    enforce: tuple[DryRunReason, ...] = ()
    """Rollbacks for the reasons `slower` and `costlier` are dry runs, unless they are named here or
    in `hold`. Separated by commas."""
    hold: Reasons = ()
    """Rollbacks for these reasons wait until a person approves or dismisses them (`rollguard
    holds`). Separated by commas."""
    enforced_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of activations whose decisions are carried out; decisions about the other
    activations are only published. The activation's number decides which ones, so that the answer
    is always the same."""
    hold_expires_s: AtLeastOne = 86_400
    """How long a held rollback or deployment waits for a person, in seconds; then it is rejected or
    refused, `expired`."""
    gate: GateMode = "allow"
    """What becomes of a machine's deployment whose code cannot be parsed, has breaking changes that
    its author does not accept, or failed one of the checks that it carries. `allow`: a version.
    `hold`: it waits until a person approves or dismisses it (`rollguard holds`). `refuse`: it is
    refused."""
    dismissal_growth: Annotated[float, Field(gt=1, le=1e100)] = 1_000.0
    """Guarded: a dismissed rollback is commanded again at once when the odds against the version
    have grown by this factor since the command; otherwise with the next attempt."""
    hold_breaking_targets: bool = False
    """Guarded: whether a rollback waits for a person if its target breaks calls that the current
    version allows."""
    wait_after_manual_rollback: bool | None = None
    """Whether autonomous deployments of a tool are refused after a person's rollback of it, until
    `rollguard resume` or a person's deployment. Not set: yes under `guarded`, no under `seed`."""
    rollback_budget: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Guarded: at most this many automatic rollbacks of a tool within `rollback_budget_s`."""
    rollback_budget_s: Seconds = 86_400
    """Guarded: the time that `rollback_budget` is for, in seconds. The cooldown ignores rollbacks
    that are farther away than this, too."""
    cooldown_s: Annotated[int, Field(ge=0)] = 5
    """Guarded: how long the next automatic rollback of a tool is rejected after two of them, in
    seconds. The time doubles with each further one. 0 switches the cooldown off."""
    cooldown_max_s: Annotated[int, Field(ge=0, le=366 * 86_400)] = 3_600
    """Guarded: the longest cooldown, in seconds."""
    cooldown_decay_s: Seconds = 3_600
    """Guarded: for each whole period of this length without a rollback the cooldown forgets one
    rollback, in seconds."""

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: object) -> object:
        return with_new_names(values) if isinstance(values, Mapping) else values

    @field_validator(
        *("observe", "enforce", "hold"),
        *("signature_errors", "caller_errors", "environment_errors"),
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("signature_errors", "caller_errors", "environment_errors")
    @classmethod
    def _names_of_classes(cls, value: ClassNames) -> ClassNames:
        for name in value:
            if dotted_name(name) != name:
                raise ValueError(f"{name!r} is not the name of a class")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for small, large in (
            ("consecutive_failures", "ring_size"),
            ("signature_failures", "ring_size"),
            ("complete_failure_recent", "ring_size"),
            ("recent_window_s", "fast_window_s"),
            ("fast_window_s", "standard_window_s"),
            ("fast_bucket_s", "fast_window_s"),
            ("standard_bucket_s", "standard_window_s"),
            ("attempt_interval_s", "attempt_interval_max_s"),
            ("cooldown_s", "cooldown_max_s"),
        ):
            a, b = getattr(self, small), getattr(self, large)
            if a > b:
                raise ValueError(f"{small} ({a}) must not be greater than {large} ({b})")
        if both := set(self.observe) & set(self.hold):
            raise ValueError(f"{sorted(both)} cannot be observed and held")
        if both := {*self.observe, *self.hold} & {*self.enforce}:
            raise ValueError(f"{sorted(both)} cannot be enforced, and observed or held")
        if "manual" in (*self.observe, *self.hold):
            raise ValueError("a manual rollback is neither observed nor held")
        if twice := set(self.caller_errors) & set(self.environment_errors):
            raise ValueError(f"{sorted(twice)} cannot be in caller_errors and environment_errors")
        return self

    def observes(self, reason: Reason) -> bool:
        """Return whether rollbacks for this reason are dry runs."""
        if reason in self.observe:
            return True
        return reason in get_args(DryRunReason) and reason not in (*self.enforce, *self.hold)

    @cached_property
    def failure_classes(self) -> FailureClasses:
        """What the lists of classes say about a failure."""
        return FailureClasses(
            self.signature_errors,
            {"caller": self.caller_errors, "environment": self.environment_errors},
        )

    def changed(self, changes: Mapping[str, Any]) -> "Rules":
        """Return these rules with some of them changed. Raises ValidationError."""
        return Rules.model_validate(self.model_dump() | with_new_names(changes))


def with_new_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the names that they have now.

    ``signature_errors`` was the number that is called ``signature_failures`` now. Raises ValueError
    if that number is given twice.
    """
    number = values.get("signature_errors")
    if isinstance(number, str) and number.strip().isdecimal():
        number = int(number)
    if not isinstance(number, int):
        return dict(values)
    if "signature_failures" in values:
        raise ValueError(
            f"signature_errors ({number}) is a number, and signature_failures is given, too"
        )
    others = {name: value for name, value in values.items() if name != "signature_errors"}
    return others | {"signature_failures": number}
