-- name: activations
select activations.*, version.is_breaking_change
from activations
join tool_versions version using (tool_name, version_id)
where $1::text[] is null or tool_name = any($1)
order by tool_name, activation

-- Executions without an offset were recorded before offsets were kept.
-- name: executions
select
    execution_id,
    tool_name,
    success,
    version_id,
    error_type,
    session_id,
    caller,
    input_hash,
    stated_origin,
    executed_at,
    case when error_type like '%Group' then error end as error
from tool_executions
where ($1::text[] is null or tool_name = any($1))
    and executed_at >= coalesce($2::timestamptz, '-infinity')
    and executed_at <= coalesce($3::timestamptz, 'infinity')
order by log_offset nulls first, executed_at
