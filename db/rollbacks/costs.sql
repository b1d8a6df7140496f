-- For each command the times between which its calls lie. Executions of a version that was activated
-- again count from then, and otherwise all of them. `replaced_at` is null while the version is current.
-- The version with the next number is the next deployment; the newest rollbacks are looked at alone.
-- name: spans
select
    command.tool_name,
    command.command_id,
    command.is_automatic,
    command.from_version_id,
    command.to_version_id,
    command.issued_at,
    command.status = 'applied' as is_applied,
    again.activated_at as began_at,
    gone.replaced_at,
    least(back.activated_at, gone.replaced_at + $4::interval) as late_until,
    least(ended.replaced_at, command.applied_at + $4::interval) as after_until
from unnest($1::text[], $2::uuid[], $3::boolean[]) as asked (tool_name, command_id, is_automatic)
join rollbacks command using (tool_name, command_id, is_automatic)
join tool_versions source
    on source.tool_name = command.tool_name and source.version_id = command.from_version_id
left join lateral (
    select case when approved_by is null then issued_at else applied_at end as activated_at
    from (
        select *
        from rollbacks
        where tool_name = command.tool_name and applied_at < command.applied_at
        order by applied_at desc
        limit 100
    ) as earlier
    where status = 'applied' and to_version_id = command.from_version_id
    order by applied_at desc
    limit 1
) as again on true
left join lateral (
    select coalesce(deployments.applied_at, newer.created_at) as applied_at
    from tool_versions newer
    left join deployments using (tool_name, deployment_id)
    where newer.tool_name = command.tool_name
        and newer.version_number > source.version_number
        and coalesce(deployments.applied_at, newer.created_at) > command.applied_at
    order by newer.version_number
    limit 1
) as deployed on true
left join lateral (
    select min(applied_at) as applied_at
    from rollbacks
    where from_version_id = command.from_version_id
        and tool_name = command.tool_name
        and status = 'applied'
        and applied_at > command.applied_at
) as next_rollback on true
cross join lateral (
    select case
        when command.status = 'applied' then command.applied_at
        else least(next_rollback.applied_at, deployed.applied_at)
    end as replaced_at
) as gone
left join lateral (
    select case when approved_by is null then issued_at else applied_at end as activated_at
    from (
        select *
        from rollbacks
        where tool_name = command.tool_name and applied_at > gone.replaced_at
        order by applied_at
        limit 100
    ) as later
    where status = 'applied' and to_version_id = command.from_version_id
    order by applied_at
    limit 1
) as back on true
left join lateral (
    select least(deployed.applied_at, min(applied_at)) as replaced_at
    from rollbacks
    where from_version_id = command.to_version_id
        and tool_name = command.tool_name
        and status = 'applied'
        and applied_at > command.applied_at
) as ended on true

-- One row for each span, in their order. Where its begin or its end is null, it has none. Each reads an
-- index of the version, and at most $10 rows for each of its three parts.
-- name: calls
select
    span.place,
    before.looked_at as looked_at,
    before.executions_before,
    before.failures_before,
    before.executions_waiting,
    before.failures_waiting,
    late.executions as executions_late,
    late.failures as failures_late,
    late.looked_at as looked_at_late,
    later.executions as executions_after,
    later.failures as failures_after,
    later.looked_at as looked_at_after
