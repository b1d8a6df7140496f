-- Everything that the workers would have written in a month. Times count back from now.

-- Of each tool five versions of 40 functions, of the busiest one 500. Of every fifth tool the last one
-- was rolled back.
-- name: versions
insert into tool_versions (
    version_id, tool_name, version_number, code, code_hash, created_at, created_by, author,
    deployment_count, is_current, is_breaking_change, breaking_changes, improvement_type,
    improvement_reason, previous_version_id, activation, activated_at
)
select
    before + number,
    'tool-' || tool,
    number,
    written.code,
    encode(sha256(convert_to(written.code, 'UTF8')), 'hex'),
    deployed_at,
    case when number = 1 then 'human' else 'autonomous' end,
    case when number = 1 then 'ann' else 'improver' end,
    1,
    number = current,
    number % 4 = 0,
    case when number % 4 = 0 then array['execute(): parameter `limit` removed'] else '{}' end,
    case when number = 1 then 'initial' else 'autonomous_improvement' end,
    'answers are shorter, and long texts are cut at the end of a sentence',
    case when number > 1 then before + number - 1 end,
    case when number = current and current < last then last + 1 else number end,
    deployed_at
from generate_series(0, $1::int - 1) as tool
cross join lateral (
    select
        case when tool = 0 then 500 else 5 end as last,
        case when tool = 0 then 0 else 495 + 5 * tool end as before
) as sizes
cross join lateral (select last - (tool % 5 = 1)::int as current) as which
cross join lateral generate_series(1, last) as number
cross join lateral (
    select now() - (last - number + 1) * interval '20 hours' - tool * interval '1 s' as deployed_at
) as times
cross join lateral (
    select string_agg(
        format(E'def step_%s(text, limit=%s):\n    return text[:limit]\n', n, number * n + tool),
        E'\n\n'
    ) as code
    from generate_series(1, 40) as n
) as written

-- name: number_on
select setval(pg_get_serial_sequence('tool_versions', 'version_id'), max(version_id))
from tool_versions

-- name: deployments
insert into deployments (deployment_id, tool_name, outcome, applied_at)
select
    deployment_id,
    tool_name,
    jsonb_build_object(
        'deployment_id', deployment_id, 'tool_name', tool_name, 'status', 'created',
        'version_id', version_id, 'version_number', version_number, 'activation', version_number,
        'applied_at', created_at
    ),
    created_at
from tool_versions

-- The n-th busiest of all tools has n^(-2/3) as many as the first. Most are of the current version. Two
-- of a hundred fail, and of the versions that were rolled back half of them.
-- name: executions
insert into tool_executions (
    execution_id, tool_name, version_id, success, error, error_type, error_origin, executed_at,
    duration_ms, session_id, caller, input_hash, log_offset
)
select
    gen_random_uuid(),
    'tool-' || tool,
    before + number,
    not failed,
    case when failed then
        E'Traceback (most recent call last):\n' || repeat(
            E'  File "/srv/engine/tools/parse.py", line 42, in step\n    return text[:limit]\n', 5
        ) || 'ValueError: no number ' || n % 7
    end,
    case when failed then 'ValueError' end,
    case when failed then 'tool' end,
    now() - ($2::bigint - n) * (interval '30 days' / $2::bigint),
    5 + n % 50,
    'session-' || n % 100000,
    'caller-' || n % 500,
    md5((n % 1000)::text),
    n
from generate_series(1, $2::bigint) as n
cross join lateral (
    select floor($1::int * ((hashint8(n) + 2147483648) / 4294967296.0) ^ 3)::int as tool
) as chosen
cross join lateral (
    select
        case when tool = 0 then 500 else 5 end as last,
        case when tool = 0 then 0 else 495 + 5 * tool end as before
) as sizes
cross join lateral (
    select last - (n % 10 in (0, 1) or tool % 5 = 1 and n % 10 <> 2)::int - (n % 10 = 0)::int as number
) as which
cross join lateral (
    select n % case when tool % 5 = 1 and number = last then 2 else 50 end = 0 as failed
) as results

-- name: counts
update tool_versions
set total_executions = counted.executions,
    successful_executions = counted.successes,
    success_rate = counted.successes::double precision / counted.executions
from (
    select version_id, count(*) as executions, count(*) filter (where success) as successes
    from tool_executions
    group by version_id
) as counted
where tool_versions.version_id = counted.version_id

