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
