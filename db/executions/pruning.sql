-- A lock that conflicts only with itself, with changes of this table's definition and with VACUUM of
-- this small table. Only a role that may write to the table can take it. Unlike the lock of a row, it
-- does not keep VACUUM from removing what is pruned.
-- name: lock
lock table replayed_records in share update exclusive mode

-- name: limit_wait
select set_config('lock_timeout', $1, true)

-- Goes from one tool name to the next along the index, without reading the executions themselves.
-- name: tools
with recursive tools as (
    (select tool_name from tool_executions order by tool_name limit 1)
    union all
    select (
        select execution.tool_name
        from tool_executions execution
        where execution.tool_name > tools.tool_name
        order by execution.tool_name
        limit 1
    )
    from tools
    where tools.tool_name is not null
)
select tool_name
from tools
where exists (
    select
    from tool_executions execution
    where execution.tool_name = tools.tool_name and execution.executed_at < $1
)
order by tool_name

-- name: count
select count(*) from tool_executions where tool_name = $1 and executed_at < $2

-- name: remove
with old as (
    select execution_id
    from tool_executions
    where tool_name = $1 and executed_at < $2
    order by executed_at
    limit $3
),
removed as (
    delete from tool_executions
    using old
    where tool_executions.execution_id = old.execution_id and tool_executions.tool_name = $1
    returning
        tool_executions.execution_id,
        tool_executions.version_id,
        tool_executions.success or coalesce(tool_executions.error_origin, 'tool') = 'tool' as is_judged
),
verdicts as (
    delete from later_verdicts
    using removed
    where later_verdicts.execution_id = removed.execution_id and later_verdicts.tool_name = $1
    returning 1
)
select
    version_id,
    count(*) as executions,
    count(*) filter (where is_judged) as judged,
    (select count(*) from verdicts) as verdicts
from removed
group by version_id

-- The next verdicts in the order of the primary key, and those of them that are old and about an
-- execution that is not recorded (any more).
-- name: remove_lone_verdicts
with examined as (
    select tool_name, verdict_id, execution_id, judged_at
    from later_verdicts
    where (tool_name, verdict_id) > ($2::text, $3::uuid)
    order by tool_name, verdict_id
    limit $4
),
removed as (
    delete from later_verdicts
    using examined
    where later_verdicts.tool_name = examined.tool_name
        and later_verdicts.verdict_id = examined.verdict_id
        and examined.judged_at < $1
        and not exists (
            select
            from tool_executions execution
            where execution.execution_id = examined.execution_id
                and execution.tool_name = examined.tool_name
        )
    returning 1
)
select tool_name, verdict_id, (select count(*) from removed) as removed
from examined
order by tool_name desc, verdict_id desc
limit 1

-- name: count_verdicts
select count(*)
from later_verdicts verdict
left join tool_executions execution
    on execution.execution_id = verdict.execution_id and execution.tool_name = verdict.tool_name
where coalesce(execution.executed_at, verdict.judged_at) < $1

-- name: lock_versions
select version_id
from tool_versions
where version_id = any($1::int[])
order by version_id
for no key update

-- name: remember
update tool_versions
set pruned_executions = pruned_executions + executions
from unnest($1::int[], $2::bigint[]) as removed (version_id, executions)
where tool_versions.version_id = removed.version_id and tool_versions.tool_name = $3
