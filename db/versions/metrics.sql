-- name: lock_version
select total_executions, successful_executions, success_rate, pruned_executions
from tool_versions
where tool_name = $1 and version_id = $2
for no key update

-- Computes the rate exactly as the recorder does, to the last bit. Failures that are not the tool's are
-- not judged.
-- name: count
select
    count(*) as total_executions,
    count(*) filter (where success) as successful_executions,
    (count(*) filter (where success))::double precision / nullif(count(*), 0) as success_rate
from tool_executions
where tool_name = $1 and version_id = $2 and (success or coalesce(error_origin, 'tool') = 'tool')

-- name: correct
update tool_versions
set total_executions = $2, successful_executions = $3, success_rate = $4
where version_id = $1
