"""What makes each alert fire: series of a system in which all is well, and what is changed."""

from typing import Final, NamedTuple

_ROLES: Final = ("detector", "applier", "recorder")
_MINUTES: Final = 70
_TP: Final = 'topic="tool-executions",partition="0"'


class Case(NamedTuple):
    """Series that differ from those of a system that is well, and the alert that fires then."""

    alert: str
    changed: dict[str, str]
    """Series to their values, in the notation of promtool; "" if it is missing."""
    at: str = "5m"
    fires: bool = True
    """Whether it fires; if not, no alert fires."""


def _target(role: str) -> str:
    return f'job="rollguard",instance="{role}:6066",service="{role}"'


def _well() -> dict[str, str]:
    """Return the series of a system that is well, for more than an hour."""
    every = {}
    for role in (*_ROLES, "notifier", "console"):
        target = _target(role)
        every[f"up{{{target}}}"] = "1"
        every[f'rollguard_build_info{{{target},role="{role}",version="1.0.0"}}'] = "1"
        every[f"process_start_time_seconds{{{target}}}"] = "100"
    for group in (*_ROLES, "notifier-hook"):
        target = _target(group.partition("-")[0])
        every[f"rollguard_alive{{{target}}}"] = "1"
        every[f"rollguard_ready{{{target}}}"] = "1"
        every[f'rollguard_consumer_joining_seconds{{{target},group="{group}"}}'] = "0"
        for name in ("lag_records", "lag_seconds", "stalled_seconds"):
            every[f'rollguard_consumer_{name}{{{target},group="{group}",{_TP}}}'] = "0"
    detector, applier = _target("detector"), _target("applier")
    every |= {
        f'rollguard_outage{{{detector},partition="0"}}': "0",
        f'rollguard_bad_records_total{{{detector},topic="t",cause="key",published="yes"}}': "0",
        f"rollguard_forwarded_executions_total{{{detector}}}": "0",
        f'rollguard_negative_durations_total{{{detector},duration="execution_to_command"}}': "0",
        f'rollguard_periodic_task_failures_total{{{applier},task="expire-holds"}}': "0",
        f"rollguard_fleet_holds_total{{{applier}}}": "0",
        f'rollguard_oldest_hold_seconds{{{applier},change="rollback"}}': "0",
        f'rollguard_tools_set_aside{{{applier},change="deployment"}}': "0",
        f'rollguard_unverified_messages_total{{{applier},message="Deployment"}}': "0",
        _rollbacks("applied", ""): "0+1x20",
        _rollbacks("held", ""): "0",
        f'rollguard_receiver_failing_seconds{{{_target("notifier")},receiver="hook"}}': "0",
        _notifications("delivered"): "0+5x20",
        _notifications("dead_letter"): "0",
        _requests("200"): "0+100x20",
        _requests("503"): "0+1x20",
        _pool("used"): "3",
        f"rollguard_postgres_pool_max_connections{{{applier}}}": "10",
    }
    every |= {_rollbacks("rejected", why): "0" for why in ("no_previous_version", "budget")}
    every[_rollbacks("rejected", "outage")] = "0"
    for bucket, values in (("1", "0+10x20"), ("10", "0+10x20"), ("60", "0+10x20")):
        every[_took(bucket)] = values
    every[_took("+Inf")] = "0+10x20"
    return every


def _rollbacks(status: str, rejection: str) -> str:
    labels = f'status="{status}",rejection="{rejection}",reason="regression"'
    return f"rollguard_rollbacks_total{{{_target('applier')},{labels}}}"


def _notifications(result: str) -> str:
    return (
        f'rollguard_notifications_total{{{_target("notifier")},receiver="hook",result="{result}"}}'
    )


def _requests(status: str) -> str:
    labels = f'method="GET",route="/api/v1/tools",status="{status}"'
    return f"rollguard_http_requests_total{{{_target('console')},{labels}}}"


def _pool(state: str) -> str:
    return f'rollguard_postgres_pool_connections{{{_target("applier")},state="{state}"}}'


def _took(le: str) -> str:
    return f'rollguard_execution_to_outcome_seconds_bucket{{{_target("applier")},le="{le}"}}'


def _lag(group: str, name: str = "lag_seconds") -> str:
    target = _target(group.partition("-")[0])
    return f'rollguard_consumer_{name}{{{target},group="{group}",{_TP}}}'


def _of(role: str, name: str, labels: str = "") -> str:
    return f"rollguard_{name}{{{_target(role)}{',' if labels else ''}{labels}}}"


