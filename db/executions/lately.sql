-- The last execution within a span before each time, of at most so many tools that succeeded with their
-- current version. Reads only columns that the applier has the privilege to read. `limit 1` makes
-- Postgres look into the index once for each tool. Tools without an execution in the whole time are left
-- out first, because there may be many times. Failures of callers say nothing of an outage.
-- name: newest
with tool as materialized (
    select current.tool_name
    from (select min(at) - $2::interval as begin, max(at) as last from unnest($1::timestamptz[]) as at)
        as asked
    cross join tool_versions current
    cross join lateral (
        select
        from tool_executions execution
        where execution.tool_name = current.tool_name
            and execution.executed_at > asked.begin
            and execution.executed_at <= asked.last
        limit 1
    ) as any_of_it
    where current.is_current and current.successful_executions > 0
)
select asked.at, seen.failed, seen.producer, counts.executions, counts.failures
from unnest($1::timestamptz[]) as asked (at)
cross join lateral (
    select tool.tool_name, not last.success as failed, last.producer
    from tool
    cross join lateral (
        select
            execution.success,
            coalesce(nullif(execution.session_id, ''), execution.caller, '') as producer
        from tool_executions execution
        where execution.tool_name = tool.tool_name
            and execution.executed_at > asked.at - $2::interval
            and execution.executed_at <= asked.at
            and (execution.success or execution.error_origin is distinct from 'caller')
        order by execution.executed_at desc
        limit 1
    ) as last
    limit $3
) as seen
cross join lateral (
    select
        sum(version.total_executions + version.environment_failures)::bigint as executions,
        sum(
            version.total_executions
            - version.successful_executions
            + version.environment_failures
        )::bigint as failures
    from tool_versions version
    where version.tool_name = seen.tool_name
) as counts

-- The same, of executions that this producer has not published.
-- name: of_others
select last.failed
from tool_versions current
cross join lateral (
    select not execution.success as failed
    from tool_executions execution
    where execution.tool_name = current.tool_name
        and execution.executed_at > $1::timestamptz - $2::interval
        and execution.executed_at <= $1
        and coalesce(nullif(execution.session_id, ''), execution.caller, '') <> $4
        and (execution.success or execution.error_origin is distinct from 'caller')
    order by execution.executed_at desc
    limit 1
) as last
where current.is_current and current.successful_executions > 0
limit $3
