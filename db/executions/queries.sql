-- Without the failures that are not the tool's, because nobody judges them.
-- name: newest_of_version
select *
from tool_executions
where tool_name = $1
    and version_id = $2
    and (success or coalesce(error_origin, 'tool') = 'tool')
    and executed_at >= coalesce($4::timestamptz, '-infinity')
    and executed_at <= coalesce($5::timestamptz, 'infinity')
order by executed_at desc, log_offset desc nulls last
limit $3

-- Reads at most $4 executions by the index of the tool, so that a search for rare ones ends. It has a
-- row, without an execution, also if none of them is wanted.
-- name: page_of_tool
with looked_at as materialized (
    select *
    from tool_executions
    where tool_name = $1
        and executed_at <= coalesce($2::timestamptz, 'infinity')
        and (executed_at, execution_id) < (coalesce($2::timestamptz, 'infinity'), $3::uuid)
    order by executed_at desc, execution_id desc
    limit $4
),
wanted as (
    select *
    from looked_at
    where $5::boolean is null or success = $5::boolean
    order by executed_at desc, execution_id desc
    limit $6
)
select
    wanted.*,
    last.executed_at as looked_to,
    last.execution_id as looked_to_id,
    last.looked_at
from (
    select executed_at, execution_id, count(*) over () as looked_at
    from looked_at
    order by executed_at, execution_id
    limit 1
) last
left join wanted on true
order by wanted.executed_at desc, wanted.execution_id desc

-- The same by the index of the version.
-- name: page_of_version
with looked_at as materialized (
    select *
    from tool_executions
    where tool_name = $1
        and version_id = $7
        and executed_at <= coalesce($2::timestamptz, 'infinity')
        and (executed_at, execution_id) < (coalesce($2::timestamptz, 'infinity'), $3::uuid)
    order by executed_at desc, execution_id desc
    limit $4
),
wanted as (
    select *
    from looked_at
    where $5::boolean is null or success = $5::boolean
    order by executed_at desc, execution_id desc
    limit $6
)
select
    wanted.*,
    last.executed_at as looked_to,
    last.execution_id as looked_to_id,
    last.looked_at
from (
    select executed_at, execution_id, count(*) over () as looked_at
    from looked_at
    order by executed_at, execution_id
    limit 1
) last
left join wanted on true
order by wanted.executed_at desc, wanted.execution_id desc

-- name: by_id
select *
from tool_executions
where execution_id = any($1::uuid[]) and tool_name = $2
order by executed_at desc, log_offset desc nulls last

-- Reads only columns that the applier has the privilege to read.
-- name: errors
select error
from tool_executions
where execution_id = any($1::uuid[]) and tool_name = $2 and not success and error is not null
order by executed_at desc