WELL: Final = _well()
_NO_RECORDER: Final = {name: "" for name in WELL if 'service="recorder"' in name}
CASES: Final = (
    Case("", {}, "69m", fires=False),
    Case("RollguardDetectorLags", {_lag("detector"): "0 40x20"}),
    Case("RollguardDetectorLags", {_lag("detector"): "0 40 0x20"}, fires=False),  # it has passed
    Case("RollguardApplierLags", {_lag("applier"): "31x20"}),
    Case("RollguardRecorderLags", {_lag("recorder"): "121x20"}),
    Case("RollguardRecorderLags", {_lag("recorder"): "119x20"}, fires=False),
    Case("RollguardReaderLags", {_lag("notifier-hook"): "301x20"}, "7m"),
    Case("RollguardPartitionStuck", {_lag("detector", "stalled_seconds"): "0 46x20"}),
    Case(
        "RollguardJoiningStuck",
        {_of("applier", "consumer_joining_seconds", 'group="applier"'): "80x20"},
    ),
    Case("RollguardTargetDown", {f"up{{{_target('applier')}}}": "1 0x20"}),
    Case("RollguardRoleMissing", _NO_RECORDER),
    Case("RollguardWorkerStuck", {_of("recorder", "alive"): "1 0x20"}),
    Case("RollguardWorkerNotReady", {_of("recorder", "ready"): "0x20"}, "6m"),
    Case("RollguardWorkerNotReady", {_of("recorder", "ready"): "0x3 1x20"}, "6m", fires=False),
    Case("RollguardWaits", {_of("recorder", "wait_seconds", 'part="Postgres"'): "0+60x20"}),
    Case(
        "RollguardWaits",
        {_of("applier", "wait_seconds", 'part="a comparison"'): "0+60x20"},
        fires=False,
    ),
    Case(
        "RollguardRestarts",
        {f"process_start_time_seconds{{{_target('applier')}}}": "100 200 300 400x20"},
    ),
    Case(
        "RollguardTaskFails",
        {_of("applier", "periodic_task_failures_total", 'task="expire-holds"'): "0+2x20"},
    ),
    Case(
        "RollguardVersionsDiffer",
        {_of("detector", "build_info", 'role="detector",version="0.9.0"'): "1x80"},
        "65m",
    ),
    Case(
        "RollguardVersionsDiffer",
        {_of("detector", "build_info", 'role="detector",version="0.9.0"'): "1x80"},
        "50m",
        fires=False,
    ),
    Case("RollguardNoPreviousVersion", {_rollbacks("rejected", "no_previous_version"): "0 1x20"}),
    Case("RollguardBudgetSpent", {_rollbacks("rejected", "budget"): "0 1x20"}),
    Case("RollguardRejectedByOutage", {_rollbacks("rejected", "outage"): "0 1x20"}),
    Case("RollguardOutage", {_of("detector", "outage", 'partition="0"'): "0 1x20"}),
    Case("RollguardRollbackHeld", {_rollbacks("held", ""): "0 1x20"}),
    Case("RollguardRollbackHeld", {_rollbacks("held", ""): "7 0x20"}, fires=False),  # a restart
    Case("RollguardFleetBrake", {_of("applier", "fleet_holds_total"): "0 2x20"}),
    Case(
        "RollguardHoldWaits",
        {_of("applier", "oldest_hold_seconds", 'change="rollback"'): "700+60x20"},
    ),
    Case(
        "RollguardToolsSetAside", {_of("applier", "tools_set_aside", 'change="deployment"'): "1x20"}
    ),
    Case("RollguardSlowRollbacks", {_took("1"): "0x20", _took("10"): "0x20"}, "10m"),
    Case(
        "RollguardDeadLetters",
        {_of("detector", "bad_records_total", 'topic="t",cause="key",published="yes"'): "0 3x20"},
    ),
    Case(
        "RollguardUnverified",
        {_of("applier", "unverified_messages_total", 'message="Deployment"'): "0 1x20"},
    ),
    Case("RollguardForwarding", {_of("detector", "forwarded_executions_total"): "0 9x20"}),
    Case(
        "RollguardReceiverFails",
        {_of("notifier", "receiver_failing_seconds", 'receiver="hook"'): "0+100x20"},
    ),
    Case("RollguardNotificationsLost", {_notifications("dead_letter"): "0 1x20"}),
    Case(
        "RollguardClocksDiffer",
        {_of("detector", "negative_durations_total", 'duration="execution_to_command"'): "0 1x20"},
    ),
    Case("RollguardConsoleErrors", {_requests("503"): "0+9x20"}, "11m"),
    Case("RollguardPoolExhausted", {_pool("used"): "10x20"}),
)


def input_series(case: Case) -> list[dict[str, str]]:
    """Return the series of a case as a test of promtool has them."""
    series = WELL | case.changed
    constant = f"x{_MINUTES}"
    return [
        {"series": name, "values": f"{values}{constant}" if values.isdecimal() else values}
        for name, values in series.items()
        if values
    ]
