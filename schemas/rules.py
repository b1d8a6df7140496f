"""The policy and its numbers: when a version is rolled back (contract, section 2)."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from schemas.rollback import Reason

PolicyName = Literal["seed", "guarded"]
AtLeastOne = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=1, le=366 * 86_400)]
"""Seconds, a year at most."""
Share = Annotated[Decimal, Field(gt=0, le=1)]
Risk = Annotated[float, Field(ge=1e-12, lt=1)]
"""A probability of being wrong; its inverse are odds that are never out of reach of a float."""
Reasons = Annotated[tuple[Reason, ...], NoDecode]
"""In the environment comma separated."""


class Rules(BaseModel):
    """Every number of the rules, for one tool. Durations are whole seconds of event time.

    Rates are decimals, so that ``0.15`` means exactly 15 of 100. Inconsistent numbers are refused
    with the names of those that do not fit together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: PolicyName = "seed"
    """`seed`: the first rule that holds rolls back. `guarded`: evidence against what the version
    replaced does, and a rule only names the reason (``docs/explanation/guarded.md``)."""
    ring_size: AtLeastOne = 10
    """How many of the newest executions are kept one by one."""
    recent_window_s: AtLeastOne = 300
    """What of the ring is `recent`: not older than this before 'now'."""
    consecutive_failures: AtLeastOne = 3
    """Immediate: so many newest of `recent` all failed."""
    signature_errors: AtLeastOne = 2
    """Immediate: so many failures in `recent` are signature errors."""
    complete_failure_recent: AtLeastOne = 5
    """Immediate: `recent` holds at least so many and all failed."""
    fast_window_s: AtLeastOne = 1_800
    fast_bucket_s: AtLeastOne = 60
    complete_failure_executions: AtLeastOne = 5
    """Fast: at least so many executions in the fast window, all failed."""
    high_failure_rate_executions: AtLeastOne = 5
    """Fast: at least so many executions in the fast window…"""
    high_failure_rate: Share = Decimal("0.8")
    """…and a failure rate above this."""
    standard_window_s: AtLeastOne = 86_400
    standard_bucket_s: AtLeastOne = 3_600
    standard_executions: AtLeastOne = 10
    """Standard: at least so many executions in the standard window…"""
    success_rate_drop: Share = Decimal("0.15")
    """…and a success rate below the baseline by at least this."""
    baseline_executions: AtLeastOne = 10
    """How many executions of a version make a baseline for its successor. Under `guarded` of its
    whole activation, and with fewer `assumed_success_rate` stands for it."""
    attempt_interval_s: AtLeastOne = 600
    """An activation is commanded again after so long; the wait doubles with each attempt."""
    attempt_interval_max_s: AtLeastOne = 86_400
    remembered_versions: AtLeastOne = 16
    """Of how many replaced versions of a tool the counts are kept for a baseline."""
    alpha: Risk = 0.01
    """Guarded: condemned by its success rate at odds of 1/alpha to 1, which a version that is no
    worse than its baseline reaches with this probability at most."""
    signature_alpha: Risk = 0.007
    """Guarded: the same of its signature errors."""
    false_alarm_executions: Annotated[float, Field(gt=1, le=1e15)] = 100_000.0
    """Guarded: a version that broke after a healthy life: executions between two false alarms, on
    average at least."""
    assumed_success_rate: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Guarded: of a version without a baseline, nothing below this is wrong."""
    assumed_repeat_rate: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Guarded: the share of failures that another one follows, as far as the baseline's own
    executions allow it; 0.5 are runs of two on average."""
    tolerated_drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Guarded: the success rate may be below the baseline's by so much; 0.05 are five points."""
    repeat_span_s: Annotated[int, Field(ge=0)] = 30
    """Guarded: failures of the same call within so long of the first count once; 0: all count."""
    repeat_others_s: Annotated[int, Field(ge=0)] = 600
    """Guarded: …if another call of the tool was seen so long ago at most: a tool that has one
    caller alone is judged by all that this one sees."""
    observe: Reasons = ()
    """For these reasons rollbacks are decided and published, and change nothing."""
    hold: Reasons = ()
    """For these reasons rollbacks wait for a person (`rollguard holds`)."""
    enforced_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of activations whose decisions are carried out; those of the others are only
    published. Which ones is drawn by the activation itself, the same each time."""
    hold_expires_s: AtLeastOne = 86_400
    """What waits for a person for so long is rejected, `expired`."""
    hold_breaking_targets: bool = False
    """Guarded: a rollback whose target breaks calls that the current version allows waits for a
    person."""
    rollback_budget: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Guarded: so many automatic rollbacks of a tool at most…"""
    rollback_budget_s: Seconds = 86_400
    """…within so long. The cooldown knows of none that is farther away either."""
    cooldown_s: Annotated[int, Field(ge=0)] = 5
    """Guarded: after two automatic rollbacks of a tool the next one is rejected for so long; the
    time doubles with each further one. 0: none."""
    cooldown_max_s: Annotated[int, Field(ge=0, le=366 * 86_400)] = 3_600
    """…up to this."""
    cooldown_decay_s: Seconds = 3_600
    """Guarded: for each such time without a rollback the cooldown forgets one of them."""

    @field_validator("observe", "hold", mode="before")
    @classmethod
    def _split_reasons(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for small, large in (
            ("consecutive_failures", "ring_size"),
            ("signature_errors", "ring_size"),
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
        if "manual" in (*self.observe, *self.hold):
            raise ValueError("a manual rollback is neither observed nor held")
        return self