-- Every fifth tool has the applied one, and ten before it that were rejected. An outage long ago has
-- stopped 5,000 at the same moment.
-- name: rollbacks
insert into rollbacks (
    command_id, tool_name, from_version_id, from_activation, to_version_id, to_version_number, tier,
    reason, details, issued_by, issued_at, status, rejection, applied_at, target, explanation
)
select
    gen_random_uuid(),
    version.tool_name,
    version.version_id,
    version.version_number,
    case when attempt = 0 then version.previous_version_id end,
    case when attempt = 0 then version.version_number - 1 end,
    'immediate',
    'consecutive_failures',
    jsonb_build_object(
        'recent', recent.ids, 'executions', 10, 'failures', 9, 'success_rate', 0.1,
        'baseline', jsonb_build_object('executions', 400, 'success_rate', 0.98)
    ),
    'detector',
    issued_at,
    case when attempt = 0 then 'applied' else 'rejected' end,
    case when attempt = 11 then 'outage' when attempt > 0 then 'cooldown' end,
    issued_at + interval '20 ms' * (attempt < 11)::int,
    case when attempt = 0 then 'nearest' end,
    jsonb_build_object(
        'rule', 'the newest 3 executions or more, of those in the last 300 s, all failed',
        'thresholds', jsonb_build_object('consecutive_failures', 3),
        'executions', 10, 'failures', 9,
        'errors', jsonb_build_array(
            jsonb_build_object('error', 'ValueError: no number 3', 'executions', 9)
        ),
        'breaking_changes', '[]'::jsonb, 'decided_by', recent.ids
    )
from (
    select *, substring(tool_name from 6)::int as tool
    from tool_versions
    where version_number = 5
) as version
cross join lateral (
    select coalesce(jsonb_agg(execution_id), '[]') as ids
    from (
        select execution_id
        from tool_executions
        where tool_executions.version_id = version.version_id
        order by executed_at desc
        limit 10
    ) as newest
) as recent
cross join generate_series(0, 11) as attempt
cross join lateral (
    select case
        when attempt = 11 then now() - interval '9 days'
        else now() - (tool * interval '20 s' + attempt * interval '20 minutes')
    end as issued_at
) as times
where attempt = 11 and tool < 5000 or attempt < 11 and tool % 5 = 1

-- name: held_rollbacks
insert into rollbacks (
    command_id, tool_name, from_version_id, from_activation, tier, reason, details, issued_by,
    issued_at, status, applied_at, expires_at
)
select
    gen_random_uuid(), tool_name, version_id, activation, 'standard', 'success_rate_drop',
    '{"executions": 40, "failures": 12, "success_rate": 0.7}', 'detector', now(), 'held', now(),
    now() + interval '1 day'
from tool_versions
where is_current and version_id % 495 = 5

-- name: held_deployments
insert into held_deployments (
    tool_name, deployment_id, code, code_hash, created_by, improvement_type, deployed_at,
    accepted_breaks, checks, findings, status, held_at, expires_at
)
select
    tool_name, gen_random_uuid(), code || 'x = 1', code_hash, 'autonomous', 'bug_fix', now(), '[]', '[]',
    '{it breaks callers}', 'held', now(), now() + interval '1 day'
from tool_versions
where is_current and version_id % 99 = 0

-- Every twentieth tool is pinned; others are frozen, wait, or had a pin before.
-- name: stops
insert into stops (kind, tool_name, reason, set_by, began_at, ended_at, ended_by, ended_how)
select
    (array['pin', 'freeze', 'wait', 'pin'])[1 + version_id % 4], tool_name, 'a release', 'ann',
    activated_at, case when version_id % 4 = 3 then now() end,
    case when version_id % 4 = 3 then 'ann' end, case when version_id % 4 = 3 then 'removed' end
from tool_versions
where is_current and substring(tool_name from 6)::int % 5 = 2

-- A hundred engines, each with the thousand busiest tools. One of a hundred runs an old version.
-- name: engine_reports
insert into engine_reports (
    tool_name, engine_id, version_id, activation, ok, loaded_at, reported_at
)
select
    tool_name, 'engine-' || engine, version_id - (version_id % 100 = engine)::int, activation, true,
    activated_at, now() - engine * interval '100 ms'
from tool_versions
cross join generate_series(0, 99) as engine
where is_current and substring(tool_name from 6)::int < 1000

-- name: engine_executions
insert into engine_executions (
    tool_name, engine_id, version_id, activation, stale_executions, began_at, executed_at
)
select
    tool_name, engine_id, version_id, activation, 0, reported_at, reported_at
from engine_reports

-- name: later_verdicts
insert into later_verdicts (
    tool_name, verdict_id, execution_id, version_id, bad, judged_by, why, judged_at, log_offset
)
select
    tool_name, gen_random_uuid(), execution_id, version_id, log_offset % 300 = 0, 'judge',
    'the answer is not what was asked for', executed_at + interval '1 minute', log_offset
from tool_executions
where log_offset % 49 = 0 and success