from unnest(
    $1::text[], $2::int[], $3::int[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
    $7::timestamptz[], $8::timestamptz[], $9::boolean[]
) with ordinality as span (
    tool_name, from_version_id, to_version_id, began_at, issued_at, replaced_at,
    late_until, after_until, is_applied, place
)
cross join lateral (
    select
        count(*) as looked_at,
        count(*) filter (where counts and executed_at <= span.issued_at) as executions_before,
        count(*) filter (where counts and not success and executed_at <= span.issued_at)
            as failures_before,
        count(*) filter (where counts and executed_at > span.issued_at) as executions_waiting,
        count(*) filter (where counts and not success and executed_at > span.issued_at)
            as failures_waiting
    from (
        select
            success,
            executed_at,
            success or coalesce(error_origin, 'tool') = 'tool' as counts
        from tool_executions
        where version_id = span.from_version_id
            and tool_name = span.tool_name
            and executed_at >= coalesce(span.began_at, '-infinity')
            and executed_at <= coalesce(span.replaced_at, 'infinity')
        order by executed_at desc, log_offset desc nulls last
        limit $10
    ) as newest
) as before
cross join lateral (
    select
        count(*) as looked_at,
        count(*) filter (where counts) as executions,
        count(*) filter (where counts and not success) as failures
    from (
        select success, success or coalesce(error_origin, 'tool') = 'tool' as counts
        from tool_executions
        where version_id = span.from_version_id
            and tool_name = span.tool_name
            and executed_at > span.replaced_at
            and executed_at < span.late_until
        order by executed_at, log_offset nulls first
        limit $10
    ) as first
) as late
cross join lateral (
    select
        count(*) as looked_at,
        count(*) filter (where counts) as executions,
        count(*) filter (where counts and not success) as failures
    from (
        select success, success or coalesce(error_origin, 'tool') = 'tool' as counts
        from tool_executions
        where span.is_applied
            and version_id = span.to_version_id
            and tool_name = span.tool_name
            and executed_at > span.replaced_at
            and executed_at < span.after_until
        order by executed_at, log_offset nulls first
        limit $10
    ) as first
) as later
order by span.place

-- Whom the failed calls of a span concern, the most concerned first: at most $7 sessions and as many
-- callers. `named` counts all of that kind.
-- name: affected
with failed as materialized (
    select session_id, caller, executed_at
    from (
        (
            select session_id, caller, executed_at, success, error_origin
            from tool_executions
            where version_id = $2::int
                and tool_name = $1::text
                and executed_at >= coalesce($3::timestamptz, '-infinity')
                and executed_at <= coalesce($4::timestamptz, 'infinity')
            order by executed_at desc, log_offset desc nulls last
            limit $6
        )
        union all
        (
            select session_id, caller, executed_at, success, error_origin
            from tool_executions
            where version_id = $2::int
                and tool_name = $1::text
                and executed_at > $4::timestamptz
                and executed_at < $5::timestamptz
            order by executed_at, log_offset nulls first
            limit $6
        )
    ) as call
    where not success and coalesce(error_origin, 'tool') = 'tool'
)
select kind, name, failures, last_at, named
from (
    select
        kind,
        name,
        count(*) as failures,
        max(executed_at) as last_at,
        count(*) filter (where name is not null) over (partition by kind) as named,
        row_number() over (
            partition by kind, name is null order by count(*) desc, max(executed_at) desc, name
        ) as place
    from failed
    cross join lateral (
        values ('session', nullif(session_id, '')), ('caller', nullif(caller, ''))
    ) as of_whom (kind, name)
    group by kind, name
) as counted
where place <= $7
order by kind, failures desc, last_at desc, name

-- The calls of both versions around a rollback by parts of equal length: part 0 begins at $4. Of each version
-- at most $7 before the rollback at $5 and $7 after it are read, those that are nearest to it.
-- name: around
select
    version_id,
    least(floor(extract(epoch from executed_at - $4) / $8), $9 - 1)::int as part,
    count(*) as executions,
    count(*) filter (where not success) as failures
from (select distinct id from unnest(array[$2, $3]::int[]) as id) as version
cross join lateral (
    (
        select version_id, executed_at, success, error_origin
        from tool_executions
        where version_id = version.id
            and tool_name = $1
            and executed_at >= $4
            and executed_at <= $5
        order by executed_at desc, log_offset desc nulls last
        limit $7
    )
    union all
    (
        select version_id, executed_at, success, error_origin
        from tool_executions
        where version_id = version.id
            and tool_name = $1
            and executed_at > $5
            and executed_at < $6
        order by executed_at, log_offset nulls first
        limit $7
    )
) as call
where success or coalesce(error_origin, 'tool') = 'tool'
group by 1, 2
order by 2, 1
