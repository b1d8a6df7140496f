"""The scenarios: how good a baseline version was, and how good the version is that replaces it."""

from typing import Final, NamedTuple

from simulate.worlds.draws import Phase, steady

HEALTHY_EXECUTIONS: Final = 500
"""For so many executions a healthy version is watched."""
BROKEN_EXECUTIONS: Final = 1_000
"""For so many executions a worse version is watched, from the first one that is worse."""
GOOD_BEFORE: Final = 1_000
"""So many executions are good before a late break."""
BASELINES: Final = (0, 10, 30, 100, 500)
RATES: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
RUN_LENGTH: Final = 2.0


class Scenario(NamedTuple):
    """One row of a table. The draws follow from the part and ``draws_name``."""

    part: str
    """`healthy`, `bursts`, `breaking`, `broken` or `late`."""
    name: str
    baseline: Phase
    """The executions of the baseline version; none if there is no such version."""
    life: tuple[Phase, ...]
    """The executions of the version that is judged."""
    run_length: float | None = None
    """Failures in a row on average; None if executions are independent."""

    @property
    def draws_name(self) -> str:
        """The name that seeds the draws. It is never changed, so that published tables stay true.

        The first tables called the baseline version the target.
        """
        return self.name.replace("of the baseline version", "of the target")

    @property
    def is_healthy(self) -> bool:
        """Whether the version is as good as its baseline version."""
        return all(phase[1:] == self.baseline[1:] for phase in self.life)

    @property
    def good_before(self) -> int:
        """The number of executions before the version is worse than its baseline version."""
        return GOOD_BEFORE if self.part == "late" else 0


def all_scenarios() -> list[Scenario]:
    """Return all scenarios in the order of the tables."""
    return [
        *(healthy(rate, baseline) for rate in RATES for baseline in BASELINES),
        *(
            healthy(rate, baseline, RUN_LENGTH)
            for rate in RATES
            if 1 - rate < 1 - 1 / RUN_LENGTH  # else as independent ones
            for baseline in BASELINES
        ),
        *(breaking(healthy(rate, known)) for rate in (0.5, 0.7, 0.9, 0.99) for known in (100, 500)),
        *(
            breaking(signature_break(share, known))
            for share in (1.0, 0.5, 0.2, 0.1)
            for known in (100, 500)
        ),
        *(total_break(rate, known) for rate in (0.8, 0.9, 0.95, 0.99) for known in BASELINES),
        *(signature_break(share, known) for share in (1.0, 0.5) for known in (100, 500)),
        *(drop(0.9, lower, known) for lower in (0.6, 0.75, 0.85) for known in (100, 500)),
        *(slow_recovery(0.9, known) for known in (100, 500)),
        *(late_break(rate, known) for rate in (0.8, 0.95) for known in (100, 500)),
    ]


def healthy(rate: float, baseline: int, run_length: float | None = None) -> Scenario:
    """Return a scenario with a version that is as good as its baseline version."""
    return Scenario(
        "bursts" if run_length else "healthy",
        f"{rate:g}, {baseline} of the baseline version",
        steady(baseline, rate),
        (steady(HEALTHY_EXECUTIONS, rate),),
        run_length,
    )


def breaking(scenario: Scenario) -> Scenario:
    """Return the same scenario in the part about versions that break calls."""
    return scenario._replace(part="breaking")


def total_break(rate: float, baseline: int) -> Scenario:
    """Return a scenario with a version of which no execution succeeds."""
    life = (steady(BROKEN_EXECUTIONS, 0.0),)
    return Scenario(
        "broken",
        f"total break, {rate:g} before, {baseline} of the baseline version",
        steady(baseline, rate),
        life,
    )


def signature_break(share: float, baseline: int) -> Scenario:
    """Return a scenario with a version whose signature changed.

    This share of the callers still calls it in the old way and fails. Its baseline version
    succeeded at a rate of 0.9 and had no signature errors.
    """
    success_rate = 0.9 * (1 - share)
    life = (steady(BROKEN_EXECUTIONS, success_rate, share / (1 - success_rate)),)
    return Scenario(
        "broken",
        f"signature break for {share:.0%} of the calls, {baseline} of the baseline version",
        steady(baseline, 0.9, 0.0),
        life,
    )


def drop(rate: float, lower: float, baseline: int) -> Scenario:
    """Return a scenario with a version that is worse from its first execution on."""
    return Scenario(
        "broken",
        f"{rate:g} to {lower:g}, {baseline} of the baseline version",
        steady(baseline, rate),
        (steady(BROKEN_EXECUTIONS, lower),),
    )


def slow_recovery(rate: float, baseline: int) -> Scenario:
    """Return a scenario with a version that fails at first and then recovers.

    Within 50 executions it becomes as good as its baseline version.
    """
    life = (Phase(50, 0.0, rate), steady(BROKEN_EXECUTIONS - 50, rate))
    return Scenario(
        "broken",
        f"slow recovery: 0 to {rate:g} within 50, {baseline} of the baseline version",
        steady(baseline, rate),
        life,
    )


def late_break(rate: float, baseline: int) -> Scenario:
    """Return a scenario with a version that is good at first; then no execution succeeds."""
    return Scenario(
        "late",
        f"{rate:g}, {baseline} of the baseline version",
        steady(baseline, rate),
        (steady(GOOD_BEFORE, rate), steady(BROKEN_EXECUTIONS, 0.0)),
    )
